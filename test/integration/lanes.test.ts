import { afterAll, beforeAll, expect, test } from 'vitest';
import { command, loaded } from '../bench/ground.ts';
import { p99, waits } from '../bench/lanes.ts';
import { type Town, town } from './town.ts';
import { until } from './until.ts';

/** `npm run bench -- lanes` does it with 100,000. */
const BULK = 10_000;
const LOCATIONS = 500;

let it: Town;
beforeAll(async () => {
  it = await town();
});
afterAll(() => it.stop());

test(`a backlog of ${BULK} bulk commands does not raise the customers' p99 by more than half, and is worked off beside them`, async () => {
  const bulk = `${it.topics.commands}.bulk`;
  const within = (ms: number) => () => ms;
  const first = await it.replica('a');
  await waits(first.url, it.name, within(1_500));
  const before = p99(await waits(first.url, it.name, within(3_000)));
  first.signal('SIGTERM');
  await first.gone;
  const backlog = Array.from({ length: BULK }, (_, n) => command(it.name, n % LOCATIONS, 'load', `b-${n}`, loaded(1)));
  for (let at = 0; at < BULK; at += 1_000)
    await it.producer.send({ topic: bulk, acks: -1, messages: backlog.slice(at, at + 1_000).map((message) => ({ ...message })) });

  const second = await it.replica('a');
  const applied = async () => {
    const [offsets] = await it.admin.fetchOffsets({ groupId: it.name, topics: [bulk] });
    return offsets?.partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0) ?? 0;
  };
  let over = false;
  const worked = until('the backlog is worked off', async () => (await applied()) === BULK, 30_000).finally(() => {
    over = true;
  });
  await waits(second.url, it.name, within(1_500));
  const beside = p99(await waits(second.url, it.name, (elapsedMs) => (over ? elapsedMs : Number.POSITIVE_INFINITY)));
  await worked;
  // What the machine itself does is in both: the calmer of two looks would blame bulk for it.
  const after = p99(await waits(second.url, it.name, within(3_000)));
  process.stdout.write(`lanes: p99 alone ${before.toFixed(1)} and ${after.toFixed(1)} ms, beside bulk ${beside.toFixed(1)} ms\n`);
  expect(beside).toBeLessThanOrEqual(1.5 * Math.max(before, after));
});
