/** `npm run sim`: searches seeds for a broken promise, or shows what happens under one of them. */
import { simulated } from './cash.ts';
import { simMutants } from './mutants.ts';
import { mutate } from './mutate.ts';
import { type Asked, asked, USAGE, type Wrong } from './options.ts';
import { keep, regressions } from './regressions.ts';
import { failure, Tally } from './report.ts';
import type { Ask, Report } from './run.ts';
import { search, seeds } from './search.ts';
import { shrunk } from './shrink.ts';

const PROGRESS_MS = 2_000;
type Of<Mode> = Extract<Asked, { readonly mode: Mode }>;

const root = process.cwd();
process.exitCode = await done(
  asked(
    process.argv.slice(2),
    simMutants(root).map(({ name }) => name),
  ),
);

/** Answers the exit code. */
async function done(it: Asked | Wrong): Promise<number> {
  switch (it.mode) {
    case 'wrong':
      console.error([...it.why, USAGE].join('\n'));
      return 2;
    case 'help':
      console.log(USAGE);
      return 0;
    case 'seed':
      return shown(it);
    case 'seeds':
      return searched(it);
    case 'regressions':
      return again();
    case 'mutants':
      return mutate(it, (line) => console.log(line));
    case 'twins':
      // Loaded for this alone: an installed package lacks what it stands on. Clients of real servers keep timers that nobody waits for.
      return process.exit(await (await import('./twins/run.ts')).twins(it));
  }
}

async function shown({ mode, ...ask }: Of<'seed'>): Promise<number> {
  const report = await simulated({ ...ask, readable: true });
  for (const line of report.trace ?? []) console.log(line);
  console.log(JSON.stringify(report.counts));
  console.log(
    `${report.steps} steps, ${report.events} events, ${(report.simulatedMs / 1_000).toFixed(1)} s simulated, trace ${report.hash}`,
  );
  if (report.violation) console.log(failure(ask, report).join('\n'));
  return report.violation ? 1 : 0;
}

async function searched({ steps, leases, from, seeds: count, twice, unkept }: Of<'seeds'>): Promise<number> {
  const rest = { steps, leases };
  const tally = new Tally(() => performance.now());
  const hashes = new Map<number, string>();
  const broken: Report[] = [];
  const uneven: number[] = [];
  const progress = setInterval(() => console.error(tally.line()), PROGRESS_MS);
  await search({
    asks: twice ? [...seeds(from, count, rest), ...seeds(from, count, rest)] : seeds(from, count, rest),
    heard(report) {
      tally.add(report);
      if (report.violation) broken.push(report);
      const before = hashes.get(report.seed);
      if (before !== undefined && before !== report.hash) uneven.push(report.seed);
      if (twice) hashes.set(report.seed, report.hash);
      return broken.length > 0 && !twice;
    },
  });
  clearInterval(progress);
  for (const row of tally.rows()) console.log(row);
  if (twice) console.log(`${hashes.size} seeds twice: ${uneven.length === 0 ? 'equal traces' : `unequal traces: ${uneven.join(', ')}`}`);
  for (const report of broken.slice(0, 1)) await explain(report, rest, unkept);
  console.log(`${broken.length} violations`);
  return broken.length + uneven.length > 0 ? 1 : 0;
}

/** The seeds that are kept: none of them may break what it broke. */
async function again(): Promise<number> {
  const broken: Report[] = [];
  const kept = regressions();
  const asks = kept.map(({ seed: its, steps, leases: lease, only: places }): Ask => {
    return { seed: its, steps, ...(lease && { leases: lease }), ...(places && { only: places }) };
  });
  await search({
    asks,
    heard(report) {
      if (report.violation) broken.push(report);
      return false;
    },
  });
  for (const { seed: its, violation } of broken) console.log(`seed ${its} breaks ${violation?.invariant} again: ${violation?.message}`);
  console.log(`${kept.length} seeds that are kept, ${broken.length} violations`);
  return broken.length > 0 ? 1 : 0;
}

/** Tells a failure in its shortest form, and keeps it. */
async function explain(report: Report, rest: Omit<Ask, 'seed'>, unkept: boolean): Promise<void> {
  console.error(`seed ${report.seed} breaks ${report.violation?.invariant}: shrinking`);
  const small = await shrunk({ seed: report.seed, ...rest }, report, simulated);
  console.log(failure(small.ask, small.report).join('\n'));
  const { steps, only: places, leases: lease } = small.ask;
  const about = small.report.violation?.message ?? '';
  const invariant = small.report.violation?.invariant ?? '';
  if (unkept) return;
  keep({
    seed: report.seed,
    steps,
    ...(places && { only: places }),
    ...(lease !== 'honest' && lease && { leases: lease }),
    invariant,
    about,
  });
}
