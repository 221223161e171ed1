/** The door for callers: what the HTTP room asks of the runtime, and what operators may do. */
import type { Code, Fault } from './errors.ts';
import type { Address } from './message/address.ts';
import type { TopicPartition } from './ports.ts';

export type Submission = {
  readonly address: Address;
  readonly name: string;
  readonly commandId: string;
  readonly input: unknown;
  readonly deadlineMs?: number;
  readonly ifSeq?: number;
  readonly traceparent?: string;
  /** How long to wait for the outcome, ms. */
  readonly waitMs: number;
};
/** `text` is the stored outcome, JSON, byte for byte what every repeat gets. */
export type Told =
  | { readonly kind: 'final'; readonly status: 'done' | 'refused'; readonly text: string }
  | { readonly kind: 'waiting'; readonly status: 'in-doubt' | 'parked' | 'pending' }
  | { readonly kind: 'id-reused' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'invalid'; readonly faults: readonly Fault[] };
/** An operator's action: an event of the location with a seq, done once per `key`. */
export type Action = {
  readonly verb: ActionVerb;
  readonly key: string;
  readonly commandId?: string;
  readonly because: string;
  readonly evidence?: unknown;
};
export type ActionVerb = 'unfreeze' | 'pause' | 'resume' | 'replay' | 'drop' | 'settle' | 'evict';
export type Acted =
  | { readonly kind: 'acted'; readonly text: string }
  | { readonly kind: 'refused'; readonly code: Code; readonly why: string };

/** What each probe says: undefined is well, else a sentence. `told`: what is wrong and keeps nobody from being served. */
export type Health = {
  readonly live: string | undefined;
  readonly ready: string | undefined;
  readonly started: string | undefined;
  readonly told: readonly string[];
};

/** A JSON Schema, draft 2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>;
export type CataloguedCommand = {
  readonly name: string;
  /** A person waits for it. */
  readonly present: boolean;
  readonly input: JsonSchema;
  readonly reply: JsonSchema;
};
/** What callers may know of an actor; `refusals` has those of the runtime too. */
export type Catalogued = {
  readonly type: string;
  readonly commands: readonly CataloguedCommand[];
  readonly queries: readonly string[];
  readonly refusals: readonly string[];
};

/** Events with a higher seq, looked for from an offset of the location's partition on (none: its beginning), at most `limit`. */
export type EventsAsked = { readonly afterSeq: number; readonly from: number | undefined; readonly limit: number };
/** `events`: CloudEvents as published · `strange`: offsets at which no event lies · `next`: where to go on; `more`: something lies there now. */
export type EventsFound = {
  readonly topic: string;
  readonly events: readonly unknown[];
  readonly strange: readonly number[];
  readonly next: number;
  readonly more: boolean;
};

/** Where it lies on the topic of dead letters; in text `partition:offset`. */
export type LetterId = { readonly partition: number; readonly offset: number };
export type DeadLetter = {
  readonly id: string;
  readonly reason: string;
  readonly error: string;
  readonly attempts: string;
  /** Where it came from. */
  readonly topic: string;
  readonly partition: string;
  readonly offset: string;
  readonly key: string | null;
  /** When it was first appended, and when it was set aside, as far as its headers tell. */
  readonly appended: string;
  readonly failed: string;
  /** When the topic of dead letters took it. */
  readonly at: string;
};
export type WholeLetter = DeadLetter & { readonly headers: Readonly<Record<string, string>>; readonly value: string | null };
export type LettersAsked = {
  readonly from: LetterId;
  readonly limit: number;
  readonly where: Partial<Pick<DeadLetter, 'reason' | 'key' | 'topic'>>;
};
/** `next`: the id to go on from; without one there are no more. */
export type LettersFound = { readonly topic: string; readonly letters: readonly DeadLetter[]; readonly next?: string };
export type Replaying = {
  readonly because: string;
  /** The operator states that what is STALE never ran. */
  readonly neverRan: boolean;
  /** Only say whether it would be sent. */
  readonly dryRun: boolean;
};

export type Desk = {
  /** The actors that run here. */
  catalogue(): readonly Catalogued[];
  /** Throws STORE_DOWN, LOG_DOWN, DRAINING or BUSY while nothing was sent, LOG_UNACKNOWLEDGED when it may have been. Afterwards it waits, and tells. */
  submit(submission: Submission): Promise<Told>;
  outcome(address: Address, commandId: string): Promise<Told>;
  /** Committed state through a query (none: all of it). Undefined: nothing was ever committed there. */
  query(
    address: Address,
    query: string | undefined,
  ): Promise<{ readonly seq: number; readonly body: unknown } | undefined | 'no-such-query'>;
  act(address: Address, action: Action, forwarded: boolean): Promise<Acted>;
  locations(filter: { readonly stuck: boolean; readonly limit: number }): readonly unknown[];
  location(address: Address): Promise<unknown>;
  parked(): Promise<readonly unknown[]>;
  /** Rejects with LOG_DOWN, as all that looks into topics does. */
  events(address: Address, asked: EventsAsked): Promise<EventsFound>;
  letters(asked: LettersAsked): Promise<LettersFound>;
  letter(id: LetterId): Promise<WholeLetter | undefined>;
  replayLetter(id: LetterId, replaying: Replaying): Promise<Acted>;
  refusedPartitions(): readonly { readonly topic: string; readonly partition: number; readonly code: string; readonly why: string }[];
  accept(at: TopicPartition, because: string): Promise<Acted>;
  raiseGeneration(because: string): Promise<Acted>;
  health(): Health;
  metrics(): Promise<{ readonly type: string; readonly text: string }>;
};

/** Speaks to another replica's admin port. */
export type Peers = { act(url: string, address: Address, action: Action): Promise<Acted> };
