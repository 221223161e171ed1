/** The command log and the event log of the embedded mode: topics and their partitions in the one file, read by the process that writes them. */
import { LocusError } from '../../src/errors.ts';
import { partitionOf } from '../../src/message/partition.ts';
import type { Clock, LogMessage, LogRecord, LogWriter, TopicPartition } from '../../src/ports.ts';
import type { EmbeddedFile } from './file.ts';

export type EmbeddedLogOptions = { readonly file: EmbeddedFile; readonly topics: readonly string[]; readonly partitions: number };
type Row = {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: string;
  readonly appendedMs: number;
};

/** Offsets of a partition have so many numbers of the table's key to themselves; the rest, 2 ** 17, is for partitions of all topics. */
const OFFSETS = 2 ** 36;
/** How many records are forgotten in one turn of the loop. */
const FORGET_MAX = 5_000;
const EVENT_HEADERS = { 'content-type': 'application/cloudevents+json' } as const;
const nameOf = (at: TopicPartition): string => `${at.topic}/${at.partition}`;

/** One partition: records [low, high). A record can be read before it is on disk: what is made of it is in no earlier transaction. */
class Shelf {
  readonly id: number;
  low: number;
  high: number;
  readonly #at: TopicPartition;
  readonly #file: EmbeddedFile;

  constructor(file: EmbeddedFile, at: TopicPartition) {
    this.#file = file;
    this.#at = { topic: at.topic, partition: at.partition };
    const sql = 'INSERT INTO shelf(topic, partition, low) VALUES (?, ?, 0) ON CONFLICT DO UPDATE SET low = low RETURNING id, low';
    const { id, low } = file.get<{ readonly id: number; readonly low: number }>(sql, at.topic, at.partition) ?? { id: 0, low: 0 };
    const range = [id * OFFSETS, (id + 1) * OFFSETS];
    const last = file.get<{ readonly last: number | null }>('SELECT max(id) AS last FROM log WHERE id >= ? AND id < ?', ...range)?.last;
    this.id = id;
    this.low = low;
    this.high = Math.max(low, (last ?? id * OFFSETS - 1) - id * OFFSETS + 1);
  }

  add(message: LogMessage, appendedMs: number): number {
    const offset = this.high;
    const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]);
    const values = [bytesOrNull(message.key), bytesOrNull(message.value), JSON.stringify(Object.fromEntries(headers)), appendedMs] as const;
    this.#file.run('INSERT INTO log VALUES (?, ?, ?, ?, ?)', this.id * OFFSETS + offset, ...values);
    this.high += 1;
    return offset;
  }
  at(offset: number): LogRecord | undefined {
    if (offset < this.low || offset >= this.high) return undefined;
    const row = this.#file.get<Row>('SELECT key, value, headers, appendedMs FROM log WHERE id = ?', this.id * OFFSETS + offset);
    if (row === undefined) return undefined;
    const encoded = Object.entries(JSON.parse(row.headers) as Readonly<Record<string, string>>);
    const headers = Object.fromEntries(encoded.map(([name, value]) => [name, Buffer.from(value, 'base64')]));
    return { ...this.#at, offset, key: row.key, value: row.value, headers, appendedMs: row.appendedMs };
  }
  /** Nothing in here was ever compressed. */
  unreadable(): undefined {
    return undefined;
  }
  truncate(low: number): void {
    this.#file.run('DELETE FROM log WHERE id >= ? AND id < ?', this.id * OFFSETS, this.id * OFFSETS + low);
    this.#file.run('UPDATE shelf SET low = ? WHERE id = ?', low, this.id);
    this.low = low;
  }
}

/** How far a group has read, by `topic/partition`. */
export type EmbeddedOffsets = {
  get(name: string): number | undefined;
  /** Rejects when it may not be on disk. */
  set(name: string, offset: number): Promise<void>;
  readonly size: number;
};

export class EmbeddedLog {
  readonly clock: Clock;
  readonly partitions: number;
  readonly listeners = new Set<() => void>();
  readonly #file: EmbeddedFile;
  readonly #topics: ReadonlyMap<string, readonly Shelf[]>;
  #turn = 0;

  private constructor({ file, partitions }: EmbeddedLogOptions, topics: ReadonlyMap<string, readonly Shelf[]>) {
    this.clock = file.clock;
    this.partitions = partitions;
    this.#file = file;
    this.#topics = topics;
  }
  static async open(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
    const { file, topics, partitions } = options;
    const shelves = (topic: string) => Array.from({ length: partitions }, (_, partition) => new Shelf(file, { topic, partition }));
    const made = await file.write(() => new Map(topics.map((topic) => [topic, shelves(topic)] as const)));
    if (made.kind !== 'written') throw new LocusError('LOG_DOWN', `the log was not opened: ${made.why}`);
    return new EmbeddedLog(options, made.value);
  }

  shelves(topic: string): readonly Shelf[] {
    const shelves = this.#topics.get(topic);
    if (shelves === undefined) throw new LocusError('TOPICS_INVALID', `topic ${topic} does not exist`);
    return shelves;
  }
  shelf(at: TopicPartition): Shelf {
    const shelf = this.shelves(at.topic)[at.partition];
    if (shelf === undefined) throw new LocusError('TOPICS_INVALID', `topic ${at.topic} has no partition ${at.partition}`);
    return shelf;
  }

  async offsets(group: string): Promise<EmbeddedOffsets> {
    const sql = 'SELECT name, "offset" FROM committed';
    const rows = await this.#file.read(() => this.#file.all<{ readonly name: string; readonly offset: number }>(sql));
    const prefix = `${group} `;
    const mine = rows.filter(({ name }) => name.startsWith(prefix));
    const known = new Map(mine.map(({ name, offset }) => [name.slice(prefix.length), offset]));
    const put = 'INSERT INTO committed VALUES (?, ?) ON CONFLICT DO UPDATE SET "offset" = excluded."offset"';
    return {
      get: (name) => known.get(name),
      set: async (name, offset) => {
        known.set(name, offset);
        const answer = await this.#file.write(() => this.#file.run(put, `${prefix}${name}`, offset));
        if (answer.kind !== 'written') throw new LocusError('LOG_DOWN', `the offset was not committed: ${answer.why}`);
      },
      get size() {
        return known.size;
      },
    };
  }

  /** Appended in the order of the calls; resolves when it is on disk. */
  async append(records: readonly { readonly topic: string; readonly message: LogMessage; readonly partition?: number }[]): Promise<void> {
    const placed = records.map((it) => ({
      ...it,
      shelf: this.shelf({ topic: it.topic, partition: it.partition ?? this.#place(it.message.key) }),
    }));
    const answer = this.#file.write(() => {
      for (const { shelf, message } of placed) shelf.add(message, this.clock.now());
    });
    for (const heard of this.listeners) heard();
    const { kind } = await answer;
    if (kind === 'down') throw new LocusError('LOG_DOWN', 'the embedded file is closed; nothing was written');
    if (kind === 'unanswered') throw new LocusError('LOG_UNACKNOWLEDGED', 'the embedded file failed; it may have been written');
  }
  /** Forgets commands below what the group committed: nobody reads them again. A part of them, if there are many. */
  async forgetRead(topics: readonly string[], offsets: EmbeddedOffsets): Promise<void> {
    for (const topic of topics)
      for (const [partition, shelf] of this.shelves(topic).entries()) {
        const low = Math.min(offsets.get(nameOf({ topic, partition })) ?? 0, shelf.low + FORGET_MAX);
        if (low > shelf.low) await this.#file.write(() => shelf.truncate(low));
      }
  }

  #place(key: LogMessage['key']): number {
    return key === null ? this.#turn++ % this.partitions : partitionOf(key, this.partitions);
  }
}

export function embeddedWriter(log: EmbeddedLog, topics: { readonly events: string; readonly deadLetters: string }): LogWriter {
  return {
    start: async () => {},
    stop: async () => {},
    events: (events) =>
      log.append(
        events.map(({ address, text }) => ({ topic: topics.events, message: { key: address, value: text, headers: EVENT_HEADERS } })),
      ),
    command: (topic, message, partition) => log.append([{ topic, message, ...(partition === undefined ? {} : { partition }) }]),
    deadLetter: (message) => log.append([{ topic: topics.deadLetters, message }]),
  };
}

const bytesOrNull = (value: string | Uint8Array | null): Uint8Array | null => (typeof value === 'string' ? Buffer.from(value) : value);
