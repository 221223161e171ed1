/** `npm run sim -- --mutants`: puts one bug after the other into a copy of the program and searches seeds there until something breaks. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type SimMutant, simMutants, Workshop } from './mutants.ts';
import type { Ask, Report } from './run.ts';

export type Hunt = { readonly names: readonly string[]; readonly seeds: number; readonly from: number; readonly steps: number };
/** `seed`: the one that broke it, after so many `seeds`. */
type Found = {
  readonly mutant: SimMutant;
  readonly seeds: number;
  readonly seed?: number;
  readonly invariant?: string;
  readonly message: string;
};

/** A seed that does not end is a broken promise as well. */
const SEED_LIMIT_MS = 15_000;
/** The program without any bug. */
const SOUND = new URL('./worker.js', import.meta.url);
const FOUND_SHARE = 0.95;
const MEDIAN_SEEDS = 200;

/** Says what was found; answers the exit code. */
export async function mutate(hunt: Hunt, say: (line: string) => void): Promise<number> {
  const root = process.cwd();
  const all = simMutants(root);
  const workshop = new Workshop(root);
  const found: Found[] = [];
  try {
    for (const mutant of all.filter(({ name }) => hunt.names.length === 0 || hunt.names.includes(name))) {
      const restore = workshop.put(mutant);
      const it = await hunted(workshop, mutant, hunt);
      restore();
      found.push(it);
      say(line(it));
    }
  } finally {
    workshop.remove();
  }
  return summed(found, say);
}

function line({ mutant, seeds, seed, invariant, message }: Found): string {
  const verdict = invariant === undefined ? 'NOT FOUND' : 'found';
  const by =
    invariant === undefined
      ? `expected by ${mutant.invariant}`
      : `by ${invariant} of seed ${seed}${invariant === mutant.invariant ? '' : ` (expected ${mutant.invariant})`}`;
  return `${verdict.padEnd(9)} ${mutant.name.padEnd(28)} ${String(seeds).padStart(5)} seeds  ${by}  ${message.slice(0, 150)}`;
}

function summed(found: readonly Found[], say: (line: string) => void): number {
  const seeds = found.map((it) => (it.invariant === undefined ? Number.POSITIVE_INFINITY : it.seeds)).sort((a, b) => a - b);
  const share = found.filter(({ invariant }) => invariant !== undefined).length / Math.max(1, found.length);
  const median = seeds[Math.floor((seeds.length - 1) / 2)] ?? Number.POSITIVE_INFINITY;
  say(`${(share * 100).toFixed(1)} % of ${found.length} mutants found, median after ${median} seeds`);
  return found.length > 0 && share >= FOUND_SHARE && median <= MEDIAN_SEEDS ? 0 : 1;
}

/** Seeds in the order of their numbers, several at a time. */
async function hunted({ dir }: Workshop, mutant: SimMutant, { seeds, from, steps }: Hunt): Promise<Found> {
  const url = pathToFileURL(join(dir, 'dist', 'test', 'simulation', 'worker.js'));
  let next = from;
  let done = 0;
  let broken: Pick<Found, 'seed' | 'invariant' | 'message'> | undefined;
  const thread = async () => {
    while (broken === undefined && next < from + seeds) {
      const ask = { seed: next++, steps };
      const violation = await violated(url, ask);
      done++;
      // What this seed breaks without the bug says nothing about it.
      if (violation !== undefined && (await violated(SOUND, ask)) === undefined) broken ??= { seed: ask.seed, ...violation };
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, thread));
  return { mutant, seeds: done, message: '', ...broken };
}

/** In a thread of its own: a broken program may leave anything behind. */
async function violated(program: URL, ask: Ask): Promise<Report['violation']> {
  const worker = new Worker(program, { stdout: true, stderr: true });
  const said = new Promise<Report['violation']>((resolve) => {
    worker.once('error', (error) => resolve({ invariant: 'crash', message: String(error) }));
    worker.once('exit', () => resolve({ invariant: 'crash', message: 'the thread ended' }));
    worker.once('message', (report: Report) => resolve(report.violation));
  });
  let late: NodeJS.Timeout | undefined;
  const endless = new Promise<Report['violation']>((resolve) => {
    late = setTimeout(() => resolve({ invariant: 'endless', message: `seed ${ask.seed} did not end` }), SEED_LIMIT_MS);
  });
  worker.postMessage(ask);
  const violation = await Promise.race([said, endless]);
  clearTimeout(late);
  await worker.terminate();
  return violation;
}
