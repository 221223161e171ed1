/** The log's memory twin: topics, groups and writers in one shared world that tests and a simulator can bend. */
import { LocusError } from '../../src/errors.ts';
import type { EventText } from '../../src/message/envelope.ts';
import { partitionOf, partitionOfBytes } from '../../src/message/partition.ts';
import type { Clock, CommandLog, LogMessage, LogRecord, LogWriter, TopicPartition } from '../../src/ports.ts';
import { Group } from './log-group.ts';
import { Member } from './log-member.ts';

export type MemoryLogOptions = { readonly topics: readonly string[]; readonly partitions: number; readonly clock: Clock };

/** What a replica tells about itself when it reads commands. */
export type MemoryReaderOptions = {
  readonly groupId: string;
  readonly replicaId: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  /** Asked before joining; false ends in `onFatal`. */
  readonly mayJoin: () => Promise<boolean>;
  readonly onFatal: (why: string) => void;
};

/** `vanish` is a kill -9: nothing is said to the group, whose session for this replica runs on. */
export type MemoryCommandLog = CommandLog & { vanish(): void };

/** well · down: nothing is sent · deaf: it is appended, the acknowledgement is lost. */
export type WriterFault = 'well' | 'down' | 'deaf';

export type MemoryLog = {
  commandLog(options: MemoryReaderOptions): MemoryCommandLog;
  writer(options: { readonly eventsTopic: string; readonly deadLettersTopic: string }): LogWriter;
  /** Appends at once, by key or to a partition by number; answers where. */
  produce(topic: string, message: LogMessage, partition?: number): TopicPartition & { readonly offset: number };
  /** Appends a batch that no reader can decompress. */
  produceUnreadable(at: TopicPartition, count: number, codec: string): void;
  /** The log forgets what lies below `low`. */
  truncate(at: TopicPartition, low: number): void;
  records(topic: string): readonly LogRecord[];
  committed(groupId: string, at: TopicPartition): number | undefined;
  /** A commit from outside the group's members, as an operator's tool makes it. */
  moveOffset(groupId: string, at: TopicPartition, offset: number): void;
  /** How all writers fare from now on. */
  setWriters(fault: WriterFault): void;
};

export const nameOf = (at: TopicPartition): string => `${at.topic}/${at.partition}`;

/** One partition: records from `low` on; `unreadable` names the codec of offsets that no reader can decompress. */
export class Shelf {
  low = 0;
  #first = 0;
  #records: LogRecord[] = [];
  readonly unreadable = new Map<number, string>();
  get high(): number {
    return this.#first + this.#records.length;
  }
  add(record: LogRecord): void {
    this.#records.push(record);
  }
  at(offset: number): LogRecord | undefined {
    return this.#records[offset - this.#first];
  }
  all(): readonly LogRecord[] {
    return this.#records.filter((record) => !this.unreadable.has(record.offset));
  }
  truncate(low: number): void {
    this.#records = this.#records.slice(low - this.#first);
    this.#first = low;
    this.low = low;
  }
}

/** The brokers' side: what is stored, and who listens for more. */
export class World {
  readonly clock: Clock;
  readonly partitions: number;
  readonly members = new Set<Member>();
  fault: WriterFault = 'well';
  readonly #topics: ReadonlyMap<string, readonly Shelf[]>;
  readonly #groups = new Map<string, Group>();
  #next = 0;

  constructor(options: MemoryLogOptions) {
    this.clock = options.clock;
    this.partitions = options.partitions;
    this.#topics = new Map(options.topics.map((topic) => [topic, Array.from({ length: options.partitions }, () => new Shelf())]));
  }

  group(id: string): Group {
    const group = this.#groups.get(id) ?? new Group(this.partitions);
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

  append(topic: string, message: LogMessage, partition = this.#place(message.key)): TopicPartition & { readonly offset: number } {
    const shelf = this.shelf({ topic, partition });
    const offset = shelf.high;
    const headers = Object.fromEntries(Object.entries(message.headers ?? {}).map(([name, value]) => [name, bytes(value)]));
    const body = { key: bytesOrNull(message.key), value: bytesOrNull(message.value), headers, appendedMs: this.clock.now() };
    shelf.add({ topic, partition, offset, ...body });
    for (const member of this.members) member.wake();
    return { topic, partition, offset };
  }

  #place(key: LogMessage['key']): number {
    if (key === null) return this.#next++ % this.partitions;
    return typeof key === 'string' ? partitionOf(key, this.partitions) : partitionOfBytes(key, this.partitions);
  }
}

export function memoryLog(options: MemoryLogOptions): MemoryLog {
  const world = new World(options);
  return {
    commandLog: (reader) => new Member(world, reader),
    writer: ({ eventsTopic, deadLettersTopic }) => writerOf(world, eventsTopic, deadLettersTopic),
    produce: (topic, message, partition) => world.append(topic, message, partition),
    produceUnreadable(at, count, codec) {
      for (let i = 0; i < count; i++) {
        world.shelf(at).unreadable.set(world.shelf(at).high, codec);
        world.append(at.topic, { key: null, value: null }, at.partition);
      }
    },
    truncate: (at, low) => world.shelf(at).truncate(low),
    records: (topic) => world.shelves(topic).flatMap((shelf) => shelf.all()),
    committed: (groupId, at) => world.group(groupId).committed.get(nameOf(at)),
    moveOffset(groupId, at, offset) {
      world.group(groupId).committed.set(nameOf(at), offset);
    },
    setWriters(fault) {
      world.fault = fault;
    },
  };
}

function writerOf(world: World, eventsTopic: string, deadLettersTopic: string): LogWriter {
  const send = async (appends: () => void): Promise<void> => {
    await new Promise<void>((resolve) => world.clock.soon(resolve));
    if (world.fault === 'down') throw new LocusError('LOG_DOWN', 'the log is away; nothing was sent');
    appends();
    if (world.fault === 'deaf') throw new LocusError('LOG_UNACKNOWLEDGED', 'the log did not acknowledge; it may have been appended');
  };
  return {
    start: async () => {},
    stop: async () => {},
    events: (events: readonly EventText[]) =>
      send(() => {
        for (const event of events) world.append(eventsTopic, { key: event.address, value: event.text, headers: EVENT_HEADERS });
      }),
    command: (topic, message, partition) => send(() => void world.append(topic, message, partition)),
    deadLetter: (message) => send(() => void world.append(deadLettersTopic, message)),
  };
}

const EVENT_HEADERS = { 'content-type': 'application/cloudevents+json' } as const;
const bytes = (value: string | Uint8Array): Uint8Array => (typeof value === 'string' ? Buffer.from(value) : value);
const bytesOrNull = (value: string | Uint8Array | null): Uint8Array | null => (value === null ? null : bytes(value));
