/** What a dead letter says: the record as it was, where it came from and why it is here. Of one that is too large for that, all but its bulk. */
import { type Fault, sentence } from '../errors.ts';
import type { LogMessage, LogRecord } from '../ports.ts';

/** A sentence may quote what a sender wrote, such as the name of a field that nobody asked for. */
const ERROR_MAX = 1_000;
/** How much of a record that is too large goes along all the same: of its key, and of its headers together. */
const KEPT_MAX_BYTES = 8_192;

export function whyOf(it: Fault): string {
  const text = sentence(it);
  return text.length > ERROR_MAX ? `${text.slice(0, ERROR_MAX)}…` : text;
}

/** The original value and headers, with where it came from and why it is here (DESIGN: dead letters). */
export const letterOf = (record: LogRecord, it: Fault, nowMs: number): LogMessage => ({
  key: record.key,
  value: record.value,
  headers: { ...own(record), ...ours(record, it, nowMs) },
});

/** For a log that refused the whole letter as too large: the value stays behind, and what else is large. It says what, and where that stands. */
export function shortLetterOf(record: LogRecord, it: Fault, nowMs: number): LogMessage {
  const { topic, partition, offset, key } = record;
  const bytes = Object.entries(own(record)).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + value.byteLength, 0);
  const isLarge = { value: true, key: (key?.byteLength ?? 0) > KEPT_MAX_BYTES, headers: bytes > KEPT_MAX_BYTES };
  const left = Object.entries(isLarge).flatMap(([part, large]) => (large ? [part] : []));
  return {
    key: isLarge.key ? null : key,
    value: null,
    headers: {
      ...(isLarge.headers ? {} : own(record)),
      ...ours(record, it, nowMs),
      ...(isLarge.key ? { dlq_key: '' } : {}),
      dlq_error: `${whyOf(it)}; too large for this topic, left out: ${left.join(', ')}; the record stands at ${topic}/${partition}/${offset}`,
      dlq_left_out: left.join(','),
    },
  };
}

const own = ({ headers }: LogRecord): Readonly<Record<string, Uint8Array>> =>
  Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));

const ours = (record: LogRecord, it: Fault, nowMs: number) => ({
  dlq_reason: it.code,
  dlq_error: whyOf(it),
  dlq_attempts: '1',
  dlq_topic: record.topic,
  dlq_partition: String(record.partition),
  dlq_offset: String(record.offset),
  dlq_key: record.key === null ? '' : Buffer.from(record.key),
  dlq_timestamp: new Date(record.appendedMs).toISOString(),
  dlq_failed_at: new Date(nowMs).toISOString(),
});
