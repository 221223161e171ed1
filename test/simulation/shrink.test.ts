import { expect, test } from 'vitest';
import type { Fault } from './faults.ts';
import type { Ask, Report } from './run.ts';
import { shrunk } from './shrink.ts';

const ALL = Array.from({ length: 40 }, (_, place) => place);
const fault: Fault = { atMs: 1, kind: 'amnesia' };

/** A run that breaks I1 when faults 7 and 23 are both there and it has at least 130 steps. */
async function run({ seed, steps, only = ALL }: Ask): Promise<Report> {
  const isBroken = only.includes(7) && only.includes(23) && steps >= 130;
  const base = { seed, steps, simulatedMs: 1, events: 1, counts: {}, hash: '', faults: only.map((place) => ({ place, fault })) };
  return isBroken ? { ...base, violation: { invariant: 'I1', message: 'broken' } } : base;
}

test('leaves nothing in that is not needed', async () => {
  const ask = { seed: 1, steps: 2_000 };
  const { ask: small, report } = await shrunk(ask, await run(ask), run);
  expect(small).toEqual({ seed: 1, steps: 130, only: [7, 23] });
  expect(report.violation?.invariant).toBe('I1');
});
