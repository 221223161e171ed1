/** Processes of a fleet on this machine, for the demo and the benches: a device gateway and replicas, each started by the program that a user starts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';

const READY_WITHIN_MS = 60_000;
const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url));

export type Running = {
  readonly name: string;
  /** What its probe is asked under; a replica's admin port. */
  readonly url: string;
  readonly log: string;
  readonly gone: Promise<number | string>;
  isAlive(): boolean;
  signal(sig: NodeJS.Signals): void;
};

/**
 * As `npm start` has them: what a turn makes is garbage when it ends, and in room enough most of it is dead before it is ever looked at;
 * Node's own code is found with fewer look-ups on large pages.
 */
const FLAGS = ['--max-semi-space-size=64', '--use-largepages=silent'];

/** Runs `locus`, or another `program` of ours, with these arguments; resolves when `probe` answers 200. */
async function start(it: {
  readonly name: string;
  readonly dir: string;
  readonly program?: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly url: string;
  readonly probe: string;
}): Promise<Running> {
  const log = join(it.dir, `${it.name}.log`);
  const output = openSync(log, 'a');
  const child = spawn(process.execPath, [...FLAGS, it.program ?? CLI, ...it.args], {
    env: { PATH: process.env.PATH ?? '', ...it.env },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const running: Running = {
    name: it.name,
    url: it.url,
    log,
    gone: goneOf(child),
    isAlive: () => alive(child),
    signal: (sig) => void child.kill(sig),
  };
  const untilMs = Date.now() + READY_WITHIN_MS;
  while (!(await answers(it.probe))) {
    if (!alive(child)) throw new Error(`${it.name} ended before it was ready: see ${log}`);
    if (Date.now() > untilMs) throw new Error(`${it.name} was not ready within ${READY_WITHIN_MS / 1_000} s: see ${log}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return running;
}

const alive = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

function goneOf(child: ChildProcess): Promise<number | string> {
  const orphan = () => child.kill('SIGKILL');
  process.once('exit', orphan);
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      process.off('exit', orphan);
      resolve(code ?? signal ?? 'gone');
    });
  });
}

const answers = (url: string): Promise<boolean> =>
  fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
    ({ ok }) => ok,
    () => false,
  );

/** A simulated gateway whose journal is fsynced in `dir`. */
export async function startGateway(dir: string, latencyMs: string): Promise<Running & { readonly journal: string }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const journal = join(dir, 'device-journal.jsonl');
  const args = ['device', '--port', String(port), '--journal', journal, '--latency', latencyMs];
  const running = await start({ name: 'gateway', dir, args, env: {}, url, probe: `${url}/journal` });
  return { ...running, journal };
}

/** `program` is one that does what `locus serve` does, such as a replica with another device. */
export async function startReplica(
  id: string,
  dir: string,
  env: Readonly<Record<string, string>>,
  program?: string,
): Promise<Running & { readonly http: string }> {
  const [http, admin] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${admin}`;
  const own = { HTTP_PORT: String(http), ...env, REPLICA_ID: id, ADMIN_PORT: String(admin) };
  const what = program === undefined ? { args: ['serve'] } : { args: [], program };
  const running = await start({ name: `replica-${id}`, dir, ...what, env: own, url, probe: `${url}/readyz` });
  return { ...running, http: `http://127.0.0.1:${own.HTTP_PORT}` };
}

/** A figure of a replica's /metrics, summed over its labels; 0 when it does not answer. */
export async function metric(replica: Running, name: string): Promise<number> {
  try {
    const answer = await fetch(`${replica.url}/metrics`, { signal: AbortSignal.timeout(2_000) });
    const lines = (await answer.text()).matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'));
    return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
  } catch {
    return 0;
  }
}

/** What a replica that left said in its last line. */
export function lastWords(replica: Running): Readonly<Record<string, unknown>> {
  const lines = readFileSync(replica.log, 'utf8')
    .split('\n')
    .filter((line) => line.includes('"msg":"stopped"'));
  return lines.length === 0 ? {} : (JSON.parse(lines.at(-1) as string) as Record<string, unknown>);
}
