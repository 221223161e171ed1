/** The note mix: exact, the fewest, always the same, and in bounded time whatever is asked. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { booked, type Cash, type Notes, notesFor, worth } from '../../actors/cash-location/cassettes.ts';

const notesOf = (amount: number, stock: Notes) => notesFor(amount, loaded(Object.entries(stock)));
/** In the order in which they came. */
const loaded = (stock: readonly (readonly [string, number])[]) =>
  stock.reduce<Cash>((cash, [denomination, held]) => booked(cash, 'USD', { [denomination]: held }, (it) => ({ ...it, held })), {}).USD ??
  [];

test.each<readonly [number, Notes, Notes | undefined]>([
  [60, { 50: 1, 20: 3 }, { 20: 3 }],
  [6000, { 2000: 10, 5000: 10 }, { 2000: 3 }],
  [8000, { 2000: 10, 5000: 10, 1000: 1 }, { 5000: 1, 2000: 1, 1000: 1 }],
  [30, { 10: 9, 20: 1, 25: 1, 5: 1 }, { 25: 1, 5: 1 }],
  [40, { 10: 4, 20: 2, 30: 1 }, { 30: 1, 10: 1 }],
  [30, { 20: 5 }, undefined],
  [3000, { 2000: 5, 5000: 5 }, undefined],
  [100, { 20: 4 }, undefined],
  [100, {}, undefined],
  [100, { 100: 0 }, undefined],
  [9_007_199_254_740_991, { 1: 9_007_199_254_740_991 }, { 1: 9_007_199_254_740_991 }],
])('%i of %j is %j', (amount, cassettes, mix) => expect(notesOf(amount, cassettes)).toEqual(mix));

test('any amount and any cassettes: what an exhaustive search finds, with as few notes', () => {
  const cassettes = fc.dictionary(fc.constantFrom('1', '3', '5', '7', '10', '20', '25', '50'), fc.integer({ min: 0, max: 4 }), {
    maxKeys: 5,
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 150 }), cassettes, (amount, stock) => {
      const mix = notesOf(amount, stock);
      expect(mix && fewest(mix)).toBe(exhaustive(amount, Object.entries(stock)));
      if (!mix) return;
      expect(worth(mix)).toBe(amount);
      for (const [denomination, count] of Object.entries(mix)) expect(count).toBeLessThanOrEqual(stock[denomination] ?? 0);
      expect(notesFor(amount, loaded(Object.entries(stock).reverse()))).toEqual(mix);
    }),
    { numRuns: 2_000 },
  );
});

const primes = [99_991, 99_989, 99_971, 99_961, 99_929, 99_923, 99_907, 99_901, 99_881, 99_877, 99_871, 99_859, 99_839, 99_833, 99_829];
test.each<readonly [string, number, Notes]>([
  [
    'twenty denominations of a real currency, deep cassettes',
    1_234_500,
    Object.fromEntries([...Array(20)].map((_, i) => [(i + 1) * 500, 3_000])),
  ],
  ['large primes, one of each', 749_999, Object.fromEntries(primes.map((it) => [it, 1]))],
  ['large primes, many of each', 123_456_789, Object.fromEntries(primes.map((it) => [it, 1_000_000]))],
  ['a huge amount of huge stocks', 9_007_199_254_740_881, { 3: 1_000_000_000_000_000, 7: 500_000_000_000_000, 11: 100_000_000_000_000 }],
  ['just out of reach', 999_999, { 2: 400_000, 999998: 1, 4: 1_000, 6: 1_000, 10: 1_000 }],
])('the work is bounded: %s', (_, amount, cassettes) => {
  const start = performance.now();
  const mix = notesOf(amount, cassettes);
  expect(performance.now() - start).toBeLessThan(500);
  if (mix) expect(worth(mix)).toBe(amount);
});

const fewest = (mix: Notes) => Object.values(mix).reduce((sum, count) => sum + count, 0);
function exhaustive(amount: number, stock: readonly (readonly [string, number])[]): number | undefined {
  if (amount === 0) return 0;
  const [first, ...others] = stock;
  if (!first || amount < 0) return undefined;
  let best: number | undefined;
  for (let count = 0; count <= first[1]; count += 1) {
    const rest = exhaustive(amount - count * Number(first[0]), others);
    if (rest !== undefined && (best === undefined || rest + count < best)) best = rest + count;
  }
  return best;
}
