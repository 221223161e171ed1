/** The log's memory twin: command logs and writers over one shared world that tests and a simulator can bend. */
import { LocusError } from '../../src/errors.ts';
import type { Archive, CommandLog, LogMessage, LogRecord, LogWriter, TopicPartition } from '../../src/ports.ts';
import { memoryArchive } from './archive.ts';
import { Member, type MemberOptions } from './log-member.ts';
import { nameOf, World, type WorldOptions, type WriterFault } from './log-world.ts';

/** `vanish` is a kill -9: the group hears nothing, and keeps this replica's seat until its session is over. */
export type MemoryCommandLog = CommandLog & { vanish(): void };

export type MemoryLog = {
  commandLog(options: MemberOptions & { readonly groupId: string }): MemoryCommandLog;
  writer(options: { readonly eventsTopic: string; readonly deadLettersTopic: string }): LogWriter;
  archive(): Archive;
  /** Appends at once, by key or to a partition by number; answers where. */
  produce(topic: string, message: LogMessage, partition?: number): TopicPartition & { readonly offset: number };
  /** Appends records that nobody can decompress. */
  produceUnreadable(at: TopicPartition, count: number, codec: string): void;
  /** The log forgets what lies below `low`. */
  truncate(at: TopicPartition, low: number): void;
  /** Everything of a topic is deleted and its offsets begin at 0 again. */
  recreate(topic: string): void;
  records(topic: string): readonly LogRecord[];
  committed(groupId: string, at: TopicPartition): number | undefined;
  /** A commit from outside the group, as an operator's tool makes it; undefined forgets it. */
  moveOffset(groupId: string, at: TopicPartition, offset: number | undefined): void;
  /** How all writers fare from now on. */
  setWriters(fault: WriterFault): void;
};

export function memoryLog(options: WorldOptions): MemoryLog {
  const world = new World(options);
  return {
    commandLog: (member) => new Member(world, world.group(member.groupId), member),
    writer: ({ eventsTopic, deadLettersTopic }) => writerOf(world, eventsTopic, deadLettersTopic),
    archive: () => memoryArchive(world),
    produce: (topic, message, partition) => world.append(topic, message, partition),
    produceUnreadable(at, count, codec) {
      const shelf = world.shelf(at);
      for (let n = 0; n < count; n++) {
        shelf.codecs.set(shelf.high, codec);
        world.append(at.topic, { key: null, value: null }, at.partition);
      }
    },
    truncate: (at, low) => world.shelf(at).truncate(low),
    recreate(topic) {
      for (const shelf of world.shelves(topic)) shelf.recreate();
    },
    records: (topic) => world.shelves(topic).flatMap((shelf) => shelf.readable()),
    committed: (groupId, at) => world.group(groupId).committed.get(nameOf(at)),
    moveOffset(groupId, at, offset) {
      const { committed } = world.group(groupId);
      if (offset === undefined) committed.delete(nameOf(at));
      else committed.set(nameOf(at), offset);
    },
    setWriters(fault) {
      world.fault = fault;
    },
  };
}

function writerOf(world: World, eventsTopic: string, deadLettersTopic: string): LogWriter {
  const send = async (append: () => void): Promise<void> => {
    await new Promise<void>((resolve) => world.clock.soon(resolve));
    if (world.fault === 'down') throw new LocusError('LOG_DOWN', 'the log is away; nothing was sent');
    append();
    if (world.fault === 'deaf') throw new LocusError('LOG_UNACKNOWLEDGED', 'the log did not acknowledge; it may have been appended');
  };
  return {
    start: async () => {},
    stop: async () => {},
    events: (events) =>
      send(() => {
        for (const event of events) world.append(eventsTopic, { key: event.address, value: event.text, headers: EVENT_HEADERS });
      }),
    command: (topic, message, partition) => send(() => void world.append(topic, message, partition)),
    deadLetter: (message) => send(() => void world.append(deadLettersTopic, message)),
  };
}

const EVENT_HEADERS = { 'content-type': 'application/cloudevents+json' } as const;
