/** One step of one location, what is known of a commandId through it, and the laws that each store holds and asks of its callers. */
import type { EventText } from './envelope.ts';

/** What is durably known of one commandId. The first line of `text` is JSON, with the time by which its age is judged as `t` (ms). */
export type Entry = { readonly status: EntryStatus; readonly hash: string; readonly text: string };
export type EntryStatus = 'inboxed' | 'open' | 'parked' | 'done' | 'refused';

/** What may follow what; done and refused are final. */
const next: Readonly<Record<EntryStatus, readonly EntryStatus[]>> = {
  inboxed: ['open', 'parked', 'done', 'refused'],
  open: ['open', 'done', 'refused'],
  parked: ['parked', 'open', 'done', 'refused'],
  done: [],
  refused: [],
};
export const mayFollow = (status: EntryStatus, before: EntryStatus): boolean => next[before].includes(status);

/** Single header fields of a location, all JSON text; the absent ones were never set or were cleared. */
export type Header = {
  readonly state?: string;
  /** The open intent. */
  readonly intent?: string;
  readonly parked?: string;
  readonly frozen?: string;
  readonly paused?: string;
  readonly timers?: string;
};

/** How many events, entries, records and unrecorded ids together one change may hold: what one Lua call can write. */
export const CHANGE_MAX = 3_000;
/**
 * One atomic step of one location: all of it or nothing. `seq` is the location's before it; its events are seq + 1, seq + 2 and so on.
 * A header value of `''` clears the field. A commandId stands once. `published` raises, never lowers. Under the ids of `unrecorded` no
 * record stood when the change was made up: one that stands there refuses it.
 */
export type Change = {
  readonly seq: number;
  readonly unrecorded: readonly string[];
  readonly events: readonly EventText[];
  readonly entries: readonly (Entry & { readonly commandId: string })[];
  readonly records: readonly { readonly commandId: string; readonly text: string }[];
  readonly header: Header;
  readonly published?: number;
};

/** Throws RangeError: its maker broke a promise, so that no store must take it. */
export function assertHash({ hash }: Entry): void {
  if (hash.length !== 43) throw new RangeError(`the hash of an entry has ${hash.length} characters: it is SHA-256 in base64url, 43`);
}

export function assertChange(change: Change): void {
  const size = change.unrecorded.length + change.events.length + change.entries.length + change.records.length;
  if (size > CHANGE_MAX) throw new RangeError(`a change of ${size} ids, events and records: at most ${CHANGE_MAX}, split it`);
  change.entries.forEach(assertHash);
  change.events.forEach((event, i) => {
    if (event.seq !== change.seq + i + 1) throw new RangeError(`event ${i} of a change at seq ${change.seq} has seq ${event.seq}`);
  });
  // Most changes have one entry or two.
  if (change.entries.length > 1 && new Set(change.entries.map((it) => it.commandId)).size !== change.entries.length)
    throw new RangeError('a commandId stands twice in a change');
}
