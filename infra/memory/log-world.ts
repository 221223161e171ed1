/** The brokers' side of the memory log: what is stored, what groups committed, and who listens for more. */
import { LocusError } from '../../src/errors.ts';
import { partitionOf } from '../../src/message/partition.ts';
import type { Clock, LogMessage, LogRecord, Random, TopicPartition } from '../../src/ports.ts';
import { type LogFaults, soundLog } from './log-faults.ts';
import { Group } from './log-group.ts';

export type WorldOptions = {
  readonly topics: readonly string[];
  readonly partitions: number;
  /** The brokers'. */
  readonly clock: Clock;
  /** Draws the faults; without it a rate above 0 means always. */
  readonly random?: Pick<Random, 'next'>;
};
/** well · down: nothing is sent · deaf: it is appended, the acknowledgement is lost. */
export type WriterFault = 'well' | 'down' | 'deaf';

export const nameOf = (at: TopicPartition): string => `${at.topic}/${at.partition}`;

/** One partition: records from `low` on. `codecs` names the codec of offsets that nobody can decompress. */
class Shelf {
  low = 0;
  readonly codecs = new Map<number, string>();
  #records: LogRecord[] = [];

  get high(): number {
    return this.low + this.#records.length;
  }
  add(record: LogRecord): void {
    this.#records.push(record);
  }
  at(offset: number): LogRecord | undefined {
    return this.#records[offset - this.low];
  }
  readable(): readonly LogRecord[] {
    return this.#records.filter((record) => !this.codecs.has(record.offset));
  }
  /** The run of one codec that begins at `offset`: its last offset. */
  unreadable(offset: number): { readonly codec: string; readonly end: number } | undefined {
    const codec = this.codecs.get(offset);
    if (codec === undefined) return undefined;
    let end = offset;
    while (this.codecs.get(end + 1) === codec) end++;
    return { codec, end };
  }
  truncate(low: number): void {
    this.#records = this.#records.slice(low - this.low);
    this.low = low;
  }
  /** The topic was deleted and created anew. */
  recreate(): void {
    this.#records = [];
    this.low = 0;
  }
}

export class World {
  readonly clock: Clock;
  readonly partitions: number;
  readonly listeners = new Set<() => void>();
  readonly random: Pick<Random, 'next'> | undefined;
  fault: WriterFault = 'well';
  faults: LogFaults = soundLog;
  readonly #topics: ReadonlyMap<string, readonly Shelf[]>;
  readonly #groups = new Map<string, Group<Map<string, number>>>();
  #turn = 0;

  constructor(options: WorldOptions) {
    this.clock = options.clock;
    this.partitions = options.partitions;
    this.random = options.random;
    this.#topics = new Map(options.topics.map((topic) => [topic, Array.from({ length: options.partitions }, () => new Shelf())]));
  }

  group(id: string): Group<Map<string, number>> {
    const had = this.#groups.get(id);
    if (had !== undefined) return had;
    const group = new Group(this.partitions, this.clock, new Map<string, number>(), () => this.faults.away);
    this.#groups.set(id, group);
    return group;
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

  append(topic: string, message: LogMessage, partition = this.#place(message.key)): LogRecord {
    const shelf = this.shelf({ topic, partition });
    const offset = shelf.high;
    const headers = Object.fromEntries(Object.entries(message.headers ?? {}).map(([name, value]) => [name, bytes(value)]));
    const appendedMs = this.clock.now();
    const record = { topic, partition, offset, key: bytesOrNull(message.key), value: bytesOrNull(message.value), headers, appendedMs };
    shelf.add(record);
    for (const heard of this.listeners) heard();
    return record;
  }

  #place(key: LogMessage['key']): number {
    return key === null ? this.#turn++ % this.partitions : partitionOf(key, this.partitions);
  }
}

const bytes = (value: string | Uint8Array): Uint8Array => (typeof value === 'string' ? Buffer.from(value) : value);
const bytesOrNull = (value: string | Uint8Array | null): Uint8Array | null => (value === null ? null : bytes(value));
