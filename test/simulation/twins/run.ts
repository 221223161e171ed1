/** `npm run sim -- --twins`: so many random sequences on the memory twins and on real servers. Exit 1 at the first difference. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKafkaServer } from '../../../infra/dev/kafka-server.ts';
import { kafkaLogWorld } from '../../contract/kafka-world.ts';
import { memoryLogWorld } from '../../contract/memory-world.ts';
import { logSequence, TWIN_PARTITIONS } from './log.ts';
import { storeSequence } from './store.ts';
import { memorySide, redisSide } from './store-sides.ts';

/** One sequence in so many has a restart of Redis in it, which takes a fifth of a second. */
const RESTART_RATE = 0.1;
const say = (line: string) => process.stdout.write(`${line}\n`);

function counted(totals: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(more)) totals[name] = (totals[name] ?? 0) + count;
}
const table = (totals: Readonly<Record<string, number>>) =>
  Object.entries(totals)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');

async function stores(dir: string, from: number, count: number): Promise<void> {
  mkdirSync(dir);
  const real = await redisSide(dir);
  const totals: Record<string, number> = {};
  const beganMs = performance.now();
  let [requests, restarts] = [0, 0];
  try {
    const memory = await memorySide();
    for (let seed = from; seed < from + count; seed++) {
      const tally = await storeSequence(seed, [memory, real], { restartRate: RESTART_RATE });
      requests += tally.steps;
      restarts += tally.restarts;
      counted(totals, tally.answers);
      if ((seed - from) % 500 === 499) say(`stores: ${seed - from + 1} sequences, ${((performance.now() - beganMs) / 1_000).toFixed(0)} s`);
    }
  } finally {
    await real.stop();
  }
  say(`stores: ${count} sequences, ${requests} requests, ${restarts} restarts, no difference: ${table(totals)}`);
}

async function logs(dir: string, from: number, count: number): Promise<void> {
  mkdirSync(dir);
  const server = await startKafkaServer({ dir });
  const totals: Record<string, number> = {};
  let rebalances = 0;
  try {
    for (let seed = from; seed < from + count; seed++) {
      const worlds = [memoryLogWorld(TWIN_PARTITIONS), await kafkaLogWorld([server.brokers], TWIN_PARTITIONS)] as const;
      const tally = await logSequence(seed, worlds);
      await Promise.all(worlds.map((world) => world.stop()));
      rebalances += tally.rebalances;
      counted(totals, tally.requests);
      if ((seed - from) % 20 === 19) say(`logs: ${seed - from + 1} sequences`);
    }
  } finally {
    await server.stop();
  }
  say(`logs: ${count} sequences, ${rebalances} rebalances, no difference: ${table(totals)}`);
}

export type Twins = { readonly sequences: number; readonly logs: number; readonly seed: number };

/** `sequences` for the stores, `logs` for the logs, whose rebalances take their time. Answers the exit code. */
export async function twins({ sequences, logs: logCount, seed }: Twins): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'locus-twins-'));
  try {
    if (sequences > 0) await stores(join(dir, 'redis'), seed, sequences);
    if (logCount > 0) await logs(join(dir, 'kafka'), seed, logCount);
    return 0;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
