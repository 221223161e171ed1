/** `npm run services`: real Kafka and Redis on this machine, in the foreground until Ctrl-C; prints the environment that a replica needs. */
import { join } from 'node:path';
import { outsideOf, startBacking } from './backing.ts';

const dir = join(process.cwd(), '.services');
const say = (line: string) => process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, resolve);
  });
  const outside = outsideOf(process.env);
  for (const [name, where] of Object.entries(outside)) say(`# uses what is already there: ${name} ${where}`);
  const backing = await startBacking(dir, outside);
  for (const [name, value] of Object.entries(backing.env)) say(`export ${name}=${value}`);
  say('# data lies under .services; Ctrl-C ends everything');
  await ended;
  await backing.stop();
  say('# ended');
  return 0;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
