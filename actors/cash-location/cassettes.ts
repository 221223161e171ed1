/** Notes by denomination: how many are where, and choosing the fewest that make an amount exactly. */

/** How many notes of each denomination (minor units), such as `{"2000":3}`. */
export type Notes = Readonly<Record<string, number>>;

export const NONE: Notes = {};

/** Of one currency: what a location can hold, and what one message can name. */
export const DENOMINATIONS_MAX = 20;

/**
 * Where the notes of one denomination (minor units) are: held in the cassette, taken by customers, retracted after they left them, rejected
 * before they saw them. `supplied` were loaded, or found and missed when counted: what all the others, and what is in doubt, must add up to.
 */
export type Cassette = {
  readonly denomination: number;
  readonly held: number;
  readonly taken: number;
  readonly retracted: number;
  readonly rejected: number;
  readonly supplied: number;
};
/** The cassettes of each currency, the largest denomination first; one that became empty stays. */
export type Cash = Readonly<Record<string, readonly Cassette[]>>;

/**
 * Books `notes`, denomination by denomination. Counts may become negative, and the invariants then say so. Rows, and not objects by
 * denomination: V8 keeps such keys in a hash table, and every turn looks at all of them.
 */
export function booked(cash: Cash, currency: string, notes: Notes, book: (cassette: Cassette, count: number) => Cassette): Cash {
  let all: Cassette[] | undefined;
  for (const name in notes) {
    const denomination = Number(name);
    const count = notes[name] ?? 0;
    all ??= [...(cash[currency] ?? [])];
    const at = all.findIndex((it) => it.denomination === denomination);
    if (at >= 0) all[at] = book(all[at] as Cassette, count);
    else {
      all.push(book({ denomination, held: 0, taken: 0, retracted: 0, rejected: 0, supplied: 0 }, count));
      all.sort((a, b) => b.denomination - a.denomination);
    }
  }
  return all === undefined ? cash : { ...cash, [currency]: all };
}

/** What is held, in minor units. */
export function cashIn(cassettes: readonly Cassette[]): number {
  let sum = 0;
  for (const { denomination, held } of cassettes) sum += denomination * held;
  return sum;
}
export const notesIn = (cassettes: readonly Cassette[]): Notes =>
  Object.fromEntries(cassettes.map(({ denomination, held }) => [denomination, held]));

/** What the notes are worth, in minor units. */
export function worth(notes: Notes): number {
  let sum = 0;
  for (const denomination in notes) sum += Number(denomination) * (notes[denomination] ?? 0);
  return sum;
}

/** What is left of `notes` once the others are taken away; only denominations of which any are left, or too few were there. */
export function remaining(notes: Notes, ...gone: readonly Notes[]): Notes {
  let left: Record<string, number> | undefined;
  for (const denomination in notes) {
    let count = notes[denomination] ?? 0;
    for (const some of gone) count -= some[denomination] ?? 0;
    if (count === 0) continue;
    left ??= {};
    left[denomination] = count;
  }
  return left ?? NONE;
}
/** A choice is given up after so many steps: some 10 ms, never needed by denominations that any currency has. */
const STEPS_MAX = 100_000;

/**
 * The fewest notes that make exactly `amount`, or undefined when there are none; not greedy, since 60 of {50×1, 20×3} is 20×3.
 * Larger denominations win a tie. Branch and bound over the cassettes, which begin with the largest; a remainder that was reached before with
 * as few notes is not looked at again. The problem is NP-hard: on sums made to be hostile the work stops at STEPS_MAX with the best
 * choice so far, and with none the amount counts as not dispensable.
 */
export function notesFor(amount: number, cassettes: readonly Pick<Cassette, 'denomination' | 'held'>[]): Notes | undefined {
  const stock = cassettes.filter(({ denomination, held }) => held > 0 && denomination <= amount);
  /** What the denominations from i on are worth together, and what divides each of them. */
  const rest: { readonly worth: number; readonly divisor: number }[] = [];
  for (let i = stock.length - 1; i >= 0; i -= 1) {
    const { denomination, held } = stock[i] as (typeof stock)[number];
    const after = rest[i + 1] ?? { worth: 0, divisor: 0 };
    rest[i] = { worth: after.worth + denomination * held, divisor: gcd(denomination, after.divisor) };
  }

  const seen: (Map<number, number> | undefined)[] = [];
  const taken: number[] = stock.map(() => 0);
  let best: readonly number[] | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  let steps = 0;

  const choose = (i: number, left: number, used: number): void => {
    if (left === 0) {
      if (used >= fewest) return;
      fewest = used;
      best = [...taken];
      return;
    }
    const here = stock[i];
    const all = rest[i];
    if (!here || !all || left > all.worth || left % all.divisor !== 0) return;
    // The first is met once.
    if (i > 0) {
      seen[i] ??= new Map();
      const before = seen[i] as Map<number, number>;
      if ((before.get(left) ?? Number.POSITIVE_INFINITY) <= used) return;
      before.set(left, used);
    }
    const least = Math.max(0, Math.ceil((left - (rest[i + 1]?.worth ?? 0)) / here.denomination));
    for (let count = Math.min(here.held, Math.floor(left / here.denomination)); count >= least; count -= 1) {
      steps += 1;
      const after = left - count * here.denomination;
      const atLeast = used + count + (after === 0 ? 0 : Math.ceil(after / (stock[i + 1]?.denomination ?? here.denomination)));
      // Fewer of this one only makes more of the smaller ones.
      if (atLeast >= fewest || steps > STEPS_MAX) break;
      taken[i] = count;
      choose(i + 1, after, used + count);
    }
    taken[i] = 0;
  };
  choose(0, amount, 0);
  if (best === undefined) return undefined;
  const chosen: Record<string, number> = {};
  // From the largest down: keys set from the smallest up make V8 grow an array with a hole for each number between them, and give it up again.
  for (const [i, { denomination }] of stock.entries()) if (best[i]) chosen[denomination] = best[i];
  return chosen;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
