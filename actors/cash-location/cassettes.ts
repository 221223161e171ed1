/** Notes by denomination: adding them up, and choosing the fewest that make an amount exactly. */

/** How many notes of each denomination (minor units), such as `{"2000":3}`. */
export type Notes = Readonly<Record<string, number>>;

export const NONE: Notes = {};

/** Of one currency: what a location can hold, and what one message can name. */
export const DENOMINATIONS_MAX = 20;

/** What the notes are worth, in minor units. */
export function worth(notes: Notes): number {
  let sum = 0;
  for (const denomination in notes) sum += Number(denomination) * (notes[denomination] ?? 0);
  return sum;
}

/**
 * `sign` −1 takes away; a count may become negative, and the invariants then say so. A denomination that reaches 0 stays: its cassette is
 * empty. `notes` itself when nothing changes, which is most of what a dispense adds: copies of notes are a tenth of its cost.
 */
export function plus(notes: Notes, more: Notes, sign: 1 | -1 = 1): Notes {
  let sum: Record<string, number> | undefined;
  for (const denomination in more) {
    const by = more[denomination] ?? 0;
    if (by === 0 && notes[denomination] !== undefined) continue;
    sum ??= copied(notes);
    sum[denomination] = (sum[denomination] ?? 0) + sign * by;
  }
  return sum ?? notes;
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
/** `notes`, but as many of each denomination in `instead` as it says. */
export function replaced(notes: Notes, instead: Notes): Notes {
  const all = copied(notes);
  for (const denomination in instead) all[denomination] = instead[denomination] ?? 0;
  return all;
}

/**
 * From the largest denomination down: integer keys set from the smallest up make V8 grow an array with a hole for each number
 * between them before it gives that up, and the copy takes ten times as long.
 */
function copied(notes: Notes): Record<string, number> {
  const copy: Record<string, number> = {};
  const denominations = Object.keys(notes);
  for (let i = denominations.length - 1; i >= 0; i -= 1) {
    const denomination = denominations[i] as string;
    copy[denomination] = notes[denomination] as number;
  }
  return copy;
}

/** A choice is given up after so many steps: some 10 ms, never needed by denominations that any currency has. */
const STEPS_MAX = 100_000;

/**
 * The fewest notes that make exactly `amount`, or undefined when there are none; not greedy, since 60 of {50×1, 20×3} is 20×3.
 * Larger denominations win a tie. Branch and bound over denominations from the largest; a remainder that was reached before with
 * as few notes is not looked at again. The problem is NP-hard: on sums made to be hostile the work stops at STEPS_MAX with the best
 * choice so far, and with none the amount counts as not dispensable.
 */
export function notesFor(amount: number, cassettes: Notes): Notes | undefined {
  const stock = Object.entries(cassettes)
    .map(([denomination, count]) => ({ denomination, value: Number(denomination), count }))
    .filter(({ value, count }) => count > 0 && value <= amount)
    .sort((a, b) => b.value - a.value);
  /** What the denominations from i on are worth together, and what divides each of them. */
  const rest: { readonly worth: number; readonly divisor: number }[] = [];
  for (let i = stock.length - 1; i >= 0; i -= 1) {
    const { value, count } = stock[i] as (typeof stock)[number];
    const after = rest[i + 1] ?? { worth: 0, divisor: 0 };
    rest[i] = { worth: after.worth + value * count, divisor: gcd(value, after.divisor) };
  }

  const seen: Map<number, number>[] = stock.map(() => new Map());
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
    if ((seen[i]?.get(left) ?? Number.POSITIVE_INFINITY) <= used) return;
    seen[i]?.set(left, used);
    const least = Math.max(0, Math.ceil((left - (rest[i + 1]?.worth ?? 0)) / here.value));
    for (let count = Math.min(here.count, Math.floor(left / here.value)); count >= least; count -= 1) {
      steps += 1;
      const after = left - count * here.value;
      const atLeast = used + count + (after === 0 ? 0 : Math.ceil(after / (stock[i + 1]?.value ?? here.value)));
      // Fewer of this one only makes more of the smaller ones.
      if (atLeast >= fewest || steps > STEPS_MAX) break;
      taken[i] = count;
      choose(i + 1, after, used + count);
    }
    taken[i] = 0;
  };
  choose(0, amount, 0);
  return best && Object.fromEntries(stock.flatMap(({ denomination }, i) => (best?.[i] ? [[denomination, best[i]]] : [])));
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
