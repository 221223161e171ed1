import { expect, test } from 'vitest';
import { memoryDisk } from '../../infra/memory/disk.ts';
import { memoryRegistry } from '../../infra/memory/registry.ts';
import { memoryStateStore } from '../../infra/memory/state-store.ts';
import { systemRandom } from '../../src/random.ts';
import { TestClock } from '../runtime/test-clock.ts';

const item = (offset: number, commandId: string) => ({ lane: 'customer' as const, offset, commandId, text: '{}' });
const entry = { status: 'inboxed' as const, hash: 'h'.repeat(43), text: '{"t":1}' };
const event = (seq: number) => ({ address: 't/1', seq, text: `{"seq":${seq}}` });

async function setup() {
  const disk = memoryDisk(new TestClock());
  const store = memoryStateStore(disk, { random: systemRandom });
  await store.start();
  const generation = await store.setGeneration(1, undefined);
  const claim = async () => {
    const got = await store.claim('t/1', 'me', generation);
    if (got.kind !== 'claimed') throw new Error(got.kind);
    return got.claim;
  };
  return { disk, store, generation, claim };
}

test('an appender that dies between its two writes leaves an item that nobody sees until it is appended again', async () => {
  const { disk, store, generation, claim } = await setup();
  disk.loseRequests(1, 1);
  expect(await store.append('t/1', item(7, 'c'), entry, generation)).toMatchObject({ kind: 'unanswered' });
  expect(await store.recall('t/1', ['c'])).toEqual([{ entry }]);
  expect(await store.inbox('t/1', 'customer', 10)).toEqual([]);
  const mine = await claim();
  await store.mark(mine, 0);
  expect(await store.unmark(mine, 0)).toEqual({ kind: 'ok' });
  expect(await store.append('t/1', item(7, 'c'), entry, generation)).toEqual({ kind: 'known', entry });
  expect(await store.inbox('t/1', 'customer', 10)).toEqual([item(7, 'c')]);
});

test('a trimmer that dies between its two writes leaves a name that is found to be empty', async () => {
  const { disk, store, generation, claim } = await setup();
  await store.append('t/1', item(7, 'c'), entry, generation);
  const mine = await claim();
  disk.loseRequests(1, 1);
  expect(await store.trim(mine, { inbox: [item(7, 'c')] })).toMatchObject({ kind: 'unanswered' });
  expect((await store.read('t/1'))?.inbox).toEqual({ customer: 1, bulk: 0 });
  expect(await store.inbox('t/1', 'customer', 10)).toEqual([]);
  expect((await store.read('t/1'))?.inbox).toEqual({ customer: 0, bulk: 0 });
});

test('a lost tail takes the last writes and nothing before them', async () => {
  const { disk, store, claim } = await setup();
  const registry = memoryRegistry(disk);
  const change = (seq: number) => ({
    seq,
    unrecorded: [],
    events: [event(seq + 1)],
    entries: [],
    records: [],
    header: { state: `${seq}` },
  });
  const first = await claim();
  await store.commit(first, change(0));
  await registry.register('r-1', 'http://one');
  disk.sync();
  await store.commit(first, change(1));
  await store.mark(first, 0);
  await store.commit(first, change(2));
  await registry.register('r-1', 'http://one');
  expect(await store.read('t/1')).toMatchObject({ seq: 3 });
  disk.loseTail(2);
  expect(await store.read('t/1')).toMatchObject({ epoch: first.epoch, seq: 2, header: { state: '1' } });
  expect([await store.marked(0), await registry.highestLife('r-1')]).toEqual([['t/1'], 1]);
  expect(await store.commit(first, change(2))).toEqual({ kind: 'new-life' });
  disk.loseTail(100);
  expect(await store.read('t/1')).toMatchObject({ seq: 2 });
  expect(disk.locations.get('t/1')?.events.size).toBe(2);
});

test('what was never synced by name cannot be lost: acknowledged means on disk', async () => {
  const { disk } = await setup();
  expect(() => disk.loseTail(1)).toThrow('before the first sync');
});
