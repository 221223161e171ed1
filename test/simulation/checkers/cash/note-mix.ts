/** How few notes make an amount exactly: counted through all sums, slower and simpler than what it checks. */
import type { Row } from './cash-fold.ts';

const SUMS_MAX = 20_000;

/** The least number of notes that make `amount`; Infinity: none do; undefined: too many sums to look at. */
export function fewestNotes(amount: number, cassettes: readonly Pick<Row, 'denomination' | 'held'>[]): number | undefined {
  const stock = cassettes
    .map(({ denomination, held }) => ({ value: denomination, count: held }))
    .filter(({ value, count }) => count > 0 && value <= amount);
  const unit = stock.reduce((divisor, { value }) => gcd(value, divisor), 0);
  if (unit === 0 || amount % unit !== 0) return Number.POSITIVE_INFINITY;
  const size = amount / unit;
  if (size > SUMS_MAX) return undefined;
  let fewest = new Float64Array(size + 1).fill(Number.POSITIVE_INFINITY);
  fewest[0] = 0;
  for (const { value, count } of stock) {
    const next = fewest.slice();
    const step = value / unit;
    for (let sum = step; sum <= size; sum++)
      for (let taken = 1; taken <= count && taken * step <= sum; taken++)
        next[sum] = Math.min(next[sum] as number, (fewest[sum - taken * step] as number) + taken);
    fewest = next;
  }
  return fewest[size] as number;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
