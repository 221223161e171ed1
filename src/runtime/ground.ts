/** The committed picture of one location: what a turn stands on, and how it is written down. */
import type { Fence } from '../actor.ts';
import { why } from '../errors.ts';
import type { Command } from '../message/envelope.ts';
import { member } from '../message/json.ts';
import type { Header, Located } from '../ports.ts';
import type { Definition } from './definition.ts';
import { type Timers, timersIn } from './timers.ts';

/** What the outside said happened. */
export type Evidence = { readonly status: 'confirmed'; readonly result: unknown } | { readonly status: 'failed'; readonly code: string };

/** The durable record that stands before an effect runs and until it is settled. */
export type Intent = {
  readonly commandId: string;
  readonly name: string;
  readonly hash: string;
  readonly effect: string;
  readonly order: unknown;
  /** The fence of the run: whoever asks about it later must carry a higher one. */
  readonly fence: Fence;
  /** What the outside called itself before the intent. */
  readonly witness?: string;
  /** Wall time of the intent, ms. */
  readonly sinceMs: number;
  readonly appendedMs: number;
  /** Set while in doubt: wall time since when, ms. */
  readonly doubtSinceMs?: number;
  /** Evidence that could not be booked; the location is frozen until it can. */
  readonly unbooked?: Evidence;
  readonly notify?: string;
  readonly traceparent?: string;
};
export type Parked = { readonly command: Command; readonly error: string; readonly attempts: number; readonly sinceMs: number };
export type Frozen = {
  readonly reason: 'INVARIANT' | 'EFFECT_UNBOOKED' | 'EVIDENCE_CONFLICT' | 'STORE_REGRESSED';
  readonly detail: string;
  readonly sinceMs: number;
};
export type Paused = { readonly because: string; readonly sinceMs: number };

export type Ground = {
  readonly state: unknown;
  /** Why the state cannot be read by this program; then there is none here. */
  readonly unreadable?: string;
  /** The version of the actor that wrote it. */
  readonly version: number;
  readonly seq: number;
  readonly intent?: Intent;
  readonly parked?: Parked;
  readonly frozen?: Frozen;
  readonly paused?: Paused;
  readonly timers: Timers;
};

/** Why customers and bulk do not move, if they do not. */
export const held = (ground: Ground): string | undefined => {
  if (ground.unreadable !== undefined) return ground.unreadable;
  if (ground.frozen !== undefined) return `frozen: ${ground.frozen.reason}`;
  if (ground.parked !== undefined) return `parked: ${ground.parked.command.commandId}`;
  if (ground.paused !== undefined) return `paused: ${ground.paused.because}`;
  return undefined;
};

/**
 * The state in a header, brought to the actor's present version, or why it cannot be: a later version wrote it, or `migrate`
 * throws. Such a location is held as it is until a program that can read it owns it.
 */
export function stateOf(
  definition: Definition,
  id: string,
  header: Header,
): ({ readonly state: unknown } | { readonly why: string }) & { readonly writtenBy: number } {
  const { type, version } = definition;
  // What was never written is as the first version had it.
  if (header.state === undefined) return { state: definition.initial(id), writtenBy: 1 };
  const stored = JSON.parse(header.state) as { readonly v: number; readonly s: unknown };
  const writtenBy = stored.v;
  if (writtenBy > version)
    return { writtenBy, why: `its state was written by version ${stored.v} of ${type}, this program has version ${version}` };
  let state = stored.s;
  for (let from = stored.v; from < version; from++)
    try {
      state = definition.migrate?.[from]?.(state) ?? state;
    } catch (error) {
      return { writtenBy, why: `its state cannot be brought from version ${from} of ${type} to ${from + 1}: ${why(error)}` };
    }
  return { state, writtenBy };
}

export const stateText = ({ version }: Definition, state: unknown): string => `{"v":${version}${member('s', state)}}`;

const parse = <T>(text: string | undefined): T | undefined => (text === undefined ? undefined : (JSON.parse(text) as T));

export function groundOf(definition: Definition, id: string, located: Located): Ground {
  const { header, seq } = located;
  const intent = parse<Intent>(header.intent);
  const parked = parse<Parked>(header.parked);
  const frozen = parse<Frozen>(header.frozen);
  const paused = parse<Paused>(header.paused);
  const read = stateOf(definition, id, header);
  return {
    ...('why' in read ? { state: undefined, unreadable: read.why } : { state: read.state }),
    version: read.writtenBy,
    seq,
    ...(intent === undefined ? {} : { intent }),
    ...(parked === undefined ? {} : { parked }),
    ...(frozen === undefined ? {} : { frozen }),
    ...(paused === undefined ? {} : { paused }),
    timers: timersIn(header.timers),
  };
}

/** Nothing there needs an owner before its next command or timer. */
export const rests = ({ seq, published, inbox, header }: Located): boolean =>
  published === seq &&
  inbox.customer + inbox.bulk === 0 &&
  [header.intent, header.parked, header.frozen, header.paused].every((text) => text === undefined);

/**
 * The text of a dedupe entry: facts for us, a line break, then the outcome exactly as its first caller got it. JSON text
 * holds no raw line break, so the first one divides.
 */
export type EntryFacts = {
  readonly c: string /** Newest of append and commit time, ms: ages are judged by it. */;
  readonly t: number;
  readonly doubt?: true;
};
export const entryText = ({ c, t, doubt }: EntryFacts, outcome: string): string =>
  `{"c":${JSON.stringify(c)},"t":${t}${doubt === true ? ',"doubt":true' : ''}}\n${outcome}`;
export function entryParts(text: string): { readonly facts: EntryFacts; readonly outcome: string } {
  const cut = text.indexOf('\n');
  return { facts: JSON.parse(cut < 0 ? text : text.slice(0, cut)) as EntryFacts, outcome: cut < 0 ? '' : text.slice(cut + 1) };
}
/** A record: when it was made, by which its age is judged, and what an actor keeps there. */
export const recordText = (t: number, v: unknown): string => `{"t":${t}${member('v', v)}}`;
export const recordOf = (text: string): unknown => (JSON.parse(text) as { readonly v: unknown }).v;
