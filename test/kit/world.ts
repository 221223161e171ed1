/** One location's actor run on its pure functions alone, as the runtime runs it: no store, no time, no device. */
import type { Actor, Effect, Recalled, Timer, Turn } from '../../src/actor.ts';
import { shown } from '../../src/errors.ts';
import type { Definition as Held } from '../../src/runtime/definition.ts';
import { armedAs, NO_TIMERS, type Timers, timerId, timerOf, without, withTimers } from '../../src/runtime/timers.ts';

/** Any actor, its types forgotten: what the kit reads through. */
export type AnyActor = {
  readonly type: string;
  readonly initial: (id: string) => unknown;
  readonly evolve: (state: never, event: never) => unknown;
  readonly refusals: readonly string[];
  readonly effects: Readonly<Record<string, Effect<never, unknown>>>;
  readonly commands: object;
  readonly records?: { readonly of: (event: never) => readonly { readonly commandId: string; readonly value: unknown }[] };
  readonly invariants?: Readonly<Record<string, (state: never) => boolean>>;
};
export type Event = { readonly type: string };
/** What became of a call to the outside, as a test tells it. */
export type Evidence<R = unknown> =
  | { readonly status: 'confirmed'; readonly result: R }
  | { readonly status: 'failed'; readonly code: string }
  | { readonly status: 'unknown' };

/** What one turn came to. */
export type Answer =
  | { readonly status: 'done'; readonly reply: unknown; readonly events: readonly Event[]; readonly timers: readonly Timer[] }
  | { readonly status: 'refused'; readonly code: string; readonly detail?: unknown; readonly events: readonly Event[] }
  | { readonly status: 'performs'; readonly effect: string; readonly order: unknown; readonly events: readonly Event[] }
  | { readonly status: 'in-doubt'; readonly events: readonly Event[] };

type Open = { readonly commandId: string; readonly command: string; readonly effect: string; readonly order: unknown };
type Known = { readonly command: string; readonly status: 'open' | 'done' | 'refused'; readonly input: string; readonly answer: Answer };
/** A location at one moment; every step gives a new one. */
export type World<S = unknown> = {
  readonly id: string;
  readonly state: S;
  readonly seq: number;
  readonly events: readonly Event[];
  readonly open: Open | undefined;
  readonly known: ReadonlyMap<string, Known>;
  readonly records: ReadonlyMap<string, unknown>;
  readonly timers: Timers;
};
export type Moment = { readonly commandId?: string; readonly now?: number; readonly recalled?: Readonly<Record<string, Recalled>> };

/** The runtime would freeze the location, or park the command: a fault of the actor, not an answer. */
export class ActorFault extends Error {}

type Definition = {
  readonly input: Schema;
  readonly reply: Schema;
  readonly recall?: (input: unknown, commandId: string) => readonly string[];
  readonly decide: (state: unknown, input: unknown, turn: Turn) => Decision;
  readonly settle?: (state: unknown, outcome: object, turn: Turn) => Decision;
};
type Schema = { readonly '~standard': { readonly validate: (value: unknown) => unknown } };
type Decision =
  | { readonly kind: 'accept'; readonly events: readonly Event[]; readonly reply: unknown; readonly timers: readonly Timer[] }
  | { readonly kind: 'refuse'; readonly code: string; readonly detail?: unknown; readonly events?: readonly Event[] }
  | { readonly kind: 'perform'; readonly events: readonly Event[]; readonly effect: string; readonly order: unknown }
  | { readonly kind: 'doubt'; readonly events: readonly Event[] };

export function begin<S, E, F, X, I, R, Q>(actor: Actor<S, E, F, X, I, R, Q>, id = 'X-1', state = actor.initial(id)): World<S> {
  return { id, state, seq: 0, events: [], open: undefined, known: new Map(), records: new Map(), timers: NO_TIMERS };
}

/** Events that happened before the test begins. */
export function happened(actor: AnyActor, world: World, events: readonly Event[]): World {
  const state = fold(actor, world.state, events);
  const records = new Map(world.records);
  for (const event of events) for (const it of actor.records?.of(event as never) ?? []) records.set(it.commandId, it.value);
  return { ...world, state, seq: world.seq + events.length, events: [...world.events, ...events], records };
}

/** One command through the actor. A known commandId gets its first answer and changes nothing. */
export function take(actor: AnyActor, world: World, command: string, raw: unknown, moment: Moment = {}): readonly [World, Answer] {
  const definition = definitionOf(actor, command);
  const commandId = moment.commandId ?? `c-${world.known.size + 1}`;
  const known = world.known.get(commandId);
  if (known && known.input !== JSON.stringify([command, raw])) throw new ActorFault(`${commandId} was used before, with another payload`);
  if (known) return [world, known.answer];
  const input = parsed(definition.input, raw, `input of ${command}`);
  const turn = turnOf(world, commandId, moment, definition.recall?.(input, commandId) ?? []);
  const decision = pure(() => definition.decide(frozen(world.state), frozen(input), turn), `decide of ${command}`);
  if (decision.kind === 'doubt') throw new ActorFault(`decide of ${command} answered doubt, which only settle may`);
  // What the runtime answers for every actor.
  const judged: Decision = decision.kind === 'perform' && world.open ? { kind: 'refuse', code: 'IN_DOUBT_OPEN' } : decision;
  const open = judged.kind === 'perform' ? { commandId, command, effect: judged.effect, order: judged.order } : world.open;
  return commit(actor, { ...world, open }, { commandId, command, input: JSON.stringify([command, raw]) }, judged, definition.reply);
}

/** The time of an armed timer has come, if not later. */
export function due(actor: AnyActor, world: World, name: string, moment: Pick<Moment, 'now'> = {}): readonly [World, Answer] {
  const armed = world.timers[name];
  if (!armed) throw new ActorFault(`no timer ${name} is armed; there are ${Object.keys(world.timers).join(', ') || 'none'}`);
  const now = Math.max(armed.at, moment.now ?? armed.at);
  return take(actor, world, armed.command, armed.input, { commandId: timerId(name, armed.seq), now });
}

/** Evidence, or its absence, about the open effect. */
export function settle(actor: AnyActor, world: World, evidence: Evidence, moment: Moment = {}): readonly [World, Answer] {
  const { open } = world;
  if (!open) throw new ActorFault('there is no open effect to settle');
  const definition = definitionOf(actor, open.command);
  const settle = definition.settle;
  if (!settle) throw new ActorFault(`${open.command} performs ${open.effect}, but has no settle`);
  const turn = turnOf(world, open.commandId, moment, []);
  const outcome = { effect: open.effect, order: open.order, ...evidence };
  const decision = pure(() => settle(frozen(world.state), outcome, turn), `settle of ${open.command}`);
  if ((decision.kind === 'doubt') !== (evidence.status === 'unknown'))
    throw new ActorFault(
      `settle of ${open.command} answered ${decision.kind} to ${evidence.status}; doubt is the answer to unknown, and only to it`,
    );
  const input = world.known.get(open.commandId)?.input ?? '';
  const after = { ...world, open: decision.kind === 'doubt' ? open : undefined };
  return commit(actor, after, { commandId: open.commandId, command: open.command, input }, decision, definition.reply);
}

function commit(
  actor: AnyActor,
  world: World,
  { commandId, command, input }: { readonly commandId: string; readonly command: string; readonly input: string },
  decision: Decision,
  reply: Schema,
): readonly [World, Answer] {
  const events = decision.events ?? [];
  const timers = timersAfter(actor, world, commandId, decision);
  const sets = decision.kind === 'accept' && decision.timers.length > 0;
  const next = { ...happened(actor, { ...world, seq: world.seq + (sets ? 1 : 0) }, events), timers };
  for (const [rule, holds] of Object.entries(actor.invariants ?? {}))
    if (!holds(next.state as never)) throw new ActorFault(`${command} broke the invariant "${rule}": ${JSON.stringify(next.state)}`);
  const answer = answerOf(actor, decision, command, reply);
  const status = answer.status === 'done' || answer.status === 'refused' ? answer.status : 'open';
  return [{ ...next, known: new Map(next.known).set(commandId, { command, status, input, answer }) }, answer];
}

/** As the runtime arms them: by an event before the turn's own; a timer whose command has an answer is not armed any more. */
function timersAfter(actor: AnyActor, world: World, commandId: string, decision: Decision): Timers {
  const own = armedAs(world.timers, commandId) && timerOf(commandId);
  const before = own ? without(world.timers, own.name) : world.timers;
  if (decision.kind !== 'accept' || decision.timers.length === 0) return before;
  const whose = { definition: actor as unknown as Held, address: `${actor.type}/${world.id}`, source: 'kit' };
  return pure(() => withTimers(whose, before, decision.timers, world.seq + 1).timers, 'arming');
}

function answerOf(actor: AnyActor, decision: Decision, command: string, reply: Schema): Answer {
  switch (decision.kind) {
    case 'accept':
      return {
        status: 'done',
        reply: parsed(reply, decision.reply, `reply of ${command}`),
        events: decision.events,
        timers: decision.timers,
      };
    case 'refuse': {
      if (decision.code !== 'IN_DOUBT_OPEN' && !actor.refusals.includes(decision.code))
        throw new ActorFault(`${command} refused with ${decision.code}, which is not among the refusals of ${actor.type}`);
      const detail = decision.detail === undefined ? undefined : { detail: decision.detail };
      return { status: 'refused', code: decision.code, ...detail, events: decision.events ?? [] };
    }
    case 'perform':
      if (!Object.hasOwn(actor.effects, decision.effect))
        throw new ActorFault(`${command} performs ${decision.effect}, which is not declared`);
      return { status: 'performs', effect: decision.effect, order: decision.order, events: decision.events };
    case 'doubt':
      return { status: 'in-doubt', events: decision.events };
  }
}

function turnOf(world: World, commandId: string, { now = 1_700_000_000_000, recalled = {} }: Moment, ids: readonly string[]): Turn {
  const found = new Map<string, Recalled>();
  for (const id of ids) {
    const known = world.known.get(id);
    const record = world.records.get(id);
    found.set(id, {
      ...(known && { command: known.command, status: known.status }),
      ...(record !== undefined && { record }),
      ...(Object.hasOwn(recalled, id) && recalled[id]),
    });
  }
  return { now, commandId, fence: { epoch: 1, seq: world.seq + 1 }, recalled: found };
}

function fold(actor: AnyActor, state: unknown, events: readonly Event[]): unknown {
  return events.reduce(
    (before, event) => pure(() => actor.evolve(frozen(before) as never, frozen(event) as never), `evolve of ${event.type}`),
    state,
  );
}

function definitionOf(actor: AnyActor, command: string): Definition {
  const definition = (actor.commands as Readonly<Record<string, Definition>>)[command];
  if (!definition) throw new ActorFault(`${actor.type} has no command ${command}; it has ${Object.keys(actor.commands).join(', ')}`);
  return definition;
}

function parsed(schema: Schema, value: unknown, what: string): unknown {
  const result = schema['~standard'].validate(value) as {
    readonly value?: unknown;
    readonly issues?: readonly { readonly message: string; readonly path?: readonly unknown[] }[];
  };
  if (!result.issues) return result.value;
  const issues = result.issues.map((it) => `${(it.path ?? []).join('.') || 'it'}: ${it.message}`).join('; ');
  throw new ActorFault(`the ${what} ${shown(value)} does not fit its schema: ${issues}`);
}

function pure<T>(run: () => T, what: string): T {
  try {
    return run();
  } catch (cause) {
    throw new ActorFault(`${what} threw: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** A pure function changes nothing that it was given: here it cannot. */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const it of Object.values(value)) frozen(it);
  return Object.freeze(value);
}
