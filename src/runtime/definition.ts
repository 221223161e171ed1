/** An actor with its handlers as the runtime holds it: types erased, checked once at start-up. */
import type { Accept, Bound, Doubt, Handler, Perform, Refuse, Schema, SettledRefusal, Turn } from '../actor.ts';
import { type Fault, fault, LocusError, sentence } from '../errors.ts';

export type EventData = { readonly type: string };
export type AnyOutcome =
  | { readonly effect: string; readonly order: unknown; readonly status: 'confirmed'; readonly result: unknown }
  | { readonly effect: string; readonly order: unknown; readonly status: 'failed'; readonly code: string }
  | { readonly effect: string; readonly order: unknown; readonly status: 'unknown' };
type AnyEffects = Readonly<Record<string, { readonly timeoutMs: number }>>;
type AnyPerform = Perform<EventData, Record<string, { readonly timeoutMs: number; readonly '~order'?: (order: unknown) => void }>>;
export type CommandShape = {
  readonly input: Schema<unknown>;
  readonly reply: Schema<unknown>;
  readonly lane?: 'customer' | 'bulk';
  readonly present?: boolean;
  readonly recall?: (input: unknown, commandId: string) => readonly string[];
  readonly decide: (state: unknown, input: unknown, turn: Turn) => Accept<EventData, unknown> | Refuse<string> | AnyPerform;
  readonly settle?: (
    state: unknown,
    outcome: AnyOutcome,
    turn: Turn,
  ) => Accept<EventData, unknown> | Refuse<string> | SettledRefusal<EventData, string> | Doubt<EventData>;
};
export type Definition = {
  readonly type: string;
  readonly version: number;
  readonly initial: (id: string) => unknown;
  readonly evolve: (state: unknown, event: EventData) => unknown;
  readonly effects: AnyEffects;
  readonly refusals: readonly string[];
  readonly commands: Readonly<Record<string, CommandShape>>;
  readonly queries: Readonly<Record<string, (state: unknown) => unknown>>;
  readonly records?: {
    readonly keepMs: number;
    readonly of: (event: EventData) => readonly { readonly commandId: string; readonly value: unknown }[];
  };
  readonly invariants?: Readonly<Record<string, (state: unknown) => boolean>>;
  readonly limits?: { readonly mailbox?: number; readonly idleMs?: number; readonly attempts?: number };
  readonly upcast?: Readonly<Record<number, (event: unknown) => EventData>>;
  readonly migrate?: Readonly<Record<number, (state: unknown) => unknown>>;
  readonly handlers: Readonly<Record<string, Handler<unknown, unknown>>>;
};
export type Definitions = ReadonlyMap<string, Definition>;

const NAME = /^[a-z][A-Za-z0-9-]{0,63}$/;
const TYPE = /^[a-z][a-z0-9-]{0,31}$/;
/** Paths of the HTTP API that a query must not hide. */
const RESERVED = 'commands';

/** All faults of all actors at once, as ACTOR_INVALID. */
export function definitions(bounds: readonly Bound[]): Definitions {
  const known = new Map<string, Definition>();
  const faults: Fault[] = [];
  for (const bound of bounds) {
    const definition = { ...bound.actor, handlers: bound.handlers } as unknown as Definition;
    const bad = (field: string, value: unknown, rule: string) =>
      faults.push(fault('ACTOR_INVALID', `${definition.type}.${field}`, value, rule));
    if (!TYPE.test(definition.type)) bad('type', definition.type, 'must match [a-z][a-z0-9-]{0,31}');
    if (known.has(definition.type)) bad('type', definition.type, 'is defined twice');
    if (!Number.isSafeInteger(definition.version) || definition.version < 1)
      bad('version', definition.version, 'must be an integer of 1 or more');
    check(definition, bad);
    known.set(definition.type, definition);
  }
  if (faults.length > 0) throw new LocusError('ACTOR_INVALID', faults.map(sentence).join('; '), { faults });
  return known;
}

function check(definition: Definition, bad: (field: string, value: unknown, rule: string) => void): void {
  const effects = Object.entries(definition.effects);
  for (const [name, { timeoutMs }] of effects) {
    if (!(timeoutMs > 0)) bad(`effects.${name}.timeoutMs`, timeoutMs, 'must be more than 0');
    const handler = definition.handlers[name];
    if (typeof handler?.run !== 'function' || typeof handler.probe !== 'function')
      bad(`effects.${name}`, handler, 'has no handler with run and probe');
  }
  for (const [name, command] of Object.entries(definition.commands)) {
    if (!NAME.test(name)) bad(`commands.${name}`, name, `must match ${NAME.source}`);
    for (const schema of ['input', 'reply'] as const)
      if (typeof command[schema]?.['~standard']?.validate !== 'function')
        bad(`commands.${name}.${schema}`, command[schema], 'must be a Standard Schema');
  }
  // decide is opaque: an actor with effects must have at least one command that can settle them.
  if (effects.length > 0 && !Object.values(definition.commands).some((command) => command.settle !== undefined))
    bad('effects', Object.keys(definition.effects), 'no command has a settle');
  for (const name of Object.keys(definition.queries)) if (name === RESERVED) bad(`queries.${name}`, name, 'is reserved');
}

/** The longest any effect may take, ms. */
export const longestEffectMs = (known: Definitions): number =>
  Math.max(0, ...[...known.values()].flatMap((it) => Object.values(it.effects).map((effect) => effect.timeoutMs)));

export type Checked = { readonly value: unknown } | { readonly faults: readonly Fault[] };
/** Checks an input; the schema's output is what `decide` gets. */
export function checkInput(command: CommandShape, input: unknown): Checked {
  const result = command.input['~standard'].validate(input);
  if (result instanceof Promise) throw new LocusError('ACTOR_INVALID', 'an input schema must validate synchronously');
  if (result.issues === undefined) return { value: result.value };
  return { faults: result.issues.map((issue) => inputFault(input, issue)) };
}

/** The same by the command's name, which this version of the actor may not have. */
export function checkCommand({ type, commands }: Definition, name: string, input: unknown): Checked {
  const shape = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (shape !== undefined) return checkInput(shape, input);
  return { faults: [fault('COMMAND_UNKNOWN', 'command', name, `${type} has the commands ${Object.keys(commands).join(', ')}`)] };
}

function inputFault(
  input: unknown,
  issue: { readonly message: string; readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined },
): Fault {
  const path = (issue.path ?? []).map((step) => (typeof step === 'object' ? step.key : step));
  const value = path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined),
    input,
  );
  return fault('INPUT_INVALID', ['input', ...path.map(String)].join('.'), value, issue.message);
}
