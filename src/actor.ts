/** The door for authors: an actor is plain data and pure functions; effects are data that somebody else runs. */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import type { Lane } from './message/envelope.ts';

/** A schema of any library that speaks Standard Schema (https://standardschema.dev); one that also prints JSON Schema feeds OpenAPI. */
export type Schema<T> = StandardSchemaV1<unknown, T> & Partial<StandardJSONSchemaV1<unknown, T>>;

/** Orders every call to the outside: epoch first, then seq. Both are integers. */
export type Fence = { readonly epoch: number; readonly seq: number };

/** What is known of a commandId that a command named in `recall`; all absent: nothing was ever heard of it. */
export type Recalled = {
  /** The name of the command that carries this id. */
  readonly command?: string;
  readonly status?: 'inboxed' | 'open' | 'parked' | 'done' | 'refused';
  /** What `records.of` last wrote under this id. */
  readonly record?: unknown;
};

/** `now` is ms since the epoch, the same for a whole turn. */
export type Turn = {
  readonly now: number;
  readonly commandId: string;
  readonly fence: Fence;
  readonly recalled: ReadonlyMap<string, Recalled>;
};

/** A call to the outside, declared by its types only; what runs it is bound where the program is put together. */
export type Effect<O, R> = { readonly timeoutMs: number; readonly '~order'?: (order: O) => void; readonly '~result'?: () => R };
export const effect = <O, R>(it: { readonly timeoutMs: number }): Effect<O, R> => it;
type OrderOf<F> = F extends Effect<infer O, infer _> ? O : never;
type ResultOf<F> = F extends Effect<infer _, infer R> ? R : never;

/**
 * A durable wake-up: once, at `at` (whole ms since the epoch; past: now) or as soon after it as may be, the location gets
 * `command` with a `turn.now` of at least `at`. The same name replaces, `at: null` cancels; a name is 1 to 64 of
 * [A-Za-z0-9._-], and a location may have 256.
 */
export type Timer = { readonly name: string; readonly at: number | null; readonly command: string; readonly input: unknown };

export type Accept<E, R> = { readonly kind: 'accept'; readonly events: readonly E[]; readonly reply: R; readonly timers: readonly Timer[] };
export type Refuse<X> = { readonly kind: 'refuse'; readonly code: X; readonly detail?: unknown };
export type Perform<E, F> = {
  [K in keyof F & string]: { readonly kind: 'perform'; readonly events: readonly E[]; readonly effect: K; readonly order: OrderOf<F[K]> };
}[keyof F & string];
export type Doubt<E> = { readonly kind: 'doubt'; readonly events: readonly E[] };

export const accept = <const E, const R>(events: readonly E[], reply: R, timers: readonly Timer[] = []): Accept<E, R> => ({
  kind: 'accept',
  events,
  reply,
  timers,
});
export const refuse = <const X extends string>(code: X, detail?: unknown): Refuse<X> => ({ kind: 'refuse', code, detail });
export const perform = <const E, K extends string, const O>(events: readonly E[], name: K, order: O) =>
  ({ kind: 'perform', events, effect: name, order }) as const;
export const doubt = <const E>(events: readonly E[]): Doubt<E> => ({ kind: 'doubt', events });

/** What became of an effect: evidence, or none yet (`unknown` must answer `doubt`). */
export type Outcome<F> = {
  [K in keyof F & string]:
    | { readonly effect: K; readonly order: OrderOf<F[K]>; readonly status: 'confirmed'; readonly result: ResultOf<F[K]> }
    | { readonly effect: K; readonly order: OrderOf<F[K]>; readonly status: 'failed'; readonly code: string }
    | { readonly effect: K; readonly order: OrderOf<F[K]>; readonly status: 'unknown' };
}[keyof F & string];

export type CommandDefinition<S, E, F, X, I, R> = {
  readonly input: Schema<I>;
  readonly reply: Schema<R>;
  readonly lane?: Exclude<Lane, 'control'>;
  /** A person waits for it: over HTTP it gets a deadline, so that nobody is served after they left. */
  readonly present?: boolean;
  /** CommandIds of this location to look up before `decide`; found in `turn.recalled`. */
  readonly recall?: (input: I, commandId: string) => readonly string[];
  readonly decide: (state: S, input: I, turn: Turn) => Accept<E, NoInfer<R>> | Refuse<X> | Perform<E, F>;
  /** Demanded at start-up where the actor has effects and `decide` performs: turns evidence, or its absence, into events and a reply. */
  readonly settle?: (state: S, outcome: Outcome<F>, turn: Turn) => Accept<E, NoInfer<R>> | Refuse<X> | SettledRefusal<E, X> | Doubt<E>;
};
/** A refusal that evidence led to: its events are booked before the refusal. */
export type SettledRefusal<E, X> = { readonly kind: 'refuse'; readonly code: X; readonly detail?: unknown; readonly events: readonly E[] };
export const refuseWith = <const E, const X extends string>(events: readonly E[], code: X, detail?: unknown): SettledRefusal<E, X> => ({
  kind: 'refuse',
  code,
  detail,
  events,
});

/** Small facts kept apart from the state, one per commandId, so that the state stays small: written with the events, read by `recall`. */
export type Records<E> = {
  /** How long each is kept after it was last written, ms. */
  readonly keepMs: number;
  readonly of: (event: E) => readonly { readonly commandId: string; readonly value: unknown }[];
};

/**
 * Checked after every turn, enforced by the runtime, applied to what older versions stored: `upcast[n]` and `migrate[n]` bring
 * what version n wrote to version n + 1; left out, it fits as it is.
 */
export type Rules<S, E> = {
  readonly records?: Records<E>;
  readonly invariants?: Readonly<Record<string, (state: S) => boolean>>;
  readonly limits?: { readonly mailbox?: number; readonly idleMs?: number; readonly attempts?: number };
  readonly upcast?: Readonly<Record<number, (event: unknown) => E>>;
  readonly migrate?: Readonly<Record<number, (state: unknown) => S>>;
};

export type Actor<S, E, F, X, I, R, Q> = {
  readonly type: string;
  readonly version: number;
  readonly initial: (id: string) => S;
  readonly evolve: (state: S, event: E) => S;
  readonly effects: F;
  readonly refusals: readonly X[];
  readonly commands: { readonly [K in keyof I & keyof R]: CommandDefinition<S, E, F, X, I[K], R[K]> };
  readonly queries: { readonly [K in keyof Q]: (state: S) => Q[K] };
} & Rules<S, E>;

/** `commands` is seen three times: the inputs are inferred from `input`, the replies from `reply`, then each command is checked whole. */
export const defineActor =
  <S, E extends { readonly type: string }>() =>
  // biome-ignore lint/complexity/noBannedTypes: the empty object is what "no effects" and "no queries" are inferred as
  <const X extends string, I, R, F extends Record<string, Effect<never, unknown>> = {}, Q = {}>(
    actor: {
      readonly type: string;
      readonly version: number;
      readonly initial: (id: string) => S;
      readonly evolve: (state: S, event: E) => S;
      readonly refusals: readonly X[];
      readonly effects?: F;
      readonly queries?: { readonly [K in keyof Q]: (state: S) => Q[K] };
      readonly commands: { readonly [K in keyof I]: { readonly input: Schema<I[K]> } } & {
        readonly [K in keyof R]: { readonly reply: Schema<R[K]> };
      } & {
        readonly [K in keyof I]: CommandDefinition<S, E, NoInfer<F>, NoInfer<X>, I[K], K extends keyof R ? R[K] : never>;
      };
    } & Rules<S, E>,
  ): Actor<S, E, F, X, I, R, Q> =>
    ({ effects: {}, queries: {}, ...actor }) as unknown as Actor<S, E, F, X, I, R, Q>;

/** What a handler is given: whose effect, its idempotency key, the fence, and the witness that `open` returned before the intent. */
export type EffectContext = {
  readonly address: string;
  readonly key: string;
  readonly fence: Fence;
  readonly witness: string | undefined;
  readonly signal: AbortSignal;
};
export type Confirmed<R> = { readonly status: 'confirmed'; readonly result: R };
export type Failed = { readonly status: 'failed'; readonly code: string };
/** The outside has obeyed a fence above ours. */
export type Fenced = { readonly status: 'fenced'; readonly highest: Fence };

/** The impure half of an effect. A throw, or no answer in time, is `unknown`. */
export type Handler<O, R> = {
  /** Asked before an activation's first intent: raises the outside's fence and returns its identity (a device's journal id), kept in the intent. */
  readonly open?: (context: Pick<EffectContext, 'address' | 'fence' | 'signal'>) => Promise<string | Fenced>;
  readonly run: (order: O, context: EffectContext) => Promise<Confirmed<R> | Failed | Fenced>;
  readonly probe: (order: O, context: EffectContext) => Promise<Confirmed<R> | Failed | Fenced | { readonly status: 'unknown' }>;
};
export type Handlers<A> = A extends { readonly effects: infer F }
  ? { readonly [K in keyof F]: Handler<OrderOf<F[K]>, ResultOf<F[K]>> }
  : never;
export type Bound = { readonly actor: { readonly type: string }; readonly handlers: Readonly<Record<string, Handler<never, unknown>>> };
export const bind = <A extends { readonly type: string }>(actor: A, handlers: Handlers<A>): Bound => ({
  actor,
  handlers: handlers as Bound['handlers'],
});

/** Refusals that the runtime itself commits, for every actor. */
export type RuntimeRefusal = 'IN_DOUBT_OPEN' | 'DEADLINE_EXCEEDED' | 'PRECONDITION_FAILED' | 'NOT_STARTED' | 'DROPPED' | 'TIMER_NOT_ARMED';
export type Answer<R, X> =
  | { readonly status: 'done'; readonly reply: R; readonly seq: number }
  | { readonly status: 'refused'; readonly code: X | RuntimeRefusal; readonly detail?: unknown; readonly seq: number }
  | { readonly status: 'in-doubt' | 'parked'; readonly commandId: string }
  | { readonly status: 'id-reused' }
  /** No outcome in time: repeat it with this commandId, as it may have been accepted. */
  | { readonly status: 'busy'; readonly retryAfterMs: number; readonly commandId: string };

/** Handed out by whoever can reach the fleet (HTTP client, test kit, simulator): there is no global runtime. */
export type At = <S, E, F, X, I, R, Q>(
  actor: Actor<S, E, F, X, I, R, Q>,
  id: string,
) => { readonly [K in keyof I & keyof R]: (input: I[K], options?: { readonly commandId?: string }) => Promise<Answer<R[K], X>> };
