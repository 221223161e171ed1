/** Runs seeds in worker threads, as many at a time as there are processors. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Ask, Report } from './run.ts';

/** A world makes much that is soon forgotten. */
const YOUNG_MB = 64;

export type Search = {
  readonly asks: Iterable<Ask>;
  /** Told of each seed when it is done; true: that is enough. */
  readonly heard: (report: Report) => boolean | undefined;
};

export async function search({ asks, heard }: Search): Promise<void> {
  const left = asks[Symbol.iterator]();
  let enough = false;
  const thread = async () => {
    let worker: Worker | undefined;
    try {
      for (let next = left.next(); !enough && !next.done; next = left.next()) {
        worker ??= new Worker(new URL('./worker.js', import.meta.url), { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } });
        if (heard(await asked(worker, next.value))) enough = true;
      }
    } finally {
      await worker?.terminate();
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, thread));
}

function asked(worker: Worker, ask: Ask): Promise<Report> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (report: Report) => {
      worker.off('error', reject);
      resolve(report);
    });
    worker.postMessage(ask);
  });
}

export function* seeds(from: number, count: number, rest: Omit<Ask, 'seed'>): Generator<Ask> {
  for (let seed = from; seed < from + count; seed++) yield { seed, ...rest };
}
