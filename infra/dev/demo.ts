/**
 * `npm run demo`: a fleet on this machine moves cash while a replica is stopped and another killed; then the books are drawn up.
 * `npm run demo -- --roll`: the same under a rollout, as Kubernetes would do it.
 * With `--json` standard output holds the books and nothing else.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { breakOff } from './demo-faults.ts';
import { POD_NAMES, roll } from './demo-roll.ts';
import { raise, say } from './demo-stage.ts';

async function demo(environment: NodeJS.ProcessEnv): Promise<number> {
  const { values } = parseArgs({ options: { roll: { type: 'boolean', default: false }, json: { type: 'boolean' } } });
  const parent = join(process.cwd(), '.services');
  mkdirSync(parent, { recursive: true });
  const dir = mkdtempSync(join(parent, 'demo-'));
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const show = await raise(dir, environment, values.roll ? POD_NAMES : ['a', 'b', 'c'], ends);
    const code = await (values.roll ? roll(show) : breakOff(show));
    if (code === 0) rmSync(dir, { recursive: true, force: true });
    else say(`logs and the device's journal are kept in ${dir}`);
    return code;
  } finally {
    for (const end of ends.reverse()) await end().catch((error: unknown) => say(String(error)));
    rmSync(join(dir, 'kafka'), { recursive: true, force: true });
  }
}

// What is still running is killed by its starters when this process exits.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
demo(process.env).then(
  (code) => process.exit(code),
  (error: unknown) => {
    say(error instanceof Error ? error.message : String(error));
    process.exit(1);
  },
);
