/** W2: a backlog of dispenses over 200 locations whose device takes 20 ms each, beside the limit that this sets. */
import { metric, startGateway } from '../../infra/dev/processes.ts';
import { command, type Ground, leave, loaded } from './ground.ts';
import type { Measured } from './w1.ts';

const LOCATIONS = 200;
const DEVICE_MS = 20;
/** An intent and a booking. */
const EVENTS_OF_A_DISPENSE = 2;

/** One run; product and ceiling are dispenses a second. */
export async function w2(ground: Ground, records: number): Promise<Measured> {
  const { topics } = ground;
  const run = await ground.run('w2');
  const each = Math.ceil(records / LOCATIONS);
  const locations = Array.from({ length: LOCATIONS }, (_, n) => n);
  await topics.send(
    run.commands,
    locations.map((n) => command(run.name, n, 'load', 'fill', loaded(each))),
  );
  const gateway = await startGateway(ground.dir, `${DEVICE_MS}..${DEVICE_MS}`);
  const replica = await run.replica({ DEVICE_URL: gateway.url });
  await topics.rate(run.events, 0, LOCATIONS);

  const dispenses = Array.from({ length: each }).flatMap((_, round) =>
    locations.map((n) => command(run.name, n, 'dispense', `d-${round}`, { amount: 2_000, currency: 'USD', account: `account-${n}` })),
  );
  const sent = topics.send(run.commands, dispenses);
  const events = await topics.rate(run.events, LOCATIONS, LOCATIONS + EVENTS_OF_A_DISPENSE * dispenses.length);
  await sent;
  const cpuUs = ((await metric(replica, 'process_cpu_seconds_total')) / dispenses.length) * 1e6;
  await leave(replica);
  await leave(gateway);
  return { product: events / EVENTS_OF_A_DISPENSE, ceiling: (LOCATIONS / DEVICE_MS) * 1_000, cpuUs };
}
