import { expect, test } from 'vitest';
import { simulate } from '../kit/simulate.ts';
import { Counter } from './counter.ts';
import { ParkingPlace } from './parking-place.ts';

test('a parking place keeps its promises under every fault of twenty seeds', async () => {
  const { counts, simulatedMs } = await simulate(ParkingPlace, {
    workload(chance) {
      const id = `P-${chance.below(6)}`;
      const plate = chance.pick(['AB-1', 'CD-2', 'EF-3']);
      if (chance.odds(0.4)) return { id, command: 'reserve', input: { plate, minutes: chance.between(1, 5) } };
      if (chance.odds(0.5)) return { id, command: 'park', input: { plate } };
      return { id, command: 'leave', input: {} };
    },
    seeds: 20,
  });
  expect(counts['turns done']).toBeGreaterThan(1_000);
  expect(counts.restarts).toBeGreaterThan(10);
  expect(simulatedMs).toBeGreaterThan(20 * 20_000);
}, 60_000);

test('an actor that cannot decide twice alike is found, with the seed that shows it', async () => {
  let calls = 0;
  const evolve = (state: { readonly count: number }, event: { readonly by: number }) => ({
    count: state.count + event.by + (calls++ % 7 === 6 ? 1 : 0),
  });
  const Forgetful: typeof Counter = { ...Counter, evolve };
  const run = simulate(Forgetful, {
    workload: (chance) => ({ id: 'a', command: 'count', input: { by: chance.between(1, 3) } }),
    seeds: 3,
    steps: 40,
  });
  await expect(run).rejects.toThrow(/breaks I\d+[\s\S]*from: \d+, seeds: 1/);
}, 60_000);
