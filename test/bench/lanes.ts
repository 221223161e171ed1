/** Lanes: how long a person waits over HTTP while nobody else is there, and while a backlog of bulk is worked off beside them. */
import { command, type Ground, leave, loaded } from './ground.ts';

const LOCATIONS = 1_000;
/** People who ask one after the other, each as soon as the last was answered. */
const ASKERS = 2;
/** Not counted: code that runs for the first time, locations that are claimed. */
const WARM_MS = 2_000;
const ALONE_MS = 8_000;

export type Beside = {
  readonly aloneMs: number;
  readonly besideMs: number;
  /** Bulk commands a second while people asked. */
  readonly bulk: number;
};

export async function lanes(ground: Ground, records: number): Promise<Beside> {
  const { topics } = ground;
  const run = await ground.run('lanes');
  const bulk = `${run.commands}.bulk`;
  const first = await run.replica();
  await waits(first.http, run.name, () => WARM_MS);
  const alone = await waits(first.http, run.name, () => ALONE_MS);
  await leave(first);
  await topics.send(
    bulk,
    Array.from({ length: records }, (_, n) => command(run.name, n % LOCATIONS, 'load', `b-${n}`, loaded(1))),
  );
  const second = await run.replica();
  let done = false;
  const before = await topics.length(run.events);
  const startedMs = performance.now();
  const drained = topics.rate(run.events, before, before + records).then(() => {
    done = true;
    return (records / (performance.now() - startedMs)) * 1_000;
  });
  await waits(second.http, run.name, () => WARM_MS);
  const beside = await waits(second.http, run.name, (elapsedMs) => (done ? elapsedMs : Number.POSITIVE_INFINITY));
  const rate = await drained;
  await leave(second);
  return { aloneMs: p99(alone), besideMs: p99(beside), bulk: rate };
}

/** How long each of many loads over HTTP took, ms, asked until `limitMs` of the time that has passed is over. */
export async function waits(url: string, run: string, limitMs: (elapsedMs: number) => number): Promise<readonly number[]> {
  const startedMs = performance.now();
  const took: number[] = [];
  const ask = async (asker: number) => {
    for (let n = 0; ; n++) {
      const askedMs = performance.now();
      if (askedMs - startedMs >= limitMs(askedMs - startedMs)) return;
      const answer = await fetch(`${url}/v1/cash-location/${run}-person-${asker}-${n % 20}/load`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': `p-${startedMs}-${asker}-${n}` },
        body: JSON.stringify(loaded(1)),
      });
      if (answer.status !== 200) throw new Error(`a load was answered ${answer.status}: ${await answer.text()}`);
      await answer.text();
      took.push(performance.now() - askedMs);
    }
  };
  await Promise.all(Array.from({ length: ASKERS }, (_, asker) => ask(asker)));
  return took;
}

export function p99(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN;
}
