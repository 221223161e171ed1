/** A batch is handed over in slices; between two of them anything may happen to its partition. */
import type { Admin, Batch } from 'kafkajs';
import { beforeEach, expect, test } from 'vitest';
import { Positions } from '../../infra/kafka/positions.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import type { LogReader } from '../../src/ports.ts';

const AT = { topic: 'commands', partition: 0 };
const RECORDS = 100;

let taken: number[];
let resolved: string[];
/** What waits for the event loop to come round. */
let soon: (() => void)[];
let next: number;
let room: number;
let positions: Positions;

beforeEach(async () => {
  [taken, resolved, soon, next, room] = [[], [], [], 0, Number.POSITIVE_INFINITY];
  const reader = {
    begin: async () => ({ offset: 0 }),
    end() {},
    next: () => next,
    take: ({ offset }: { readonly offset: number }) => taken.length < room && taken.push(offset) > 0,
    assigned() {},
  } as unknown as LogReader;
  const admin = {
    fetchOffsets: async () => [{ topic: AT.topic, partitions: [{ partition: 0, offset: '0' }] }],
    fetchTopicOffsets: async () => [{ partition: 0, low: '0', high: String(RECORDS) }],
  } as unknown as Admin;
  const resumed = new Promise<void>((resolve) => {
    const clock: Clock = { ...systemClock, soon: (wake) => void soon.push(wake) };
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const consumer = { seek() {}, pause() {}, resume: () => resolve() };
    positions = new Positions({ consumer, admin, groupId: 'g', topics: [AT.topic], clock, log }, reader);
  });
  positions.assign([AT], false);
  await resumed;
});

function read(isStale = () => false): Promise<void> {
  const messages = Array.from({ length: RECORDS }, (_, n) => ({ offset: String(n), key: null, value: null, timestamp: '0', headers: {} }));
  const batch = { ...AT, messages, lastOffset: () => String(RECORDS - 1) } as unknown as Batch;
  return positions.read({ batch, resolveOffset: (offset) => void resolved.push(offset), isStale });
}
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);
/** Lets the next slice begin, and waits until it is handed over. */
async function slice(): Promise<void> {
  soon.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
}

test('others have their turn between slices, and every record is handed over once, in order', async () => {
  const done = read();
  expect(taken).toEqual(upTo(32));
  while (soon.length > 0) await slice();
  await done;
  expect(taken).toEqual(upTo(RECORDS));
  expect(resolved).toEqual(['31', '63', '95', '99']);
});

test.each<readonly [string, () => void]>([
  ['a partition that is read from elsewhere', () => positions.assign([AT], true)],
  ['a partition that was lost', () => positions.assign([], false)],
  ['a partition that was lost and is back', () => positions.assign([AT], false)],
  ['a reader that takes nothing up any more', () => positions.hold()],
])('%s is handed nothing more of a batch that was begun before', async (_, happens) => {
  const done = read();
  next = 5;
  happens();
  await slice();
  await done;
  expect(taken).toEqual(upTo(32));
});

test('a batch that became stale ends with its slice', async () => {
  let isStale = false;
  const done = read(() => isStale);
  isStale = true;
  await slice();
  await done;
  expect(taken).toEqual(upTo(32));
});

test('without room the rest is not handed over, and where it begins is told', async () => {
  room = 40;
  const done = read();
  await slice();
  await done;
  expect([taken, resolved]).toEqual([upTo(40), ['31', '39']]);
});
