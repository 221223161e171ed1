/** How much memory a replica has that keeps 100,000 locations resident. */
import { metric } from '../../infra/dev/processes.ts';
import { command, type Ground, leave, loaded } from './ground.ts';

/** As a container of 1 GiB would have it: without a limit V8 collects so lazily on a large machine that RSS tells nothing about what lives. */
const HEAP_MIB = 768;

/** Resident locations and bytes of the process, as it says itself. */
export async function memory(ground: Ground, locations: number): Promise<{ readonly resident: number; readonly bytes: number }> {
  const { topics } = ground;
  const run = await ground.run('memory');
  await topics.send(
    run.commands,
    Array.from({ length: locations }, (_, n) => command(run.name, n, 'load', 'fill', loaded(1))),
  );
  const replica = await run.replica({
    RESIDENT_MAX: String(locations),
    IDLE_MS: '3600000',
    NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}`,
  });
  await topics.rate(run.events, 0, locations);
  const resident = await metric(replica, 'locus_active');
  const bytes = await metric(replica, 'process_resident_memory_bytes');
  await leave(replica);
  return { resident, bytes };
}
