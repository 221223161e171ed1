/** The log's memory twin: command logs and writers over one shared world that tests and a simulator can bend. */
import { LocusError } from '../../src/errors.ts';
import type { Archive, CommandLog, LogMessage, LogRecord, LogWriter, TopicPartition } from '../../src/ports.ts';
import { memoryArchive } from './archive.ts';
import { drawnMs, happens, type LogFaults } from './log-faults.ts';
import { Member, type MemberOptions } from './log-member.ts';
import { nameOf, World, type WorldOptions, type WriterFault } from './log-world.ts';

/**
 * `vanish` is a kill -9: the group hears nothing, and keeps this replica's seat until its session is over. `cut`: nothing arrives between it and
 * the brokers, until that is taken back. `restart`: its client begins anew by itself, forgets all and reads on from what is committed.
 */
export type MemoryCommandLog = CommandLog & Pick<Member, 'vanish' | 'cut' | 'restart'>;

export type WriterOptions = {
  readonly eventsTopic: string;
  readonly deadLettersTopic: string;
  /** Told of each record of this writer when it is appended. */
  readonly appended?: (record: LogRecord) => void;
};

export type MemoryLog = {
  commandLog(options: MemberOptions & { readonly groupId: string }): MemoryCommandLog;
  writer(options: WriterOptions): LogWriter;
  archive(): Archive;
  /** Appends at once, by key or to a partition by number. */
  produce(topic: string, message: LogMessage, partition?: number): LogRecord;
  /** Appends records that nobody can decompress. */
  produceUnreadable(at: TopicPartition, count: number, codec: string): void;
  /** The log forgets what lies below `low`. */
  truncate(at: TopicPartition, low: number): void;
  /** Everything of a topic is deleted and its offsets begin at 0 again. */
  recreate(topic: string): void;
  records(topic: string): readonly LogRecord[];
  /** The offset of the next record. */
  high(at: TopicPartition): number;
  committed(groupId: string, at: TopicPartition): number | undefined;
  /** A commit from outside the group, as an operator's tool makes it; undefined forgets it. */
  moveOffset(groupId: string, at: TopicPartition, offset: number | undefined): void;
  /** How all writers fare from now on. */
  setWriters(fault: WriterFault): void;
  /** Changes some of what the log does badly, from now on. */
  setFault(some: Partial<LogFaults>): void;
};

export function memoryLog(options: WorldOptions): MemoryLog {
  const world = new World(options);
  return {
    commandLog: (member) => new Member(world, world.group(member.groupId), member),
    writer: (writer) => writerOf(world, writer),
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
    high: (at) => world.shelf(at).high,
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
    setFault(some) {
      world.faults = { ...world.faults, ...some };
    },
  };
}

/** What a broker takes unless it is told otherwise (message.max.bytes), its frame not counted. */
const MESSAGE_MAX_BYTES = 1_048_576;
function sizeOf({ key, value, headers = {} }: LogMessage): number {
  let size = Buffer.byteLength(key ?? '') + Buffer.byteLength(value ?? '');
  for (const name in headers) size += Buffer.byteLength(name) + Buffer.byteLength(headers[name] ?? '');
  return size;
}

type Placed = { readonly topic: string; readonly message: LogMessage; readonly partition?: number | undefined };

function writerOf(world: World, { eventsTopic, deadLettersTopic, appended }: WriterOptions): LogWriter {
  const send = async (messages: readonly Placed[]): Promise<void> => {
    await new Promise<void>((resolve) => world.clock.soon(resolve));
    const { faults, fault } = world;
    if (fault === 'down' || faults.away) throw new LocusError('LOG_DOWN', 'the log is away; nothing was sent');
    if (messages.some(({ message }) => sizeOf(message) > MESSAGE_MAX_BYTES))
      throw new LocusError('VALUE_TOO_LARGE', `the log takes no message above ${MESSAGE_MAX_BYTES} bytes`);
    const work = () => {
      for (const { topic, message, partition } of messages) {
        const record = world.append(topic, message, partition);
        appended?.(record);
      }
    };
    const later = () => world.clock.after(drawnMs(world, faults.lateWriteMs), work, true);
    if (happens(world, faults.lostWriteRate)) {
      if (faults.lateWriteMs > 0) later();
      throw UNACKNOWLEDGED();
    }
    work();
    if (fault !== 'deaf' && !happens(world, faults.lostAckRate)) return;
    if (faults.duplicateOnLostAck) later();
    throw UNACKNOWLEDGED();
  };
  return {
    start: async () => {},
    stop: async () => {},
    events: (events) =>
      send(events.map(({ address, text }) => ({ topic: eventsTopic, message: { key: address, value: text, headers: EVENT_HEADERS } }))),
    command: (topic, message, partition) => send([{ topic, message, partition }]),
    deadLetter: (message) => send([{ topic: deadLettersTopic, message }]),
  };
}

const UNACKNOWLEDGED = () => new LocusError('LOG_UNACKNOWLEDGED', 'the log did not acknowledge; it may have been appended');
/** The same bytes for all of them: nobody writes into a record. */
const EVENT_HEADERS = { 'content-type': Buffer.from('application/cloudevents+json') } as const;
