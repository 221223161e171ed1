/** `locus dead-letters`: what could never run, why, and how it is sent again once its cause is mended. */
import type { LogMessage, LogRecord } from '../ports.ts';
import { type Format, type Said, usage } from './ask.ts';
import { EXIT, Failure } from './client.ts';
import type { Reader } from './events.ts';
import { type Column, details, type Row, table } from './print.ts';

export type Letter = {
  /** Where it lies: `partition:offset`. */
  readonly id: string;
  readonly reason: string;
  readonly error: string;
  readonly attempts: string;
  /** Where it came from. */
  readonly topic: string;
  readonly partition: string;
  readonly offset: string;
  readonly key: string | null;
  readonly appended: string;
  readonly failed: string;
  readonly record: LogRecord;
};
export type Asked = {
  readonly read: Reader;
  readonly topic: string;
  readonly format: Format;
  /** `partition:offset`; none: all that `where` allows. */
  readonly ids: readonly string[];
  readonly where: readonly string[];
  readonly max: number;
};
export type Replaying = {
  /** Topics that commands are read from: a letter goes back to one of them, and nowhere else. */
  readonly lanes: readonly string[];
  readonly dryRun: boolean;
  /** The operator states that what is STALE never ran. */
  readonly neverRan: boolean;
  readonly send: (topic: string, message: LogMessage) => Promise<void>;
};

const COLUMNS: readonly Column[] = [
  ['ID', (row) => row.id],
  ['REASON', (row) => row.reason],
  ['KEY', (row) => row.key],
  ['FROM', (row) => `${row.topic}/${row.partition}@${row.offset}`],
  ['FAILED', (row) => row.failed],
];

export async function listLetters(asked: Asked): Promise<Said> {
  const { letters, note } = await found(asked);
  const rows = letters.map(row);
  const none = `no dead letter ${asked.where.length > 0 ? `of ${asked.where.join(' and ')} ` : ''}is on ${asked.topic}`;
  const text = asked.format === 'json' ? JSON.stringify({ letters: rows }) : rows.length === 0 ? none : table(COLUMNS, rows);
  return { text, ...note };
}

export async function showLetter(asked: Asked): Promise<Said> {
  const [letter] = (await found(asked)).letters;
  if (letter === undefined) throw new Failure(EXIT.failed, `there is no dead letter ${asked.ids.join(', ')} on ${asked.topic}`);
  const { headers, value } = letter.record;
  const own = Object.entries(headers).flatMap(([name, it]) => (it === undefined || isOurs(name) ? [] : [[name, textOf(it)]]));
  const whole = { ...row(letter), headers: Object.fromEntries(own) as Row, value: value === null ? null : textOf(value) };
  return { text: asked.format === 'json' ? JSON.stringify(whole) : details(whole) };
}

/** One after the other: letters of one location go back in the order in which they came. */
export async function replayLetters(asked: Asked, replaying: Replaying): Promise<Said> {
  if (asked.ids.length === 0 && asked.where.length === 0)
    throw usage('name letters by their ID, or by --where: all of them at once is seldom meant');
  const { letters, note } = await found(asked);
  const rows: Row[] = [];
  for (const letter of letters) {
    const refused = refusal(letter, replaying);
    if (refused === undefined && !replaying.dryRun) await replaying.send(letter.topic, again(letter, replaying.neverRan));
    rows.push({ ...row(letter), result: refused ?? (replaying.dryRun ? 'would be sent' : 'sent'), isRefused: refused !== undefined });
  }
  const exit = letters.length === 0 || rows.some((it) => it.isRefused) ? EXIT.failed : EXIT.done;
  const told = rows.map(({ isRefused: _, ...it }) => it);
  const columns: readonly Column[] = [...COLUMNS.slice(0, 3), ['RESULT', (it) => it.result]];
  const text = told.length === 0 ? 'nothing to replay' : table(columns, told);
  return { text: asked.format === 'json' ? JSON.stringify({ letters: told }) : text, exit, ...note };
}

/** Why it must not be sent again, in words. */
function refusal({ reason, topic, record }: Letter, { lanes, neverRan }: Replaying): string | undefined {
  if (topic === '') return 'refused: it does not say which topic it came from';
  if (!lanes.includes(topic)) return `refused: it came from ${topic}, and commands are read from ${lanes.join(', ')}`;
  if (record.value === null && reason === 'CODEC_UNSUPPORTED') return 'refused: nobody could read it, so that nothing is here to send';
  if (reason === 'STALE' && !neverRan) return 'refused: it may have run before its id was forgotten; --never-ran states that it did not';
  return undefined;
}

/**
 * As it was, in the same order of headers. It keeps its age: when it is replayed a second time after its id was forgotten, it is STALE and
 * does not run twice. What never ran gets a new one.
 */
function again({ appended, record }: Letter, neverRan: boolean): LogMessage {
  const headers: Record<string, Uint8Array | string> = {};
  for (const [name, value] of Object.entries(record.headers)) if (value !== undefined && !isOurs(name)) headers[name] = value;
  if (neverRan) delete headers.locus_appended;
  else if (headers.locus_appended === undefined && appended !== '') headers.locus_appended = appended;
  return { key: record.key, value: record.value, headers };
}

const isOurs = (header: string): boolean => header.startsWith('dlq_');
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const row = ({ record: _, ...rest }: Letter): Row => rest;

// ── Finding them ─────────────────────────────────────────────────────────────────────────────────────────────────────

const FIELDS = ['reason', 'key', 'topic'] as const;
type Condition = (letter: Letter) => boolean;

function conditionOf(text: string): Condition {
  const cut = text.indexOf('=');
  const field = FIELDS.find((name) => name === text.slice(0, cut));
  if (cut < 1 || field === undefined) throw usage(`--where is "${text}": must be one of ${FIELDS.join('=…, ')}=…`);
  return (letter) => letter[field] === text.slice(cut + 1);
}
function placeIn(id: string): readonly [partition: number, offset: number] {
  const [, partition, offset] = /^(\d{1,9}):(\d{1,15})$/.exec(id) ?? [];
  if (partition === undefined) throw usage(`ID is "${id}": must be partition:offset, as \`locus dead-letters ls\` names it`);
  return [Number(partition), Number(offset)];
}

/** The oldest `max` of each partition are kept while reading, so that a long topic fits into memory; then the oldest of all. */
async function found({ read, topic, ids, where, max }: Asked): Promise<{ readonly letters: readonly Letter[]; readonly note?: object }> {
  const conditions = where.map(conditionOf);
  const wanted = new Set(ids);
  const among = new Set(ids.map(placeIn).map(([partition]) => partition));
  const kept = new Map<number, Letter[]>();
  const take = (record: LogRecord) => {
    const letter = letterIn(record);
    if ((wanted.size > 0 && !wanted.has(letter.id)) || !conditions.every((it) => it(letter))) return;
    const mine = kept.get(record.partition) ?? [];
    kept.set(record.partition, mine);
    if (mine.length <= max) mine.push(letter);
  };
  await read({ topic, take, ...(among.size === 0 ? {} : { among: (count: number) => [...among].filter((it) => it < count) }) });
  const order = (a: Letter, b: Letter) =>
    a.record.appendedMs - b.record.appendedMs || a.record.partition - b.record.partition || a.record.offset - b.record.offset;
  const all = [...kept.values()].flat().sort(order);
  return { letters: all.slice(0, max), ...(all.length > max ? { note: { note: `only the first ${max}: see --max` } } : {}) };
}

function letterIn(record: LogRecord): Letter {
  const header = (name: string) => {
    const value = record.headers[`dlq_${name}`];
    return value === undefined ? '' : textOf(value);
  };
  return {
    id: `${record.partition}:${record.offset}`,
    reason: header('reason'),
    error: header('error'),
    attempts: header('attempts'),
    topic: header('topic'),
    partition: header('partition'),
    offset: header('offset'),
    key: record.key === null ? null : textOf(record.key),
    appended: header('timestamp'),
    failed: header('failed_at'),
    record,
  };
}
