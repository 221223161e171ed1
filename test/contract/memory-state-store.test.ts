import { expect, test } from 'vitest';
import { memoryDisk } from '../../infra/memory/disk.ts';
import { memoryStateStore } from '../../infra/memory/state-store.ts';
import { systemClock } from '../../src/clock.ts';
import { systemRandom } from '../../src/random.ts';
import { stateStoreSuite } from './state-store-suite.ts';

stateStoreSuite('the state store in memory', async () => {
  const disk = memoryDisk(systemClock);
  return {
    open: () => memoryStateStore(disk, { random: systemRandom }),
    restart: async () => disk.restart(),
    kill: async () => disk.goDown(),
    freeze: () => disk.freeze(),
    thaw: () => disk.thaw(),
    flush: async () => disk.flush(),
    forgetScripts: async () => {},
    stop: async () => {},
  };
});

test('a request that is lost on its way is unanswered and was never executed', async () => {
  const disk = memoryDisk(systemClock);
  const store = memoryStateStore(disk, { random: systemRandom });
  await store.start();
  const generation = await store.setGeneration(1, undefined);
  disk.loseRequests(1);
  expect(await store.claim('t/1', 'me', generation)).toMatchObject({ kind: 'unanswered' });
  expect(await store.read('t/1')).toBeUndefined();
  disk.loseReplies(1);
  expect(await store.claim('t/1', 'me', generation)).toMatchObject({ kind: 'unanswered' });
  expect(await store.read('t/1')).toMatchObject({ owner: 'me' });
});

test('a store that is not durable is refused at start with every fault', async () => {
  const disk = memoryDisk(systemClock);
  disk.forbid('appendfsync', 'no', 'must be always');
  const store = memoryStateStore(disk, { random: systemRandom });
  await expect(store.start()).rejects.toMatchObject({ code: 'STORE_POLICY', faults: [{ field: 'appendfsync' }] });
});
