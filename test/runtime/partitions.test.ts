import { expect, it } from 'vitest';
import { memoryDisk } from '../../infra/memory/disk.ts';
import { memoryRegistry } from '../../infra/memory/registry.ts';
import { memoryStateStore } from '../../infra/memory/state-store.ts';
import { Partitions } from '../../src/runtime/partitions.ts';
import { quiet } from '../contract/quiet.ts';
import { TestClock } from './test-clock.ts';

const at = { topic: 'commands', partition: 0 };
const bounds = (high: number) => ({ committed: 150, low: 0, high, fresh: false });

/** A partition of which the store has applied 155. */
async function applied() {
  const clock = new TestClock();
  const disk = memoryDisk(clock);
  const store = memoryStateStore(disk, { random: { next: () => 0.5, hex: () => '00' } });
  await store.start();
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
