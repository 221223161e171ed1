/** Where reading stands in one partition that is held now. */
import type { Batch } from 'kafkajs';
import type { LogReader, LogRecord, TopicPartition } from '../../src/ports.ts';
import type { Placeholder } from './unreadable.ts';

/**
 * beginning: `begin` has not answered · full: waits for `resume` · judging: the log did not go on where it should ·
 * refused: waits for `again`. Only while reading is the partition not paused.
 */
export type CursorState = 'beginning' | 'reading' | 'full' | 'judging' | 'refused';

export type Cursor = {
  readonly at: TopicPartition;
  state: CursorState;
  /** The next offset to hand to the reader. */
  position: number;
  /** The highest offset sent to the group in this cursor's life: a late smaller one must not lower it. */
  sent: number;
};

export const nameOf = (at: TopicPartition): string => `${at.topic}/${at.partition}`;
export const newCursor = (at: TopicPartition): Cursor => ({ at, state: 'beginning', position: 0, sent: 0 });

/** The lowest offset that a message stands for. */
export const startOf = (message: Placeholder): number => message.unreadable?.from ?? Number(message.offset);

/** Records handed over in one go: under a millisecond, which is how long everybody else waits for it. */
const SLICE = 32;

/**
 * Hands a batch over, record by record, until the reader has no room, the cursor is no longer read, or the slice is done. A number is
 * where the next slice begins.
 */
export function takeSlice(cursor: Cursor, batch: Batch, from: number, reader: LogReader): number | 'no room' | 'done' {
  const messages = batch.messages as readonly Placeholder[];
  const until = Math.min(messages.length, from + SLICE);
  for (let at = from; at < until; at++) {
    const message = messages[at] as Placeholder;
    const offset = Number(message.offset);
    if (offset < cursor.position) continue;
    if (!takeOne(cursor, message, offset, reader)) return 'no room';
    cursor.position = offset + 1;
    if (cursor.state !== 'reading') return 'done';
  }
  if (until < messages.length) return until;
  // Beyond the last record may lie markers of transactions, which nobody is shown.
  cursor.position = Math.max(cursor.position, Number(batch.lastOffset()) + 1);
  return 'done';
}

function takeOne(cursor: Cursor, message: Placeholder, offset: number, reader: LogReader): boolean {
  const { unreadable } = message;
  if (unreadable === undefined) return reader.take(recordOf(cursor.at, message, offset));
  return reader.unreadable(cursor.at, Math.max(unreadable.from, cursor.position), unreadable.to, unreadable.codec);
}

export const recordOf = ({ topic, partition }: TopicPartition, message: Placeholder, offset: number): LogRecord => ({
  topic,
  partition,
  offset,
  key: message.key,
  value: message.value,
  headers: headersOf(message.headers),
  appendedMs: Number(message.timestamp),
});

const NO_HEADERS: LogRecord['headers'] = {};

function headersOf(headers: Placeholder['headers']): LogRecord['headers'] {
  const names = headers === undefined ? [] : Object.keys(headers);
  if (headers === undefined || names.length === 0) return NO_HEADERS;
  return Object.fromEntries(names.map((name) => [name, lastOf(headers[name])]));
}

function lastOf(value: Buffer | string | (Buffer | string)[] | undefined): Uint8Array | undefined {
  const last = Array.isArray(value) ? value.at(-1) : value;
  return typeof last === 'string' ? Buffer.from(last) : last;
}
