import { expect, test } from 'vitest';
import { memoryLog } from '../../infra/memory/log.ts';
import type { LogFaults } from '../../infra/memory/log-faults.ts';
import type { Clock } from '../../src/ports.ts';
import { commitAll, recordingReader } from '../contract/recording-reader.ts';
import { TestClock } from '../runtime/test-clock.ts';

const TOPICS = ['commands', 'commands.bulk', 'events', 'letters'] as const;
const [customer, bulk, eventsTopic, deadLettersTopic] = TOPICS;
const PARTITIONS = 4;
const SESSION_MS = 3_000;

/** A replica's clock: while it is frozen nothing of the replica runs, and all of it comes late. */
class OwnClock implements Clock {
  frozen = false;
  readonly #clock: Clock;
  #late: (() => void)[] = [];
  constructor(clock: Clock) {
    this.#clock = clock;
  }
  now = () => this.#clock.now();
  monotonic = () => this.#clock.monotonic();
  after = (ms: number, wake: () => void) => {
    let over = false;
    const alarm = this.#clock.after(ms, () => this.#run(() => over || wake()));
    return {
      cancel() {
        over = true;
        alarm.cancel();
      },
    };
  };
  soon = (wake: () => void) => this.#clock.soon(() => this.#run(wake));
  #run(wake: () => void) {
    if (this.frozen) this.#late.push(wake);
    else wake();
  }
  thaw() {
    this.frozen = false;
    for (const wake of this.#late.splice(0)) this.#clock.soon(wake);
  }
}

function setup(draw: () => number = () => 0) {
  const clock = new TestClock();
  const log = memoryLog({ topics: TOPICS, partitions: PARTITIONS, clock, random: { next: draw } });
  async function replica(replicaId: string, before: readonly number[] = []) {
    const own = new OwnClock(clock);
    const reader = recordingReader();
    const fatal: string[] = [];
    const member = log.commandLog({
      groupId: 'g',
      replicaId,
      topics: [customer, bulk],
      sessionTimeoutMs: SESSION_MS,
      clock: own,
      before,
      mayJoin: async () => true,
      onFatal: (why) => void fatal.push(why),
    });
    reader.beforeSharing = () => commitAll(member, reader);
    await clock.run(member.start(reader));
    return { own, reader, member, fatal, held: () => reader.assignments.at(-1) ?? [] };
  }
  const produce = (value: string, partition = 0) => log.produce(customer, { key: null, value }, partition);
  return { clock, log, replica, produce, fault: (some: Partial<LogFaults>) => log.setFault(some) };
}
const at = (partition: number) => ({ topic: customer, partition });

test('a frozen replica loses its session, writes nothing when it wakes, and begins anew where the others left off', async () => {
  const it = setup();
  const [a, b] = [await it.replica('a'), await it.replica('b')];
  const [lost = 0] = a.held();
  it.produce('one', lost);
  await it.clock.advance(100);
  expect(a.reader.values()).toEqual(['one']);
  a.own.frozen = true;
  await it.clock.advance(SESSION_MS + 1_000);
  expect(b.held()).toHaveLength(PARTITIONS);
  expect(a.held()).toHaveLength(PARTITIONS / 2);
  it.produce('two', lost);
  await it.clock.advance(100);
  expect(b.reader.values()).toEqual(['one', 'two']);
  await b.member.commit([{ ...at(lost), offset: 2 }]);
  const zombie = expect(a.member.commit([{ ...at(lost), offset: 1 }])).rejects.toMatchObject({ code: 'PARTITION_REFUSED' });
  a.own.thaw();
  await it.clock.advance(1_000);
  await zombie;
  expect(it.log.committed('g', at(lost))).toBe(2);
  expect(a.reader.ended).toContain(`${customer}/${lost}`);
  const [gained = 0] = a.held();
  expect(a.reader.begun.filter(({ at: { topic, partition } }) => topic === customer && partition === gained).at(-1)?.bounds.committed).toBe(
    0,
  );
  expect([a.held().length, b.held().length]).toEqual([2, 2]);
});

test('a frozen replica whose name another life has taken ends when it wakes', async () => {
  const it = setup();
  const first = await it.replica('a');
  first.own.frozen = true;
  const second = await it.replica('a');
  expect(second.held()).toHaveLength(PARTITIONS);
  first.own.thaw();
  await it.clock.advance(1_000);
  expect(first.fatal).toHaveLength(1);
  expect([second.fatal, second.reader.positions.size]).toEqual([[], 2 * PARTITIONS]);
});

test('while a silent replica is waited for nobody reads', async () => {
  const it = setup();
  const [a, b] = [await it.replica('a'), await it.replica('b')];
  a.own.frozen = true;
  const joining = it.replica('c');
  await it.clock.advance(1_000);
  const [partition = 0] = b.held();
  it.produce('waits', partition);
  const beats = b.reader.beats;
  await it.clock.advance(1_000);
  expect([b.reader.values(), b.reader.beats]).toEqual([[], beats]);
  await it.clock.advance(SESSION_MS);
  const c = await joining;
  expect([...b.reader.values(), ...c.reader.values()]).toEqual(['waits']);
});

test('offsets that arrive after the group has shared anew are refused, whoever holds the partition', async () => {
  const it = setup(() => 0.5);
  const a = await it.replica('a');
  a.reader.beforeSharing = async () => {};
  it.produce('one', 3);
  await it.clock.advance(100);
  it.fault({ commitMs: 4_000 });
  const commit = expect(a.member.commit([{ ...at(3), offset: 1 }])).rejects.toMatchObject({ code: 'PARTITION_REFUSED' });
  await it.clock.advance(10);
  await it.replica('b');
  await it.clock.advance(4_000);
  await commit;
  expect(it.log.committed('g', at(3))).toBeUndefined();
});

test('a fetch may take its time, and may bring what was read already', async () => {
  const it = setup(() => 0.5);
  const { reader } = await it.replica('a');
  it.fault({ fetchMs: 1_000 });
  for (let n = 0; n < 6; n++) it.produce(String(n));
  await it.clock.advance(400);
  expect(reader.offsets(0)).toEqual([]);
  await it.clock.advance(200);
  expect(reader.offsets(0)).toEqual([0, 1, 2, 3, 4, 5]);
  it.fault({ fetchMs: 0, repeatRate: 1 });
  it.produce('6');
  await it.clock.advance(10);
  expect(reader.offsets(0)).toEqual([0, 1, 2, 3, 4, 5, 2, 3, 4, 5, 6]);
});

test('what was fetched may be read after the last commit before the group shares', async () => {
  const it = setup();
  const a = await it.replica('a');
  it.fault({ fetchMs: 100_000, lateBatchRate: 1 });
  it.produce('one', 3);
  const { reader } = a;
  reader.beforeSharing = async () => {
    await commitAll(a.member, reader);
    it.produce('late', 3);
  };
  const b = await it.replica('b');
  it.fault({ fetchMs: 0 });
  await it.clock.advance(1_000);
  expect(reader.values()).toContain('late');
  expect(b.reader.values()).toContain('late');
});

test('a replica that is cut off reads nothing, loses its session, and is back once it is reached again', async () => {
  const it = setup();
  const [a, b] = [await it.replica('a'), await it.replica('b')];
  const [lost = 0] = a.held();
  a.member.cut(true);
  const beats = a.reader.beats;
  it.produce('one', lost);
  await it.clock.advance(SESSION_MS + 1_000);
  await expect(it.clock.run(a.member.commit([{ ...at(lost), offset: 0 }]))).rejects.toMatchObject({ code: 'LOG_UNACKNOWLEDGED' });
  expect([a.reader.values(), a.reader.beats, b.reader.values()]).toEqual([[], beats, ['one']]);
  a.member.cut(false);
  await it.clock.advance(2_000);
  expect([a.held().length, b.held().length]).toEqual([2, 2]);
  expect(a.reader.beats).toBeGreaterThan(beats);
});

test('brokers that are gone for long end no session', async () => {
  const it = setup();
  const a = await it.replica('a');
  const writer = it.log.writer({ eventsTopic, deadLettersTopic });
  it.fault({ away: true });
  it.produce('one');
  await it.clock.advance(10 * SESSION_MS);
  await expect(it.clock.run(writer.command(customer, { key: 'k', value: 'v' }))).rejects.toMatchObject({ code: 'LOG_DOWN' });
  expect(a.reader.values()).toEqual([]);
  it.fault({ away: false });
  await it.clock.advance(1_000);
  expect([a.reader.values(), a.reader.assignments.length]).toEqual([['one'], 1]);
});

test('a client that begins anew keeps its seat and reads on from what is committed', async () => {
  const it = setup();
  const [a, b] = [await it.replica('a'), await it.replica('b')];
  const [mine = 0] = a.held();
  for (const value of ['one', 'two']) it.produce(value, mine);
  await it.clock.advance(100);
  await it.clock.run(a.member.commit([{ ...at(mine), offset: 1 }]));
  const told = b.reader.assignments.length;
  a.member.restart();
  await it.clock.advance(1_000);
  expect(a.reader.values()).toEqual(['one', 'two', 'two']);
  expect(b.reader.assignments).toHaveLength(told);
});

test('who comes back after its session claims what it had, behind those who hold it by now', async () => {
  const it = setup();
  const [a, c] = await Promise.all([it.replica('a', [2]), it.replica('c', [3, 1])]);
  expect([a.held(), c.held()]).toEqual([
    [0, 2],
    [1, 3],
  ]);
  const late = await it.replica('d', [0]);
  expect(a.held().concat(c.held())).toContain(0);
  expect(late.held()).toHaveLength(1);
});

test('a write that lost its acknowledgement is appended once, or twice by a producer that sent again', async () => {
  const it = setup(() => 0.5);
  const seen: number[] = [];
  const writer = it.log.writer({ eventsTopic, deadLettersTopic, appended: (record) => seen.push(record.offset) });
  const write = () => it.clock.run(writer.command(customer, { key: null, value: 'v' }, 0));
  it.fault({ lostAckRate: 1, lateWriteMs: 2_000 });
  await expect(write()).rejects.toMatchObject({ code: 'LOG_UNACKNOWLEDGED' });
  await it.clock.advance(3_000);
  expect(seen).toEqual([0]);
  it.fault({ duplicateOnLostAck: true });
  await expect(write()).rejects.toMatchObject({ code: 'LOG_UNACKNOWLEDGED' });
  await it.clock.advance(999);
  expect(seen).toEqual([0, 1]);
  await it.clock.advance(3_000);
  expect(seen).toEqual([0, 1, 2]);
});

test('a lost write never arrives, or late', async () => {
  const it = setup(() => 0.5);
  const writer = it.log.writer({ eventsTopic, deadLettersTopic });
  it.fault({ lostWriteRate: 1 });
  const write = () => it.clock.run(writer.command(customer, { key: null, value: 'v' }, 0));
  await expect(write()).rejects.toMatchObject({ code: 'LOG_UNACKNOWLEDGED' });
  await it.clock.advance(60_000);
  expect(it.log.records(customer)).toHaveLength(0);
  it.fault({ lateWriteMs: 2_000 });
  await expect(write()).rejects.toMatchObject({ code: 'LOG_UNACKNOWLEDGED' });
  await it.clock.advance(2_000);
  expect(it.log.records(customer)).toHaveLength(1);
});
