/** A location's timers as data: what is armed, by which commandId it fires, and what an author may set. */
import type { Timer } from '../actor.ts';
import { sentence } from '../errors.ts';
import type { Address } from '../message/address.ts';
import { decode, encodeCommand, hashOf, VALUE_MAX_BYTES } from '../message/codec.ts';
import type { Command } from '../message/envelope.ts';
import { checkCommand, type Definition } from './definition.ts';

/** `seq` is that of the event that armed it, `at` ms since the epoch. */
export type Armed = { readonly seq: number; readonly at: number; readonly command: string; readonly input: unknown };
/** By name: what waits for its time, or for the turn of its record. */
export type Timers = Readonly<Record<string, Armed>>;
export const NO_TIMERS: Timers = {};
export const timersIn = (text: string | undefined): Timers => (text === undefined ? NO_TIMERS : (JSON.parse(text) as Timers));

/** All of them are one field that is written anew with each change. */
const TIMERS_MAX = 256;
const TEXT_MAX = VALUE_MAX_BYTES;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const ID = /^~timer\/([A-Za-z0-9][A-Za-z0-9._-]{0,63})\/([1-9]\d{0,15})$/;
/** What `Date` can say. */
const TIME_MAX_MS = 8.64e15;

export const timerId = (name: string, seq: number): string => `~timer/${name}/${seq}`;
/** The timer that a commandId speaks of, if it is one of a timer. */
export function timerOf(commandId: string): { readonly name: string; readonly seq: number } | undefined {
  // Asked several times of every command, and hardly ever of a timer's.
  if (!commandId.startsWith('~')) return undefined;
  const [, name, seq] = ID.exec(commandId) ?? [];
  return name === undefined ? undefined : { name, seq: Number(seq) };
}

/** What is armed under this commandId; undefined: nothing, or by another turn. */
export function armedAs(timers: Timers, commandId: string): Armed | undefined {
  const timer = timerOf(commandId);
  const armed = timer !== undefined && Object.hasOwn(timers, timer.name) ? timers[timer.name] : undefined;
  return armed?.seq === timer?.seq ? armed : undefined;
}
/** Is this record what the armed timer would send: name, seq, command and input? */
export function isArmed(timers: Timers, command: Command): boolean {
  const armed = armedAs(timers, command.commandId);
  return armed !== undefined && hashOf(`${command.type}.${armed.command}`, armed.input) === command.hash;
}

export function without(timers: Timers, name: string): Timers {
  const { [name]: _, ...rest } = timers;
  return rest;
}

/** What stands in the event of a turn that set timers. */
export type TimersSet = { readonly timers: readonly Timer[] };

type Whose = { readonly definition: Definition; readonly address: Address; readonly source: string };
/** The timers after a turn asked for these, armed by the event at `seq`. Throws, for the author, what could never fire. */
export function withTimers(
  whose: Whose,
  before: Timers,
  asked: readonly Timer[],
  seq: number,
): { readonly timers: Timers; readonly set: TimersSet } {
  let timers = before;
  const set: Timer[] = [];
  for (const { name, at, command, input } of asked) {
    const bad = (field: string, rule: string) => new Error(`timer ${JSON.stringify(name)}: ${field} ${rule}`);
    if (!NAME.test(name)) throw bad('its name', `must match ${NAME.source}`);
    if (set.some((other) => other.name === name)) throw bad('its name', 'stands twice in one turn');
    timers = without(timers, name);
    if (at === null) {
      set.push({ name, at, command, input: null });
      continue;
    }
    if (!Number.isSafeInteger(at) || at < 0 || at > TIME_MAX_MS) throw bad('at', `is ${at}: must be whole ms since the epoch, or null`);
    const kept = sendable(whose, { name, at, command, input }, bad);
    set.push({ name, at, command, input: kept });
    timers = { ...timers, [name]: { seq, at, command, input: kept } };
  }
  const count = Object.keys(timers).length;
  if (count > TIMERS_MAX) throw new Error(`${count} timers are armed: a location may have ${TIMERS_MAX}`);
  const size = JSON.stringify(timers).length;
  if (size > TEXT_MAX) throw new Error(`the timers armed take ${size} characters: all of a location together may take ${TEXT_MAX}`);
  return { timers, set: { timers: set } };
}

/** The input as its record will carry it. Its record is read here as delivery will read it: what would not pass must never be armed. */
function sendable(
  { definition, address, source }: Whose,
  { name, at, command, input }: Timer & { readonly at: number },
  bad: (field: string, rule: string) => Error,
): unknown {
  const { key, value } = recordOf(address, name, { seq: Number.MAX_SAFE_INTEGER, at, command, input }, source);
  const read = decode({ key: Buffer.from(key), value: Buffer.from(value), headers: {}, appendedMs: 0 }, 'customer');
  if ('code' in read) throw bad('its record', `cannot be sent: ${sentence(read)}`);
  const checked = checkCommand(definition, command, read.input);
  if ('faults' in checked) throw bad(`its command ${JSON.stringify(command)}:`, checked.faults.map(sentence).join('; '));
  return read.input;
}

/** The record that a due timer sends. */
export const recordOf = (address: Address, name: string, { seq, at, command, input }: Armed, source: string) =>
  encodeCommand({ address, name: command, commandId: timerId(name, seq), input, source, time: new Date(at).toISOString() });

/** As an operator sees them, soonest first. */
export const shownTimers = (timers: Timers | undefined) =>
  Object.entries(timers ?? {})
    .sort(([, a], [, b]) => a.at - b.at)
    .map(([name, { seq, at, command, input }]) => ({
      name,
      at: new Date(at).toISOString(),
      command,
      input,
      commandId: timerId(name, seq),
    }));
