/** A runtime's side of a command log that remembers all it was told, and whose answers a test may bend. */
import type { Begin, Bounds, CommandLog, LogReader, LogRecord, TopicPartition } from '../../src/ports.ts';

export type Taken = { readonly partition: number; readonly offset: number; readonly value: string };
export type RecordingReader = LogReader & {
  readonly taken: Taken[];
  readonly records: LogRecord[];
  readonly unread: { readonly partition: number; readonly from: number; readonly to: number; readonly codec: string }[];
  readonly begun: { readonly at: TopicPartition; readonly bounds: Bounds }[];
  readonly ended: string[];
  readonly refused: { readonly partition: number; readonly code: string; readonly why: string }[];
  readonly assignments: (readonly number[])[];
  beats: number;
  rebalances: number;
  /** What bends: where to begin, whether there is room, what may be committed, what to do before others share. */
  beginAt: (at: TopicPartition, bounds: Bounds) => Promise<Begin> | Begin;
  room: (at: TopicPartition & { readonly offset: number }) => boolean;
  mayCommit: (at: TopicPartition) => boolean;
  beforeSharing: () => Promise<void>;
  /** The next offset of each partition that is held and begun, by `topic/partition`. */
  readonly positions: Map<string, number>;
  offsets(partition: number): number[];
  values(): string[];
};

export const nameOf = (at: TopicPartition): string => `${at.topic}/${at.partition}`;

export function recordingReader(): RecordingReader {
  const positions = new Map<string, number>();
  const take = (at: TopicPartition & { readonly offset: number }, next: number): boolean => {
    if (!reader.room(at)) return false;
    positions.set(nameOf(at), next);
    return true;
  };
  const reader: RecordingReader = {
    taken: [],
    records: [],
    unread: [],
    begun: [],
    ended: [],
    refused: [],
    assignments: [],
    beats: 0,
    rebalances: 0,
    positions,
    beginAt: (_, { committed, low }) => ({ offset: committed ?? low }),
    room: () => true,
    mayCommit: () => true,
    beforeSharing: async () => {},
    offsets: (partition) => reader.taken.filter((record) => record.partition === partition).map((record) => record.offset),
    values: () => reader.taken.map((record) => record.value),
    async begin(at, bounds) {
      reader.begun.push({ at, bounds });
      const begin = await reader.beginAt(at, bounds);
      if ('offset' in begin) positions.set(nameOf(at), begin.offset);
      return begin;
    },
    end(at) {
      positions.delete(nameOf(at));
      reader.ended.push(nameOf(at));
    },
    next: (at) => positions.get(nameOf(at)) ?? 0,
    take(record) {
      if (!take(record, record.offset + 1)) return false;
      reader.records.push(record);
      reader.taken.push({ partition: record.partition, offset: record.offset, value: Buffer.from(record.value ?? []).toString() });
      return true;
    },
    unreadable(at, from, to, codec) {
      if (!take({ ...at, offset: from }, to + 1)) return false;
      reader.unread.push({ partition: at.partition, from, to, codec });
      return true;
    },
    owns: (at) => positions.has(nameOf(at)) && reader.mayCommit(at),
    refuse({ partition }, code, why) {
      reader.refused.push({ partition, code, why });
    },
    alive() {
      reader.beats++;
    },
    async rebalancing() {
      reader.rebalances++;
      await reader.beforeSharing();
    },
    assigned(partitions) {
      reader.assignments.push(partitions);
    },
  };
  return reader;
}

/** Commits all that the reader has taken. */
export const commitAll = (log: CommandLog, reader: RecordingReader): Promise<void> =>
  log.commit(
    [...reader.positions].map(([name, offset]) => {
      const cut = name.lastIndexOf('/');
      return { topic: name.slice(0, cut), partition: Number(name.slice(cut + 1)), offset };
    }),
  );
