/** What every command log and writer must do, its failures included; run over memory and over real Kafka. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { partitionOf } from '../../src/message/partition.ts';
import type { Archive, CommandLog, LogMessage, LogRecord, LogWriter, TopicPartition } from '../../src/ports.ts';
import { commitAll, nameOf, type RecordingReader, recordingReader } from './recording-reader.ts';

export const PARTITIONS = 6;
export type Life = { readonly mayJoin: () => Promise<boolean>; readonly onFatal: (why: string) => void };

/** Two lane topics, an events and a dead-letters topic, one group, all new; and what may happen to them. */
export type LogWorld = {
  readonly topics: readonly [customer: string, bulk: string];
  readonly eventsTopic: string;
  readonly deadLettersTopic: string;
  /** A replica's own door to the commands, not started. */
  commandLog(replicaId: string, life: Life): CommandLog;
  writer(): LogWriter;
  archive(): Archive;
  produce(topic: string, partition: number, values: readonly string[]): Promise<void>;
  /** A batch that nobody can unpack; answers its codec. Called only with `brokers`. */
  produceUnreadable(topic: string, partition: number, count: number): Promise<string>;
  records(topic: string): Promise<readonly LogRecord[]>;
  committed(at: TopicPartition): Promise<number | undefined>;
  truncate(at: TopicPartition, low: number): Promise<void>;
  stop(): Promise<void>;
};

const numbered = (count: number, from = 0): string[] => Array.from({ length: count }, (_, n) => String(from + n));
const upTo = (count: number, from = 0): number[] => Array.from({ length: count }, (_, n) => from + n);
const text = (bytes: Uint8Array | null | undefined): string | null => (bytes ? Buffer.from(bytes).toString() : null);
const SOON = { timeout: 20_000, interval: 20 };

/** `brokers`: others write there too and pack records as they like, and what is too large is refused. */
export function logSuite(name: string, open: () => Promise<LogWorld>, { brokers } = { brokers: true }): void {
  describe(name, () => {
    let world: LogWorld;
    const opened: { stop(): Promise<void> }[] = [];
    let customer = '';
    let at: (partition: number) => TopicPartition;

    beforeEach(async () => {
      world = await open();
      [customer] = world.topics;
      at = (partition) => ({ topic: customer, partition });
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((one) => one.stop()));
      await world.stop();
    });

    /** One replica, not started. */
    function replica(replicaId: string, life: Partial<Life> = {}) {
      const fatal: string[] = [];
      const reader = recordingReader();
      const log = world.commandLog(replicaId, { mayJoin: async () => true, onFatal: (why) => void fatal.push(why), ...life });
      opened.push(log);
      return { log, reader, fatal };
    }
    async function started(replicaId: string, prepare: (reader: RecordingReader, log: CommandLog) => void = () => {}) {
      const it = replica(replicaId);
      prepare(it.reader, it.log);
      await it.log.start(it.reader);
      return it;
    }
    async function writer(): Promise<LogWriter> {
      const it = world.writer();
      await it.start();
      opened.push(it);
      return it;
    }
    const settled = async (reader: RecordingReader, count: number) => {
      await vi.waitFor(() => expect(reader.assignments.at(-1)).toHaveLength(count), SOON);
      await vi.waitFor(() => expect(reader.positions.size).toBe(count * world.topics.length), SOON);
    };

    describe('reading', () => {
      test('records of a partition arrive in the order in which they were appended', async () => {
        for (const partition of [0, 3]) await world.produce(customer, partition, numbered(500));
        const { reader, log } = await started('a');
        await vi.waitFor(() => expect(reader.taken).toHaveLength(1_000), SOON);
        await world.produce(customer, 3, numbered(3, 500));
        await vi.waitFor(() => expect(reader.taken).toHaveLength(1_003), SOON);
        expect(reader.offsets(0)).toEqual(upTo(500));
        expect(reader.offsets(3)).toEqual(upTo(503));
        expect(reader.values().filter((value) => value === '502')).toEqual(['502']);
        expect(log.partitions).toBe(PARTITIONS);
      });

      test('a record without room comes again after resume: none twice, none lost', async () => {
        await world.produce(customer, 1, numbered(200));
        await world.produce(customer, 2, numbered(200));
        let refusals = 0;
        const { reader } = await started('a', (it, log) => {
          const turned = new Set<string>();
          it.room = (record) => {
            const name = `${nameOf(record)}@${record.offset}`;
            if (record.offset % 7 !== 3 || turned.has(name)) return true;
            turned.add(name);
            refusals++;
            systemClock.after(1, () => log.resume([record]));
            return false;
          };
        });
        await vi.waitFor(() => expect(reader.taken).toHaveLength(400), SOON);
        expect(reader.offsets(1)).toEqual(upTo(200));
        expect(reader.offsets(2)).toEqual(upTo(200));
        expect(refusals).toBeGreaterThan(50);
      });

      test('nothing is read of a partition that has no room, while others go on', async () => {
        const { reader } = await started('a', (it) => {
          it.room = (record) => record.partition !== 1 || record.offset < 2;
        });
        await world.produce(customer, 1, numbered(10));
        await world.produce(customer, 2, numbered(10));
        await vi.waitFor(() => expect(reader.offsets(2)).toEqual(upTo(10)), SOON);
        await vi.waitFor(() => expect(reader.offsets(1)).toEqual([0, 1]), SOON);
      });

      test('nothing is read after hold, and what was taken can still be committed', async () => {
        const { reader, log } = await started('a');
        await world.produce(customer, 0, numbered(5));
        await vi.waitFor(() => expect(reader.taken).toHaveLength(5), SOON);
        log.hold();
        await world.produce(customer, 0, numbered(5, 5));
        log.resume([at(0)]);
        const beats = reader.beats;
        await vi.waitFor(() => expect(reader.beats).toBeGreaterThan(beats + 1), SOON);
        expect(reader.taken).toHaveLength(5);
        await commitAll(log, reader);
        expect(await world.committed(at(0))).toBe(5);
      });

      test('keys, headers and the time of appending arrive as they were written', async () => {
        const out = await writer();
        const before = Date.now();
        await out.command(customer, {
          key: 'till/1',
          value: Buffer.from('{"é":"✓"}'),
          headers: { ce_id: 'x', raw: Buffer.from([0, 255]) },
        });
        await out.command(customer, { key: null, value: null }, 4);
        const { reader } = await started('a');
        await vi.waitFor(() => expect(reader.records).toHaveLength(2), SOON);
        const record = reader.records.find((it) => it.key !== null);
        expect(record?.partition).toBe(partitionOf('till/1', PARTITIONS));
        expect(text(record?.value)).toBe('{"é":"✓"}');
        expect(text(record?.headers.ce_id)).toBe('x');
        expect([...(record?.headers.raw ?? [])]).toEqual([0, 255]);
        expect(Math.abs((record?.appendedMs ?? 0) - before)).toBeLessThan(5_000);
        expect(reader.records.find((it) => it.key === null)).toMatchObject({ partition: 4, value: null });
      });

      test('heartbeats are told while there is nothing to read', async () => {
        const { reader } = await started('a');
        await vi.waitFor(() => expect(reader.beats).toBeGreaterThan(3), SOON);
      });
    });

    if (brokers)
      describe('reading what nobody can unpack', () => {
        test('a batch of an unknown codec is told by its offsets and codec, its neighbours are read', async () => {
          await world.produce(customer, 0, numbered(3));
          const codec = await world.produceUnreadable(customer, 0, 4);
          await world.produce(customer, 0, numbered(2, 7));
          await world.produce(customer, 1, numbered(3));
          const { reader } = await started('a');
          await vi.waitFor(() => expect(reader.taken).toHaveLength(8), SOON);
          expect(reader.unread).toEqual([{ partition: 0, from: 3, to: 6, codec }]);
          expect(reader.offsets(0)).toEqual([0, 1, 2, 7, 8]);
        });

        test('a batch of an unknown codec without room comes again after resume', async () => {
          await world.produceUnreadable(customer, 0, 2);
          let asked = 0;
          const { reader } = await started('a', (it, log) => {
            it.room = (record) => {
              if (asked++ > 0) return true;
              systemClock.after(1, () => log.resume([record]));
              return false;
            };
          });
          await vi.waitFor(() => expect(reader.unread).toMatchObject([{ from: 0, to: 1 }]), SOON);
        });
      });

    describe('where to begin', () => {
      test('begin is told what is committed, where the log lies, and whether the group is new', async () => {
        await world.produce(customer, 0, numbered(10));
        const first = await started('a');
        await vi.waitFor(() => expect(first.reader.taken).toHaveLength(10), SOON);
        expect(first.reader.begun.find((one) => nameOf(one.at) === nameOf(at(0)))?.bounds).toEqual({
          committed: undefined,
          low: 0,
          high: 10,
          fresh: true,
        });
        await first.log.commit([{ ...at(0), offset: 4 }]);
        await first.log.stop();
        await world.truncate(at(0), 2);
        const second = await started('b');
        await settled(second.reader, PARTITIONS);
        const told = (partition: number) => second.reader.begun.find((one) => nameOf(one.at) === nameOf(at(partition)))?.bounds;
        expect(told(0)).toEqual({ committed: 4, low: 2, high: 10, fresh: false });
        expect(told(1)).toEqual({ committed: undefined, low: 0, high: 0, fresh: false });
        await vi.waitFor(() => expect(second.reader.offsets(0)).toEqual(upTo(6, 4)), SOON);
      });

      test('begin decides, whatever is committed', async () => {
        await world.produce(customer, 0, numbered(10));
        const { reader } = await started('a', (it) => {
          it.beginAt = ({ topic, partition }) => ({ offset: topic === customer && partition === 0 ? 7 : 0 });
        });
        await vi.waitFor(() => expect(reader.offsets(0)).toEqual([7, 8, 9]), SOON);
      });

      test('nothing of a refused partition is read until it is begun again', async () => {
        await world.produce(customer, 0, numbered(3));
        await world.produce(customer, 1, numbered(3));
        let refuses = true;
        const { reader, log } = await started('a', (it) => {
          it.beginAt = ({ partition }, { low }) => (refuses && partition === 0 ? { refused: 'CANARY', why: 'a test' } : { offset: low });
        });
        await vi.waitFor(() => expect(reader.offsets(1)).toEqual([0, 1, 2]), SOON);
        log.resume([at(0)]);
        expect(reader.offsets(0)).toEqual([]);
        refuses = false;
        await log.again(at(0));
        await vi.waitFor(() => expect(reader.offsets(0)).toEqual([0, 1, 2]), SOON);
      });

      test('a partition that the reader itself gave up goes on where begin says', async () => {
        await world.produce(customer, 0, numbered(3));
        const { reader, log } = await started('a', (it) => {
          it.room = (record) => record.partition !== 0 || record.offset !== 2;
        });
        await vi.waitFor(() => expect(reader.offsets(0)).toEqual([0, 1]), SOON);
        reader.room = () => true;
        reader.beginAt = () => ({ offset: 1 });
        await log.again(at(0));
        await vi.waitFor(() => expect(reader.offsets(0)).toEqual([0, 1, 1, 2]), SOON);
      });

      test('begin that failed is asked again', async () => {
        await world.produce(customer, 0, numbered(1));
        let failures = 0;
        const { reader } = await started('a', (it) => {
          it.beginAt = ({ partition }) => {
            if (partition === 0 && failures++ === 0) throw new Error('the store is away');
            return { offset: 0 };
          };
        });
        await vi.waitFor(() => expect(reader.offsets(0)).toEqual([0]), SOON);
      });

      test('a log that expired below the position is refused, its neighbours go on', async () => {
        await world.produce(customer, 0, numbered(10));
        const { reader, log } = await started('a', (it) => {
          it.room = (record) => record.partition !== 0 || record.offset < 3;
        });
        await vi.waitFor(() => expect(reader.offsets(0)).toEqual([0, 1, 2]), SOON);
        await log.commit([{ ...at(0), offset: 3 }]);
        await world.truncate(at(0), 6);
        reader.room = () => true;
        log.resume([at(0)]);
        await vi.waitFor(() => expect(reader.refused).toMatchObject([{ partition: 0, code: 'COMMANDS_EXPIRED' }]), SOON);
        expect(reader.refused[0]?.why).toContain('expected offset 3, but the log begins at 6');
        await world.produce(customer, 1, numbered(2));
        await vi.waitFor(() => expect(reader.offsets(1)).toEqual([0, 1]), SOON);
        expect(reader.offsets(0)).toEqual([0, 1, 2]);
        expect(await world.committed(at(0))).toBe(3);
      });

      test('a log that ends below the position is refused', async () => {
        await world.produce(customer, 0, numbered(2));
        const { reader } = await started('a', (it) => {
          it.beginAt = ({ topic, partition }) => ({ offset: topic === customer && partition === 0 ? 50 : 0 });
        });
        await vi.waitFor(() => expect(reader.refused).toMatchObject([{ partition: 0, code: 'COMMANDS_RECREATED' }]), SOON);
        expect(await world.committed(at(0))).toBeUndefined();
      });
    });

    describe('sharing', () => {
      test('partition n of every lane topic is held by the same replica, and all are held', async () => {
        const a = await started('a');
        const b = await started('b');
        await settled(a.reader, PARTITIONS / 2);
        await settled(b.reader, PARTITIONS / 2);
        for (const { reader } of [a, b])
          expect([...reader.positions.keys()].sort()).toEqual(
            world.topics.flatMap((topic) => (reader.assignments.at(-1) ?? []).map((partition) => nameOf({ topic, partition }))).sort(),
          );
        const all = [...(a.reader.assignments.at(-1) ?? []), ...(b.reader.assignments.at(-1) ?? [])];
        expect(all.sort()).toEqual(upTo(PARTITIONS));
      });

      test('partitions that are kept are neither begun nor read again', async () => {
        for (const partition of upTo(PARTITIONS)) await world.produce(customer, partition, numbered(20));
        const a = await started('a');
        await vi.waitFor(() => expect(a.reader.taken).toHaveLength(120), SOON);
        const begun = a.reader.begun.length;
        const b = await started('b', (it) => {
          it.beginAt = (_, { high }) => ({ offset: high });
        });
        await settled(a.reader, PARTITIONS / 2);
        await settled(b.reader, PARTITIONS / 2);
        const kept = a.reader.assignments.at(-1) ?? [];
        for (const partition of kept) await world.produce(customer, partition, ['more']);
        await vi.waitFor(() => expect(a.reader.taken).toHaveLength(120 + kept.length), SOON);
        for (const partition of kept) expect(a.reader.offsets(partition)).toEqual(upTo(21));
        expect(a.reader.begun).toHaveLength(begun);
        expect(a.reader.ended).toHaveLength(PARTITIONS);
      });

      test('a newcomer takes only what is above a fair share, nothing moves between the others', async () => {
        const others = [await started('a'), await started('b')];
        for (const { reader } of others) await settled(reader, PARTITIONS / 2);
        const before = others.map(({ reader }) => reader.assignments.at(-1) ?? []);
        const newcomer = await started('c');
        await settled(newcomer.reader, PARTITIONS / 3);
        for (const { reader } of others) await settled(reader, PARTITIONS / 3);
        for (const [n, { reader }] of others.entries())
          expect(before[n]).toEqual(expect.arrayContaining([...(reader.assignments.at(-1) ?? [])]));
      });

      test('a partition without room that is kept waits on for resume', async () => {
        const a = await started('a', (it) => {
          it.room = (record) => record.offset < 2;
        });
        for (const partition of upTo(PARTITIONS)) await world.produce(customer, partition, numbered(4));
        await vi.waitFor(() => expect(a.reader.taken).toHaveLength(2 * PARTITIONS), SOON);
        const b = await started('b', (it) => {
          it.beginAt = (_, { high }) => ({ offset: high });
        });
        await settled(b.reader, PARTITIONS / 2);
        const [kept = 0] = a.reader.assignments.at(-1) ?? [];
        a.reader.room = () => true;
        await world.produce(customer, kept, ['4']);
        const beats = a.reader.beats;
        await vi.waitFor(() => expect(a.reader.beats).toBeGreaterThan(beats + 1), SOON);
        expect(a.reader.offsets(kept)).toEqual([0, 1]);
        a.log.resume([at(kept)]);
        await vi.waitFor(() => expect(a.reader.offsets(kept)).toEqual(upTo(5)), SOON);
      });

      test('whoever must share may commit first: the next one begins exactly there', async () => {
        const a = await started('a', (it, log) => {
          it.beforeSharing = () => commitAll(log, it);
        });
        for (const partition of upTo(PARTITIONS)) await world.produce(customer, partition, numbered(20));
        await vi.waitFor(() => expect(a.reader.taken).toHaveLength(120), SOON);
        const b = await started('b');
        await settled(b.reader, PARTITIONS / 2);
        expect(a.reader.rebalances).toBeGreaterThan(0);
        expect(b.reader.begun.filter((one) => one.at.topic === customer).map((one) => one.bounds.committed)).toEqual([20, 20, 20]);
        expect(b.reader.taken).toEqual([]);
      });

      test('what a leaving replica held is begun by those who stay', async () => {
        const a = await started('a');
        const b = await started('b');
        await settled(b.reader, PARTITIONS / 2);
        await settled(a.reader, PARTITIONS / 2);
        const gone = b.reader.assignments.at(-1) ?? [];
        await world.produce(customer, gone[0] ?? 0, numbered(5));
        await vi.waitFor(() => expect(b.reader.taken).toHaveLength(5), SOON);
        await b.log.commit([{ ...at(gone[0] ?? 0), offset: 3 }]);
        await b.log.stop();
        expect(b.reader.positions.size).toBe(0);
        await settled(a.reader, PARTITIONS);
        await vi.waitFor(() => expect(a.reader.offsets(gone[0] ?? 0)).toEqual([3, 4]), SOON);
      });

      test('a beginning that answers after the partition was lost is ended', async () => {
        let release: (begin: { offset: number }) => void = () => {};
        const slow = new Promise<{ offset: number }>((resolve) => {
          release = resolve;
        });
        const a = await started('a', (it) => {
          it.beginAt = (one, { low }) => (nameOf(one) === nameOf(at(0)) ? slow : { offset: low });
        });
        await vi.waitFor(() => expect(a.reader.positions.size).toBe(2 * PARTITIONS - 1), SOON);
        await a.log.stop();
        const ended = a.reader.ended.filter((name) => name === nameOf(at(0))).length;
        release({ offset: 0 });
        await vi.waitFor(() => expect(a.reader.ended.filter((name) => name === nameOf(at(0)))).toHaveLength(ended + 1), SOON);
        expect(a.reader.positions.size).toBe(0);
      });

      test('another life under the same name takes the seat, the first one is told that it is over', async () => {
        const first = await started('a');
        await settled(first.reader, PARTITIONS);
        const second = await started('a');
        await settled(second.reader, PARTITIONS);
        await vi.waitFor(() => expect(first.fatal).toHaveLength(1), SOON);
        expect(first.reader.positions.size).toBe(0);
        expect(second.fatal).toEqual([]);
        await world.produce(customer, 0, ['x']);
        await vi.waitFor(() => expect(second.reader.values()).toEqual(['x']), SOON);
        expect(first.reader.taken).toEqual([]);
      });

      test('whoever may not join is told so and reads nothing', async () => {
        await world.produce(customer, 0, ['x']);
        const a = replica('a', { mayJoin: async () => false });
        const fatal: string[] = [];
        const late = replica('b', { mayJoin: async () => false, onFatal: (why) => void fatal.push(why) });
        await late.log.start(late.reader);
        await vi.waitFor(() => expect(fatal).toHaveLength(1), SOON);
        expect(late.reader.assignments).toEqual([]);
        expect(a.reader.taken).toEqual([]);
      });
    });

    describe('committing', () => {
      test('a commit of a partition that was lost is refused and changes nothing', async () => {
        const a = await started('a');
        for (const partition of upTo(PARTITIONS)) await world.produce(customer, partition, numbered(10));
        await vi.waitFor(() => expect(a.reader.taken).toHaveLength(60), SOON);
        const b = await started('b', (it) => {
          it.room = () => false;
        });
        await settled(b.reader, PARTITIONS / 2);
        const [mine = 0] = a.reader.assignments.at(-1) ?? [];
        const [lost = 0] = b.reader.assignments.at(-1) ?? [];
        await expect(
          a.log.commit([
            { ...at(lost), offset: 10 },
            { ...at(mine), offset: 10 },
          ]),
        ).rejects.toMatchObject({ code: 'PARTITION_REFUSED' });
        expect(await world.committed(at(lost))).toBeUndefined();
        expect(await world.committed(at(mine))).toBe(10);
      });

      test('the reader is asked at the moment of sending', async () => {
        const { log, reader } = await started('a');
        await settled(reader, PARTITIONS);
        const commit = log.commit([{ ...at(0), offset: 0 }]);
        reader.mayCommit = () => false;
        await expect(commit).rejects.toMatchObject({ code: 'PARTITION_REFUSED' });
        expect(await world.committed(at(0))).toBeUndefined();
      });

      test('a late smaller commit, or a negative one, changes nothing', async () => {
        const { log, reader } = await started('a');
        await settled(reader, PARTITIONS);
        await world.produce(customer, 0, numbered(10));
        await vi.waitFor(() => expect(reader.taken).toHaveLength(10), SOON);
        await Promise.all([log.commit([{ ...at(0), offset: 8 }]), log.commit([{ ...at(0), offset: 5 }])]);
        await log.commit([{ ...at(0), offset: 8 }]);
        await log.commit([{ ...at(0), offset: 2 }]);
        await log.commit([{ ...at(0), offset: -2 }]).catch(() => {});
        expect(await world.committed(at(0))).toBe(8);
      });
    });

    describe('writing', () => {
      test('events are acknowledged under their address, in their order', async () => {
        const out = await writer();
        const events = upTo(3_000).map((n) => ({ address: `till/${n % 50}`, seq: 1 + Math.floor(n / 50), text: JSON.stringify({ n }) }));
        await Promise.all([out.events(events.slice(0, 1_000)), out.events(events.slice(1_000)), out.events([])]);
        const records = await world.records(world.eventsTopic);
        expect(records).toHaveLength(3_000);
        const ofOne = records.filter((record) => text(record.key) === 'till/7');
        expect(ofOne.map((record) => JSON.parse(text(record.value) ?? '').n)).toEqual(upTo(60).map((n) => n * 50 + 7));
        expect(new Set(ofOne.map((record) => record.partition))).toEqual(new Set([partitionOf('till/7', PARTITIONS)]));
        expect(text(ofOne[0]?.headers['content-type'])).toBe('application/cloudevents+json');
      });

      test('a command goes to the partition of its key, or to one by number', async () => {
        const out = await writer();
        const message = (value: string): LogMessage => ({ key: 'till/1', value });
        await Promise.all([out.command(customer, message('by key')), out.command(customer, message('by number'), 5)]);
        const records = await world.records(customer);
        expect(records.map((record) => [text(record.value), record.partition]).sort()).toEqual([
          ['by key', partitionOf('till/1', PARTITIONS)],
          ['by number', 5],
        ]);
      });

      test('a dead letter keeps its value and headers, byte for byte, also without a key', async () => {
        const out = await writer();
        const value = Buffer.from([0, 1, 254, 255]);
        await out.deadLetter({ key: null, value, headers: { dlq_reason: 'JSON_INVALID', dlq_key: Buffer.from([7]) } });
        await out.deadLetter({ key: Buffer.from('k'), value: null });
        const records = await world.records(world.deadLettersTopic);
        expect(records).toHaveLength(2);
        const bare = records.find((record) => record.key === null);
        expect([...(bare?.value ?? [])]).toEqual([...value]);
        expect(text(bare?.headers.dlq_reason)).toBe('JSON_INVALID');
        expect([...(bare?.headers.dlq_key ?? [])]).toEqual([7]);
        expect(records.find((record) => record.key !== null)?.value).toBeNull();
      });

      const letter = (id: string, bytes: number): LogMessage => ({ key: 'k', value: null, headers: { id, bulk: Buffer.alloc(bytes) } });
      const lettersThere = async () => (await world.records(world.deadLettersTopic)).map(({ headers }) => text(headers.id));

      test('messages that are too large only together are all taken', async () => {
        const out = await writer();
        await Promise.all(numbered(20).map((id) => out.deadLetter(letter(id, 100_000))));
        expect(await lettersThere()).toEqual(numbered(20));
      });

      if (brokers)
        test.each([
          ['than the log takes', 1_200_000],
          ['than a request may be', 110_000_000],
        ])('a message larger %s is refused by that name and is not there, and the next one is taken', async (_what, bytes) => {
          const out = await writer();
          await expect(out.deadLetter(letter('large', bytes))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
          await out.deadLetter(letter('small', 10));
          expect(await lettersThere()).toEqual(['small']);
        });
    });

    describe('looking', () => {
      /** Everything of a partition, as somebody reads it who goes on until there is no more. */
      async function everything(archive: Archive, partition: number, from = 0): Promise<readonly LogRecord[]> {
        const { low = 0, high = 0 } = (await archive.bounds(customer))[partition] ?? {};
        const found: LogRecord[] = [];
        for (let next = Math.max(from, low); next < high; ) {
          const page = await archive.read(at(partition), next);
          expect(page.next).toBeGreaterThan(next);
          expect(page.records.length).toBeGreaterThan(0);
          found.push(...page.records);
          next = page.next;
        }
        return found;
      }
      const looking = () => {
        const archive = world.archive();
        opened.push(archive);
        return archive;
      };

      test('finds each record once, in order, from any offset on, and disturbs nobody', async () => {
        await world.produce(customer, 2, numbered(30));
        const { log, reader } = await started('a');
        await vi.waitFor(() => expect(reader.taken).toHaveLength(30), SOON);
        await log.commit([{ ...at(2), offset: 7 }]);
        const archive = looking();
        expect((await archive.bounds(customer)).map(({ low, high }) => [low, high])).toEqual([0, 0, 30, 0, 0, 0].map((high) => [0, high]));
        expect((await everything(archive, 2)).map(({ offset }) => offset)).toEqual(upTo(30));
        expect((await everything(archive, 2, 11)).map(({ value }) => text(value))).toEqual(numbered(19, 11));
        expect(await everything(archive, 1)).toEqual([]);
        expect([await world.committed(at(2)), reader.taken.length]).toEqual([7, 30]);
      });

      test('shows records as they were written, and those that come later', async () => {
        const out = await writer();
        const archive = looking();
        const partition = partitionOf('till/1', PARTITIONS);
        expect(await everything(archive, partition)).toEqual([]);
        await out.command(customer, { key: 'till/1', value: Buffer.from([0, 255]), headers: { ce_id: 'x', raw: Buffer.from([7]) } });
        await out.command(customer, { key: 'till/1', value: null });
        const [first, second] = await everything(archive, partition);
        expect(first).toMatchObject({ topic: customer, partition, offset: 0 });
        expect([text(first?.key), [...(first?.value ?? [])], text(first?.headers.ce_id)]).toEqual(['till/1', [0, 255], 'x']);
        expect([[...(first?.headers.raw ?? [])], second?.value]).toEqual([[7], null]);
        expect(Math.abs((first?.appendedMs ?? 0) - Date.now())).toBeLessThan(5_000);
        expect(await archive.read(at(partition), 2)).toEqual({ records: [], next: 2 });
      });

      test('begins where the log begins now', async () => {
        await world.produce(customer, 0, numbered(10));
        await world.truncate(at(0), 6);
        const archive = looking();
        expect((await archive.bounds(customer))[0]).toEqual({ low: 6, high: 10 });
        expect((await everything(archive, 0)).map(({ offset }) => offset)).toEqual([6, 7, 8, 9]);
      });
    });
  });
}
