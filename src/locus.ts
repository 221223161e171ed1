/** What `import … from 'locus'` gives whoever writes actors of their own: the authors' door, and a replica that runs what they bound. */
import type { Bound } from './actor.ts';
import { environment, readConfig } from './config.ts';
import { LocusError, sentence } from './errors.ts';

export * from './actor.ts';

/** sysexits.h EX_CONFIG: something must be changed before it can start. */
const EXIT_CONFIG = 78;

/**
 * Runs a replica of these actors until SIGTERM or SIGINT, configured by the environment as `locus serve` is; answers the exit code of the
 * process: 0, 1 when it failed, 78 when its configuration is wrong, each fault of it told on standard error.
 */
export async function serve(actors: readonly Bound[]): Promise<number> {
  try {
    const config = readConfig(environment());
    // Only here: an actor's own tests need nothing of the runtime.
    const { run } = await import('./main.ts');
    return await run(config, actors);
  } catch (error) {
    if (!(error instanceof LocusError) || error.code !== 'CONFIG_INVALID') throw error;
    for (const fault of error.faults) process.stderr.write(`locus: ${sentence(fault)}\n`);
    return EXIT_CONFIG;
  }
}
