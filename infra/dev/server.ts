/** A server in a process of its own: killed, stopped and begun anew over the same files on the same port; it never outlives who began it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

const STOPPED_WITHIN_MS = 10_000;

export type Server = {
  readonly port: number;
  /** Of the process that runs now; another one after `restart`. */
  readonly pid: number;
  signal(sig: NodeJS.Signals): void;
  /** SIGKILL; resolves when the process is gone. */
  kill9(): Promise<void>;
  /** As it should end, also from SIGSTOP; safe to call twice. */
  stop(): Promise<void>;
  /** A new life over the same files on the same port; one that still runs is killed first. */
  restart(): Promise<void>;
};

/** `begin` resolves once it serves, on the port it is given or on a free one. */
export async function server(
  begin: (port: number | undefined) => Promise<{ readonly port: number; readonly child: ChildProcess }>,
  wanted: number | undefined,
): Promise<Server> {
  let { port, child } = await begin(wanted);
  const kill9 = () => end(child, 'SIGKILL');
  return {
    port,
    get pid() {
      return child.pid ?? 0;
    },
    signal: (sig) => void child.kill(sig),
    kill9,
    stop: () => end(child, 'SIGTERM'),
    async restart() {
      await kill9();
      ({ port, child } = await begin(port));
    },
  };
}

/** Its output goes to the end of `log`. */
export function launched(program: string, args: readonly string[], log: string): ChildProcess {
  const output = openSync(log, 'a');
  const child = spawn(program, args, { stdio: ['ignore', output, output] });
  closeSync(output);
  const orphan = () => child.kill('SIGKILL');
  process.once('exit', orphan);
  child.once('exit', () => process.off('exit', orphan));
  return child;
}

export async function end(child: ChildProcess, sig: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(sig);
  child.kill('SIGCONT');
  const late = setTimeout(() => child.kill('SIGKILL'), STOPPED_WITHIN_MS);
  await gone;
  clearTimeout(late);
}
