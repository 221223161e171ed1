/** The memory log held to the real one by random requests, rebalances included; `npm run sim -- --twins` plays many more. */
import { expect, inject, test } from 'vitest';
import { logSequence, TWIN_PARTITIONS } from '../simulation/twins/log.ts';
import { kafkaLogWorld } from './kafka-world.ts';
import { memoryLogWorld } from './memory-world.ts';

test.each([1, 2, 3, 4, 5, 6, 7, 8])('the log in memory does as Kafka does, seed %i', async (seed) => {
  const worlds = [memoryLogWorld(TWIN_PARTITIONS), await kafkaLogWorld(inject('brokers').split(','), TWIN_PARTITIONS)] as const;
  const tally = await logSequence(seed, worlds);
  await Promise.all(worlds.map((world) => world.stop()));
  expect(tally.rebalances).toBeGreaterThan(0);
});
