/** Leaves out of a failing seed every step and fault that it fails without: delta debugging by repeated runs. */
import type { Ask, Report } from './run.ts';

export type Run = (ask: Ask) => Promise<Report>;
const RUNS_MAX = 150;

/** The smallest ask found that breaks the same invariant, and what its run said. */
export async function shrunk(ask: Ask, first: Report, run: Run): Promise<{ readonly ask: Ask; readonly report: Report }> {
  const invariant = first.violation?.invariant;
  let best = { ask, report: first };
  let runs = 0;
  /** Still broken the same way? Then it is the best so far. */
  const fails = async (smaller: Ask): Promise<boolean> => {
    if (runs++ >= RUNS_MAX) return false;
    const report = await run(smaller);
    if (report.violation?.invariant !== invariant) return false;
    best = { ask: smaller, report };
    return true;
  };
  await fails({ ...ask, steps: first.steps });
  await fewerFaults(
    best.report.faults.map(({ place }) => place),
    (only) => fails({ ...best.ask, only }),
  );
  for (let cut = Math.floor(best.ask.steps / 2); cut >= 1; cut = Math.floor(cut / 2))
    while (best.ask.steps > cut && (await fails({ ...best.ask, steps: best.ask.steps - cut })));
  const { faults } = best.report;
  return { ask: { ...best.ask, only: faults.map(({ place }) => place) }, report: best.report };
}

/** Zeller's ddmin: halves, then smaller pieces, then all but one. */
async function fewerFaults(all: readonly number[], fails: (only: readonly number[]) => Promise<boolean>): Promise<void> {
  if (await fails([])) return;
  let left = all;
  for (let pieces = 2; left.length >= 2; ) {
    const size = Math.ceil(left.length / pieces);
    let smaller: readonly number[] | undefined;
    for (let from = 0; from < left.length && smaller === undefined; from += size) {
      const rest = [...left.slice(0, from), ...left.slice(from + size)];
      if (rest.length > 0 && (await fails(rest))) smaller = rest;
    }
    if (smaller !== undefined) {
      left = smaller;
      pieces = Math.max(2, pieces - 1);
    } else if (size === 1) return;
    else pieces = Math.min(left.length, pieces * 2);
  }
}
