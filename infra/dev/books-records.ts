/** Records of the topics and lines of the device's journal, read from their bytes alone: shares no code with the program it checks. */
import { hash } from 'node:crypto';

/** A record as it lies on a topic. */
export type Raw = {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly appendedMs: number;
};
/** Counts by denomination. */
export type Notes = Readonly<Record<string, number>>;
type Json = Readonly<Record<string, unknown>>;

export type CommandFact = {
  readonly address: string;
  readonly commandId: string;
  readonly name: string;
  readonly input: Json;
  readonly hash: string;
  readonly appendedMs: number;
};
export type EventFact = {
  readonly address: string;
  readonly seq: number;
  readonly epoch: number;
  readonly commandId: string;
  /** Without the actor's type. */
  readonly type: string;
  readonly timeMs: number;
  readonly data: Json;
  /** The outcome that stands on the last event of a turn. */
  readonly outcome: Outcome | undefined;
  readonly inputHash: string | undefined;
  readonly text: string;
};
export type Outcome = { readonly status: string; readonly reply?: Json; readonly code?: string };
export type Move = {
  readonly address: string;
  readonly commandId: string;
  readonly currency: string;
  readonly ordered: Notes;
  readonly notes: Notes;
  readonly retracted: Notes;
  readonly rejected: Notes;
};

const TYPE = 'cash-location';
const INPUTS: Readonly<Record<string, (input: Json) => boolean>> = {
  load: (it) => only(it, 'currency', 'cassettes') && isCurrency(it.currency) && areCassettes(it.cassettes),
  count: (it) => only(it, 'currency', 'cassettes') && isCurrency(it.currency) && areCassettes(it.cassettes),
  dispense: (it) => only(it, 'amount', 'currency', 'account', 'card') && isCurrency(it.currency) && isCount(it.amount) && it.amount > 0,
  reverse: (it) => only(it, 'commandId', 'reason') && typeof it.commandId === 'string',
  open: (it) => only(it),
  close: (it) => only(it, 'reason'),
};

const only = (it: Json, ...names: string[]): boolean => Object.keys(it).every((name) => names.includes(name));
const isCurrency = (it: unknown): boolean => typeof it === 'string' && /^[A-Z]{3}$/.test(it);
const isCount = (it: unknown): it is number => Number.isSafeInteger(it) && (it as number) >= 0;
const isObject = (it: unknown): it is Json => typeof it === 'object' && it !== null && !Array.isArray(it);
const areCassettes = (it: unknown): boolean =>
  Array.isArray(it) && it.length > 0 && it.every((one) => isObject(one) && isCount(one.count) && isCount(one.denomination));

/** A record as a command, or why it can be none. Knows both CloudEvents modes. */
export function commandFact(raw: Raw): CommandFact | { readonly bad: string } {
  if (raw.key === null || raw.value === null) return { bad: 'no key or no value' };
  const value = parsed(raw.value);
  if (value === undefined) return { bad: 'no JSON' };
  const isBinary = raw.headers.ce_specversion !== undefined;
  if (!isBinary && !isObject(value)) return { bad: 'no envelope' };
  const envelope = isBinary ? fromHeaders(raw.headers, value) : (value as Json);
  const { id, type, subject, data } = envelope;
  if (envelope.specversion !== '1.0' || typeof id !== 'string' || id === '') return { bad: 'no id' };
  if (subject !== raw.key || !raw.key.startsWith(`${TYPE}/`)) return { bad: 'key and subject differ, or not a cash location' };
  const name = typeof type === 'string' && type.startsWith(`${TYPE}.`) ? type.slice(TYPE.length + 1) : '';
  const fits = Object.hasOwn(INPUTS, name) ? INPUTS[name] : undefined;
  if (fits === undefined) return { bad: 'unknown command' };
  if (!isObject(data) || !fits(data)) return { bad: 'unfit input' };
  return { address: raw.key, commandId: id, name, input: data, hash: hashOf(type as string, data), appendedMs: raw.appendedMs };
}

const fromHeaders = (headers: Raw['headers'], data: unknown): Json => ({
  specversion: headers.ce_specversion,
  id: headers.ce_id,
  type: headers.ce_type,
  subject: headers.ce_subject,
  data,
});

/** RFC 8785 for what stands in commands here: objects sorted by name, numbers and strings as JSON.stringify prints them. */
const canonical = (it: unknown): string => {
  if (Array.isArray(it)) return `[${it.map(canonical).join(',')}]`;
  if (!isObject(it)) return JSON.stringify(it);
  const names = Object.keys(it).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(it[name])}`).join(',')}}`;
};
export const hashOf = (type: string, input: unknown): string => hash('sha256', canonical({ input, type }), 'base64url');

export function eventFact(raw: Raw): EventFact | { readonly bad: string } {
  const it = raw.value === null ? undefined : parsed(raw.value);
  if (!isObject(it) || raw.value === null) return { bad: 'no JSON' };
  const { subject, locusseq: seq, locusepoch: epoch, locuscommand: commandId, type, data, time, id } = it;
  if (subject !== raw.key || typeof subject !== 'string' || !isCount(seq) || !isCount(epoch))
    return { bad: 'subject, seq or epoch is unfit' };
  if (id !== `${subject}:${seq}` || typeof type !== 'string' || typeof commandId !== 'string' || !isObject(data))
    return { bad: 'unfit id or data' };
  const reply = typeof it.locusreply === 'string' ? parsed(it.locusreply) : undefined;
  return {
    address: subject,
    seq,
    epoch,
    commandId,
    type: type.slice(type.indexOf('.') + 1),
    timeMs: Date.parse(String(time)),
    data,
    outcome: isObject(reply) ? (reply as unknown as Outcome) : undefined,
    inputHash: typeof it.locusinput === 'string' ? it.locusinput : undefined,
    text: raw.value,
  };
}

/** What moved, from the journal's lines; a last line without its newline was torn and never happened. */
export function movesOf(journal: string): readonly Move[] {
  const lines = journal.split('\n').slice(0, -1);
  return lines
    .map((line) => JSON.parse(line) as Json)
    .filter((line) => line.kind === 'moved')
    .map((line) => ({ ...(line as unknown as Move), address: `${TYPE}/${String(line.location)}` }));
}

export const placeOf = (raw: Pick<Raw, 'topic' | 'partition' | 'offset'>): string => `${raw.topic}/${raw.partition}/${raw.offset}`;
/** The record that a dead letter came from. */
export const originOf = ({ headers }: Raw): string => `${headers.dlq_topic}/${headers.dlq_partition}/${headers.dlq_offset}`;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const worth = (notes: Notes): number =>
  Object.entries(notes).reduce((sum, [denomination, count]) => sum + Number(denomination) * count, 0);
export const sameNotes = (a: Notes, b: Notes): boolean => Object.values(minus(a, b)).every((count) => count === 0);
export const minus = (a: Notes, b: Notes): Notes =>
  Object.fromEntries([...new Set([...Object.keys(a), ...Object.keys(b)])].map((name) => [name, (a[name] ?? 0) - (b[name] ?? 0)]));
