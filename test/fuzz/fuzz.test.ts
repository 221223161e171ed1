/** Requests and records from the actors' schemas and broken variants: no crash, no 5xx, nothing changed that should not be; `npm run fuzz` plays many more. */
import { describe, expect, it } from 'vitest';
import { bent } from '../runtime/bundle.ts';
import { round } from './round.ts';

describe('whatever is sent', () => {
  it.each([101, 102, 103])('is answered as documented and leaves the books right, seed %i', { timeout: 60_000 }, async (seed) => {
    const tally = await round({ seed, cases: 1_000 });
    expect(tally.requests + tally.records).toBe(1_000);
    expect(tally.dispensed).toBeGreaterThan(10);
    expect(Math.min(tally.accepted, tally.refused, tally.records)).toBeGreaterThan(100);
  });
});

describe('a round', () => {
  it('finds a 5xx and names the case', async () => {
    let calls = 0;
    const wrap = bent((store) => ({
      recall: (address, ids) => (++calls === 50 ? Promise.reject(new TypeError('odd')) : store.recall(address, ids)),
    }));
    await expect(round({ seed: 1, cases: 400 }, { wrap })).rejects.toThrow(/^seed 1, case \d+, .*answered 500/);
  });
});
