/**
 * W2: a backlog of dispenses over 200 locations whose device takes 20 ms each, beside the limit that this sets. The device is in
 * the replica's process: a gateway over HTTP that syncs its journal would be what is measured.
 */
import { fileURLToPath } from 'node:url';
import { metric } from '../../infra/dev/processes.ts';
import { command, type Ground, leave, loaded, PARTITIONS } from './ground.ts';
import { rawDispenses } from './raw.ts';
import { DEVICE_MS } from './slow-device.ts';
import type { Measured } from './w1.ts';

const LOCATIONS = 200;
/** An intent and a booking. */
const EVENTS_OF_A_DISPENSE = 2;

/** One run; product, raw and ceiling are dispenses a second. */
export async function w2(ground: Ground, records: number): Promise<Measured> {
  const { topics } = ground;
  const run = await ground.run('w2');
  const each = Math.ceil(records / LOCATIONS);
  const locations = Array.from({ length: LOCATIONS }, (_, n) => n);
  await topics.send(
    run.commands,
    locations.map((n) => command(run.name, n, 'load', 'fill', loaded(each))),
  );
  const dispenses = Array.from({ length: each }).flatMap((_, round) =>
    locations.map((n) => command(run.name, n, 'dispense', `d-${round}`, { amount: 2_000, currency: 'USD', account: `account-${n}` })),
  );
  await topics.send(run.commands, dispenses);
  const starting = run.replica({}, fileURLToPath(new URL('./replica-with-device.js', import.meta.url)));
  const events = await topics.rate(run.events, LOCATIONS, LOCATIONS + EVENTS_OF_A_DISPENSE * dispenses.length);
  const replica = await starting;
  const cpuUs = ((await metric(replica, 'process_cpu_seconds_total')) / dispenses.length) * 1e6;
  await leave(replica);

  const topic = `${run.name}.raw`;
  await topics.create(topic, PARTITIONS);
  const raw = await rawDispenses(ground, topic, LOCATIONS, DEVICE_MS);
  return { product: events / EVENTS_OF_A_DISPENSE, ceiling: (LOCATIONS / DEVICE_MS) * 1_000, cpuUs, raw };
}
