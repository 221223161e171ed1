/** Records, events and entries read from their text alone: shares no code with the program that the checkers judge. */
import { hash as digest } from 'node:crypto';

export type Json = Readonly<Record<string, unknown>>;
export type Fence = { readonly epoch: number; readonly seq: number };
/** A record as it lies on a topic. */
export type Raw = {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, Uint8Array | undefined>>;
};
export type EventFact = {
  readonly id: string;
  readonly address: string;
  readonly seq: number;
  readonly epoch: number;
  readonly commandId: string;
  /** Without the actor's type. */
  readonly type: string;
  /** Wall time of whoever wrote it, ms. */
  readonly timeMs: number;
  readonly data: Json;
  /** As a fold takes it. */
  readonly event: { readonly type: string } & Json;
  /** The outcome that stands on the last event of a turn, and the hash of the payload. */
  readonly reply: string | undefined;
  readonly input: string | undefined;
};
export type CommandFact = {
  readonly address: string;
  readonly commandId: string;
  readonly name: string;
  readonly input: Json;
  readonly hash: string;
  /** `address commandId hash`: the same for all that are one command. */
  readonly key: string;
  readonly deadlineMs: number | undefined;
  readonly ifSeq: unknown;
};

type Texts = readonly { readonly text: string }[];
let lastTexts: Texts | undefined;
let lastFacts: readonly EventFact[] = [];
/** The events of a commit. All checkers hear of it one after the other, so that it is read once. */
export function eventFacts(events: Texts): readonly EventFact[] {
  if (events !== lastTexts) {
    lastFacts = events.map(({ text }) => eventOf(text));
    lastTexts = events;
  }
  return lastFacts;
}
let lastRecord: Raw | undefined;
let lastFact: { readonly said: string; readonly event: EventFact } | undefined;
/** A record of the events topic: what it says, word for word, and what that means. Read once, as above. */
export function publishedFact(record: Raw): { readonly said: string; readonly event: EventFact } {
  if (record !== lastRecord || lastFact === undefined) {
    const said = text(record.value ?? new Uint8Array());
    lastFact = { said, event: eventOf(said) };
    lastRecord = record;
  }
  return lastFact;
}
const READ_MAX = 512;
const read = new Map<string, EventFact>();
/** An event is read when it is committed, and again when it is published, soon after and mostly in the same words: which then say the same. */
export function eventOf(text: string): EventFact {
  const known = read.get(text);
  if (known !== undefined) return known;
  const fact = eventIn(text);
  if (read.size >= READ_MAX) read.clear();
  read.set(text, fact);
  return fact;
}
function eventIn(text: string): EventFact {
  const it = JSON.parse(text) as Json;
  const named = String(it.type);
  const type = named.slice(named.indexOf('.') + 1);
  const data = (it.data ?? {}) as Json;
  return {
    id: String(it.id),
    address: String(it.subject),
    seq: Number(it.locusseq),
    epoch: Number(it.locusepoch),
    commandId: String(it.locuscommand),
    type,
    timeMs: Date.parse(String(it.time)),
    data,
    event: { ...data, type },
    reply: typeof it.locusreply === 'string' ? it.locusreply : undefined,
    input: typeof it.locusinput === 'string' ? it.locusinput : undefined,
  };
}

/** Events that the runtime writes for itself: they change no actor's state. */
const OWN = new Set([
  'Accepted',
  'Intended',
  'InDoubt',
  'Refused',
  'Parked',
  'TimersSet',
  'Operated',
  'Frozen',
  'EffectUnbooked',
  'EvidenceConflict',
]);
export const isOwn = ({ type }: EventFact): boolean => OWN.has(type);

const commands = new WeakMap<object, CommandFact | 'none'>();
/** Undefined: it names no command of any location, so a dead letter is all that can become of it. */
export function commandFact(raw: Raw): CommandFact | undefined {
  const known = commands.get(raw) ?? commandOf(raw) ?? 'none';
  commands.set(raw, known);
  return known === 'none' ? undefined : known;
}
function commandOf({ key, value, headers }: Raw): CommandFact | undefined {
  if (key === null || value === null) return undefined;
  const body = parsed(text(value));
  const isBinary = headers.ce_specversion !== undefined;
  if (body === undefined || (!isBinary && !isObject(body))) return undefined;
  const of = (name: string) => (headers[name] === undefined ? undefined : text(headers[name]));
  const it: Json = isBinary
    ? {
        id: of('ce_id'),
        type: of('ce_type'),
        subject: of('ce_subject'),
        data: body,
        locusdeadline: of('locus_deadline'),
        locusifseq: of('locus_if_seq'),
      }
    : (body as Json);
  const address = text(key);
  if (typeof it.id !== 'string' || typeof it.type !== 'string' || it.subject !== address || it.data === undefined) return undefined;
  const hash = hashOf(it.type, it.data);
  return {
    address,
    commandId: it.id,
    name: it.type.slice(it.type.indexOf('.') + 1),
    input: it.data as Json,
    hash,
    key: `${address} ${it.id} ${hash}`,
    deadlineMs: typeof it.locusdeadline === 'string' ? Date.parse(it.locusdeadline) : undefined,
    ifSeq: it.locusifseq,
  };
}

/** RFC 8785 for what stands in commands here: objects sorted by name, numbers and strings as JSON.stringify prints them. */
const canonical = (it: unknown): string => {
  if (Array.isArray(it)) return `[${it.map(canonical).join(',')}]`;
  if (!isObject(it)) return JSON.stringify(it) ?? 'null';
  const names = Object.keys(it).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(it[name])}`).join(',')}}`;
};
export const hashOf = (type: string, input: unknown): string => digest('sha256', canonical({ input, type }), 'base64url');

export const placeOf = ({ topic, partition, offset }: Pick<Raw, 'topic' | 'partition' | 'offset'>): string =>
  `${topic}/${partition}/${offset}`;
/** The record that a dead letter came from, and why it is one. */
export function letterFact({ headers }: Raw): { readonly of: string; readonly reason: string } {
  const at = (name: string) => text(headers[`dlq_${name}`] ?? new Uint8Array());
  return { of: `${at('topic')}/${at('partition')}/${at('offset')}`, reason: at('reason') };
}

/** The first line of an entry are the runtime's facts, what follows is the outcome as its caller gets it. */
export function entryFact(entry: string): { readonly t: number; readonly outcome: string } {
  const cut = entry.indexOf('\n');
  const { t } = JSON.parse(cut < 0 ? entry : entry.slice(0, cut)) as { readonly t: number };
  return { t, outcome: cut < 0 ? '' : entry.slice(cut + 1) };
}
export const isFinal = (status: string): boolean => status === 'done' || status === 'refused';

export const text = (bytes: Uint8Array): string =>
  (bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString('utf8');
export const isObject = (it: unknown): it is Json => typeof it === 'object' && it !== null && !Array.isArray(it);
export const above = (a: Fence, b: Fence): boolean => a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq);
export const show = (it: unknown): string => {
  const said = JSON.stringify(it) ?? String(it);
  return said.length > 300 ? `${said.slice(0, 300)}…` : said;
};

function parsed(it: string): unknown {
  try {
    return JSON.parse(it);
  } catch {
    return undefined;
  }
}

/** Equal as JSON: a field that is undefined is absent, the order of fields does not count. */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b) || a === b) return true;
  if (Array.isArray(a) || Array.isArray(b))
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((it, n) => same(it, b[n]));
  if (!isObject(a) || !isObject(b)) return false;
  // Not for…in: it is several times slower where names are numbers, as denominations are.
  for (const name of Object.keys(a)) if (!same(a[name], b[name])) return false;
  for (const name of Object.keys(b)) if (b[name] !== undefined && a[name] === undefined) return false;
  return true;
}
