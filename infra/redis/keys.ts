/** Where everything lies in Redis, and how one field holds an entry or an inbox item (see DESIGN.md for the whole layout). */
import type { Address } from '../../src/message/address.ts';
import type { Entry, EntryStatus, Header, Located, PartitionKey } from '../../src/ports.ts';

export const GENERATION = 'locus:generation';
export const LAYOUT = 'locus:layout';
export const REPLICAS = 'locus:replicas';
export const LIVES = 'locus:lives';

export type InboxLane = 'customer' | 'bulk';
export const locationKey = (address: Address): string => `l:${address}`;
export const inboxKey = (address: Address, lane: InboxLane): string => `x:inbox:${address}:${lane}`;
export const dirtyKey = (partition: number): string => `x:dirty:${partition}`;
export const canaryKey = ({ group, topic, partition }: PartitionKey): string => `c:${group}:${topic}:${partition}`;

export const entryField = (commandId: string): string => `d:${commandId}`;
export const recordField = (commandId: string): string => `r:${commandId}`;
export const eventField = (seq: number): string => `v:${seq}`;
export const inboxField = (lane: InboxLane, offset: number): string => `i:${lane}:${offset}`;

const HASH = 43;
const letters: Readonly<Record<EntryStatus, string>> = { inboxed: 'i', open: 'o', parked: 'p', done: 'd', refused: 'r' };
const statuses: ReadonlyMap<string, EntryStatus> = new Map(Object.entries(letters).map(([status, it]) => [it, status as EntryStatus]));

export const packEntry = ({ status, hash, text }: Entry): string => letters[status] + hash + text;
export function unpackEntry(packed: string): Entry {
  const status = statuses.get(packed.charAt(0));
  if (status === undefined) throw new Error(`an entry in Redis begins with ${packed.charAt(0)}`);
  return { status, hash: packed.slice(1, 1 + HASH), text: packed.slice(1 + HASH) };
}

export const packItem = (commandId: string, text: string): string => `${commandId}\n${text}`;
export function unpackItem(packed: string): { readonly commandId: string; readonly text: string } {
  const cut = packed.indexOf('\n');
  return { commandId: packed.slice(0, cut), text: packed.slice(cut + 1) };
}

/** Single header fields, in the order in which CLAIM and READ answer them. */
export const headerFields = { state: 'st', intent: 'x', parked: 'k', frozen: 'f', paused: 'pa', timers: 't' } as const satisfies Record<
  keyof Header,
  string
>;
const headerNames = Object.keys(headerFields) as readonly (keyof Header)[];
export const LOCATED_FIELDS = ['s', 'p', ...Object.values(headerFields)] as const;

type Found = readonly (string | null | undefined)[];
/** `found` are the values of LOCATED_FIELDS. An empty header field was cleared. */
export function unpackLocated(epoch: string, owner: string, found: Found, customer: number, bulk: number): Located {
  const header: { -readonly [K in keyof Header]: Header[K] } = {};
  headerNames.forEach((name, i) => {
    const text = found[i + 2];
    if (text) header[name] = text;
  });
  return { epoch: Number(epoch), owner, seq: Number(found[0] ?? 0), published: Number(found[1] ?? 0), header, inbox: { customer, bulk } };
}
