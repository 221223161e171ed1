/** `npm run sim`: searches seeds for a broken promise, or shows what happens under one of them. */
import { parseArgs } from 'node:util';
import { simulated } from './cash.ts';
import { mutate } from './mutate.ts';
import { keep, regressions } from './regressions.ts';
import { failure, Tally } from './report.ts';
import type { Ask, Report } from './run.ts';
import { search, seeds } from './search.ts';
import { shrunk } from './shrink.ts';
import type { Leases } from './stage.ts';

const USAGE = `npm run sim -- --seed N [--steps N] [--only none|3,7] [--leases honest|grants|lies]
npm run sim -- --regressions
npm run sim -- --seeds N [--from S] [--steps N] [--leases …] [--twice] [--unkept]
npm run sim -- --mutants [--seeds N] [--from S] [--steps N] [NAME…]`;
const PROGRESS_MS = 2_000;
const SEED_END = 2 ** 31;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    steps: { type: 'string', default: '2000' },
    only: { type: 'string' },
    leases: { type: 'string', default: 'honest' },
    twice: { type: 'boolean', default: false },
    regressions: { type: 'boolean', default: false },
    unkept: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
  },
});
const wrong: string[] = [];
const whole = (name: 'seed' | 'seeds' | 'from' | 'steps', least: number): number => {
  const value = Number(values[name]);
  if (!Number.isSafeInteger(value) || value < least || value > SEED_END)
    wrong.push(`--${name} is ${JSON.stringify(values[name])}: must be a whole number from ${least} to 2^31`);
  return value;
};
const { leases } = values;
if (leases !== 'honest' && leases !== 'grants' && leases !== 'lies') wrong.push(`--leases is ${leases}: must be honest, grants or lies`);
const only = values.only === undefined ? undefined : values.only === 'none' ? [] : values.only.split(',').map(Number);
const rest = { steps: whole('steps', 1), leases: leases as Leases, ...(only && { only }) };
const [count, from] = [whole('seeds', 1), whole('from', 0)];
const seed = values.seed === undefined ? undefined : whole('seed', 0);

if (wrong.length > 0) {
  console.error([...wrong, USAGE].join('\n'));
  process.exitCode = 64;
} else if (values.mutants)
  process.exitCode = await mutate({ names: positionals, seeds: count, from, steps: rest.steps }, (line) => console.log(line));
else process.exitCode = values.regressions ? await again() : seed === undefined ? await searched() : await shown(seed);

async function shown(its: number): Promise<number> {
  const ask: Ask = { seed: its, ...rest };
  const report = await simulated({ ...ask, readable: true });
  for (const line of report.trace ?? []) console.log(line);
  console.log(JSON.stringify(report.counts));
  console.log(
    `${report.steps} steps, ${report.events} events, ${(report.simulatedMs / 1_000).toFixed(1)} s simulated, trace ${report.hash}`,
  );
  if (report.violation) console.log(failure(ask, report).join('\n'));
  return report.violation ? 1 : 0;
}

async function searched(): Promise<number> {
  const tally = new Tally(() => performance.now());
  const hashes = new Map<number, string>();
  const broken: Report[] = [];
  const uneven: number[] = [];
  const progress = setInterval(() => console.error(tally.line()), PROGRESS_MS);
  await search({
    asks: values.twice ? [...seeds(from, count, rest), ...seeds(from, count, rest)] : seeds(from, count, rest),
    heard(report) {
      tally.add(report);
      if (report.violation) broken.push(report);
      const before = hashes.get(report.seed);
      if (before !== undefined && before !== report.hash) uneven.push(report.seed);
      if (values.twice) hashes.set(report.seed, report.hash);
      return broken.length > 0 && !values.twice;
    },
  });
  clearInterval(progress);
  for (const row of tally.rows()) console.log(row);
  if (values.twice)
    console.log(`${hashes.size} seeds twice: ${uneven.length === 0 ? 'equal traces' : `unequal traces: ${uneven.join(', ')}`}`);
  for (const report of broken.slice(0, 1)) await explain(report);
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
async function explain(report: Report): Promise<void> {
  console.error(`seed ${report.seed} breaks ${report.violation?.invariant}: shrinking`);
  const small = await shrunk({ seed: report.seed, ...rest }, report, simulated);
  console.log(failure(small.ask, small.report).join('\n'));
  const { steps, only: places, leases: lease } = small.ask;
  const about = small.report.violation?.message ?? '';
  const invariant = small.report.violation?.invariant ?? '';
  if (values.unkept) return;
  keep({
    seed: report.seed,
    steps,
    ...(places && { only: places }),
    ...(lease !== 'honest' && lease && { leases: lease }),
    invariant,
    about,
  });
}
