/** W1: a backlog over 1,000 locations without device work, every event acknowledged, beside the raw idempotent producer with the same records. */
import { metric } from '../../infra/dev/processes.ts';
import { command, type Ground, leave, loaded } from './ground.ts';

const LOCATIONS = 1_000;

/**
 * `cpuUs`: what one record costs the replica's process, start included. `raw`: where the ceiling is a limit on paper, what a program without
 * Locus reached of it in the same run.
 */
export type Measured = { readonly product: number; readonly ceiling: number; readonly cpuUs: number; readonly raw?: number };

/** One run; product and ceiling are records a second. */
export async function w1(ground: Ground, records: number): Promise<Measured> {
  const { topics } = ground;
  const run = await ground.run('w1');
  const backlog = Array.from({ length: records }, (_, n) => command(run.name, n % LOCATIONS, 'load', `c-${n}`, loaded(1)));
  await topics.send(run.commands, backlog);
  const starting = run.replica();
  const product = await topics.rate(run.events, 0, records);
  const replica = await starting;
  const cpuUs = ((await metric(replica, 'process_cpu_seconds_total')) / records) * 1e6;
  await leave(replica);

  const same = await topics.messages(run.events);
  const raw = `${run.name}.raw`;
  await topics.create(raw, 12);
  const tookMs = await topics.send(raw, same);
  return { product, ceiling: (same.length / tookMs) * 1_000, cpuUs };
}
