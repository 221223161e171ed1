/** Dead letters for a person: which there are and why, and sending one again once its cause is mended. */
import type { Acted, DeadLetter, LetterId, LettersAsked, LettersFound, Replaying, WholeLetter } from '../desk.ts';
import type { Archive, Log, LogMessage, LogRecord, LogWriter } from '../ports.ts';
import { LOOK_MAX } from './published.ts';

export type Letters = {
  readonly archive: Archive;
  readonly writer: Pick<LogWriter, 'command'>;
  readonly log: Log;
  readonly topic: string;
  /** Topics that commands are read from: a letter goes back to one of them, and nowhere else. */
  readonly lanes: readonly string[];
};

/** Partition after partition, in each the oldest first. */
export async function findLetters({ archive, topic }: Letters, { from, limit, where }: LettersAsked): Promise<LettersFound> {
  const bounds = await archive.bounds(topic);
  const letters: DeadLetter[] = [];
  let { partition, offset } = from;
  for (let seen = 0; partition < bounds.length; ) {
    const { low, high } = bounds[partition] ?? { low: 0, high: 0 };
    offset = Math.max(offset, low);
    const { records, next } = offset < high ? await archive.read({ topic, partition }, offset) : { records: [], next: offset };
    for (const record of records) {
      if (letters.length === limit || seen === LOOK_MAX) return { topic, letters, next: nameOf(record) };
      seen += 1;
      const letter = letterIn(record);
      if (Object.entries(where).every(([field, wanted]) => letter[field as keyof typeof where] === wanted)) letters.push(letter);
    }
    const isThrough = next >= high || next <= offset;
    [partition, offset] = isThrough ? [partition + 1, 0] : [partition, next];
  }
  return { topic, letters };
}

/** Undefined: there is none, or none any more. */
export async function findLetter(it: Letters, id: LetterId): Promise<WholeLetter | undefined> {
  const record = await recordAt(it, id);
  if (record === undefined) return undefined;
  const own = Object.entries(record.headers).flatMap(([name, value]) =>
    value === undefined || isOurs(name) ? [] : [[name, textOf(value)]],
  );
  return { ...letterIn(record), headers: Object.fromEntries(own), value: record.value === null ? null : textOf(record.value) };
}

/** Its commandId keeps it from taking effect twice, however often it is sent. */
export async function replayLetter(it: Letters, id: LetterId, replaying: Replaying): Promise<Acted> {
  const record = await recordAt(it, id);
  if (record === undefined) return { kind: 'refused', code: 'NOT_FOUND', why: `there is no dead letter ${nameOf(id)} on ${it.topic}` };
  const letter = letterIn(record);
  const { neverRan, dryRun, because } = replaying;
  const refused = refusal(letter, record, it.lanes, neverRan);
  if (refused !== undefined) return { kind: 'refused', code: 'CONFLICT', why: refused };
  if (!dryRun) {
    await it.writer.command(letter.topic, again(letter, record, neverRan));
    it.log.warn({ letter: letter.id, reason: letter.reason, neverRan, because }, 'an operator replayed a dead letter');
  }
  return { kind: 'acted', text: JSON.stringify({ ...letter, result: dryRun ? 'would be sent' : 'sent' }) };
}

async function recordAt({ archive, topic }: Letters, { partition, offset }: LetterId): Promise<LogRecord | undefined> {
  const bounds = (await archive.bounds(topic))[partition];
  if (bounds === undefined || offset < bounds.low || offset >= bounds.high) return undefined;
  const { records } = await archive.read({ topic, partition }, offset);
  return records.find((record) => record.offset === offset);
}

/** Why it must not be sent again, in words. */
function refusal(
  { reason, topic, partition, offset }: DeadLetter,
  { value, headers }: LogRecord,
  lanes: readonly string[],
  neverRan: boolean,
): string | undefined {
  if (topic === '') return 'it does not say which topic it came from';
  if (!lanes.includes(topic)) return `it came from ${topic}, and commands are read from ${lanes.join(', ')}`;
  if (value === null && reason === 'CODEC_UNSUPPORTED') return 'nobody could read it, so that nothing is here to send';
  if (value === null && headers.dlq_left_out !== undefined)
    return `it was too large to be set aside whole: the record itself stands at ${topic}/${partition}/${offset}`;
  if (reason === 'STALE' && !neverRan) return 'it may have run before its id was forgotten: state that it never ran, if that is sure';
  return undefined;
}

/**
 * As it was, in the same order of headers. It keeps its age: when it is replayed a second time after its id was forgotten, it is STALE and
 * does not run twice. What never ran gets a new one.
 */
function again({ appended }: DeadLetter, record: LogRecord, neverRan: boolean): LogMessage {
  const headers: Record<string, Uint8Array | string> = {};
  for (const [name, value] of Object.entries(record.headers)) if (value !== undefined && !isOurs(name)) headers[name] = value;
  if (neverRan) delete headers.locus_appended;
  else if (headers.locus_appended === undefined && appended !== '') headers.locus_appended = appended;
  return { key: record.key, value: record.value, headers };
}

const isOurs = (header: string): boolean => header.startsWith('dlq_');
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const nameOf = ({ partition, offset }: LetterId): string => `${partition}:${offset}`;

function letterIn(record: LogRecord): DeadLetter {
  const header = (name: string) => {
    const value = record.headers[`dlq_${name}`];
    return value === undefined ? '' : textOf(value);
  };
  return {
    id: nameOf(record),
    reason: header('reason'),
    error: header('error'),
    attempts: header('attempts'),
    topic: header('topic'),
    partition: header('partition'),
    offset: header('offset'),
    key: record.key === null ? null : textOf(record.key),
    appended: header('timestamp'),
    failed: header('failed_at'),
    at: new Date(record.appendedMs).toISOString(),
  };
}
