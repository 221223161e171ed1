import { expect, it } from 'vitest';
import { memoryDisk } from '../../infra/memory/disk.ts';
import { memoryRegistry } from '../../infra/memory/registry.ts';
import { memoryStateStore } from '../../infra/memory/state-store.ts';
import type { Applied } from '../../src/ports.ts';
import { Partitions } from '../../src/runtime/partitions.ts';
import { quiet } from '../contract/quiet.ts';
import { held } from './bundle.ts';
import { TestClock } from './test-clock.ts';

const at = { topic: 'commands', partition: 0 };
const bounds = (high: number) => ({ committed: 150, low: 0, high, fresh: false });

/** A partition of which the store has applied 155; what it answers when it is asked for that passes `answers`. */
async function applied(answers = async (it: Applied | undefined) => it) {
  const clock = new TestClock();
  const disk = memoryDisk(clock);
  const store = memoryStateStore(disk, { random: { next: () => 0.5, hex: () => '00' } });
  await store.start();
  const asked = store.applied.bind(store);
  store.applied = async (key) => answers(await asked(key));
  const generation = await store.setGeneration(1, undefined);
  await store.setApplied({ group: 'g', ...at }, 155, 0, generation);
  const nothing = () => {};
  return new Partitions({
    store,
    registry: memoryRegistry(disk),
    clock,
    log: quiet,
    group: 'g',
    topic: 'commands',
    lanes: ['commands'],
    count: 1,
    gained: nothing,
    lost: nothing,
  });
}

it('looks at the end of a log again, when whoever held the partition may have gone on since it looked', async () => {
  const partitions = await applied();
  await expect(partitions.begin(at, bounds(154))).rejects.toThrow('its end is looked at again');
  expect(partitions.refused).toEqual([]);
  expect(await partitions.begin(at, bounds(155))).toEqual({ offset: 150 });
});

it('refuses a log that ends below what was applied before its end was looked at', async () => {
  const partitions = await applied();
  await expect(partitions.begin(at, bounds(154))).rejects.toThrow('its end is looked at again');
  expect(await partitions.begin(at, bounds(154))).toMatchObject({ refused: 'COMMANDS_RECREATED' });
  expect(partitions.refused).toMatchObject([{ ...at, code: 'COMMANDS_RECREATED' }]);
});

it('does not take for a loss what was applied while it asked how much had been', async () => {
  const answer = held();
  let asked = () => {};
  const asks = new Promise<void>((resolve) => {
    asked = resolve;
  });
  let isLate = false;
  const partitions = await applied(async (it) => {
    if (isLate) asked();
    if (isLate) await answer.gate;
    return it;
  });
  await partitions.begin(at, bounds(160));
  partitions.start({ commit: async () => {}, again: async () => {} });
  isLate = true;
  partitions.recheck();
  await asks;
  const tracker = partitions.tracker(at);
  const slot = tracker?.open(150, 0, 159);
  if (slot !== undefined) tracker?.close(slot);
  await partitions.checkpoint();
  expect(tracker?.applied).toBe(160);
  answer.release();
  expect(await partitions.checked(0)).toBe(partitions.generation);
  expect(partitions.refused).toEqual([]);
  partitions.stop();
});
