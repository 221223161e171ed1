/**
 * `npm run demo`: a fleet on this machine moves cash while a replica is stopped and another killed; then the books are drawn up.
 * `npm run demo -- --roll`: the same under a rollout, as Kubernetes would do it.
 * With `--json` standard output holds the books and nothing else; `--picture FILE` draws the run as an SVG.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { breakOff } from './demo-faults.ts';
import { startFilm } from './demo-film.ts';
import { picture } from './demo-picture.ts';
import { POD_NAMES, roll } from './demo-roll.ts';
import { raise, say } from './demo-stage.ts';

/** A figure of the books as they are printed. */
const figureIn = (text: string, name: string): number => Number(new RegExp(`^ +${name} +(\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN);

async function demo(environment: NodeJS.ProcessEnv): Promise<number> {
  const { values } = parseArgs({
    options: { roll: { type: 'boolean', default: false }, json: { type: 'boolean' }, picture: { type: 'string' } },
  });
  if (values.json && values.picture !== undefined) throw new Error('--picture reads the books as they are printed: leave out --json');
  const parent = join(process.cwd(), '.services');
  mkdirSync(parent, { recursive: true });
  const dir = mkdtempSync(join(parent, 'demo-'));
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const show = await raise(dir, environment, values.roll ? POD_NAMES : ['a', 'b', 'c'], ends);
    const film = values.picture === undefined ? undefined : startFilm(show);
    const { code, text } = await (values.roll ? roll(show) : breakOff(show));
    if (film !== undefined && values.picture !== undefined && code === 0) {
      const [accepted = 0, delivered = 0, booked = 0, inDoubt = 0] = ['accepted', 'delivered', 'booked', 'in doubt'].map((name) =>
        figureIn(text, name),
      );
      writeFileSync(values.picture, picture(film.end({ accepted, delivered, booked, inDoubt })));
      say(`drawn in ${values.picture}`);
    }
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
