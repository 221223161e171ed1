/** A real redis-server on loopback: the durable store, or a lock node that keeps nothing. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { tool } from './tools.ts';

const READY_WITHIN_MS = 15_000;
const STOPPED_WITHIN_MS = 5_000;
const ATTEMPTS = 3;

const DURABLE = {
  appendonly: 'yes',
  appendfsync: 'always',
  'maxmemory-policy': 'noeviction',
  'aof-load-truncated': 'no',
  // The log is written anew each time it has doubled: from Redis's 64 MB on, a busy store would do hardly anything else.
  'auto-aof-rewrite-min-size': '1gb',
};
const durableArgs = Object.entries(DURABLE).flatMap(([name, value]) => [`--${name}`, value]);

export type RedisServer = {
  readonly port: number;
  readonly url: string;
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

/** Listens on `port`, or on a free one; its output goes to redis.log in `dir`. */
export async function startRedisServer(it: {
  readonly dir: string;
  readonly port?: number;
  readonly durable: boolean;
  /** Settings beside ours, such as `--tls-port`. */
  readonly more?: readonly string[];
}): Promise<RedisServer> {
  let { port, child } = await begin(it);
  const kill9 = () => end(child, 'SIGKILL');
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return child.pid ?? 0;
    },
    signal: (sig) => void child.kill(sig),
    kill9,
    stop: () => end(child, 'SIGTERM'),
    async restart() {
      await kill9();
      ({ port, child } = await begin({ ...it, port }));
    },
  };
}

/** A free port may be taken between asking and listening: then another one is tried. */
async function begin({
  dir,
  port,
  durable,
  more = [],
}: Parameters<typeof startRedisServer>[0]): Promise<{ port: number; child: ChildProcess }> {
  if (durable) mend(dir);
  for (let attempt = 1; ; attempt++) {
    const at = port ?? (await freePort());
    const child = launch(dir, at, durable, more);
    if (await ready(child, at)) return { port: at, child };
    await end(child, 'SIGKILL');
    if (port !== undefined || attempt === ATTEMPTS)
      throw new Error(`redis-server did not answer on 127.0.0.1:${at}: see ${join(dir, 'redis.log')}`);
  }
}

/** The log of a store that died while it wrote may end in half a command, which `aof-load-truncated no` refuses. */
function mend(dir: string): void {
  const manifest = join(dir, 'appendonlydir', 'appendonly.aof.manifest');
  if (existsSync(manifest)) spawnSync(tool('redis-check-aof'), ['--fix', manifest], { input: 'y\n' });
}

function launch(dir: string, port: number, durable: boolean, more: readonly string[]): ChildProcess {
  const output = openSync(join(dir, 'redis.log'), 'a');
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', ''];
  const child = spawn(tool('redis-server'), [...place, ...(durable ? durableArgs : ['--appendonly', 'no']), ...more], {
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const orphan = () => child.kill('SIGKILL');
  process.once('exit', orphan);
  child.once('exit', () => process.off('exit', orphan));
  return child;
}

async function ready(child: ChildProcess, port: number): Promise<boolean> {
  const tries = READY_WITHIN_MS / 25;
  for (let n = 0; n < tries && child.exitCode === null; n++) {
    if (await answers(child, port)) return true;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return false;
}

/** It serves, and it is ours: another server may have taken the port first. */
function answers(child: ChildProcess, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\nINFO server\r\n'));
    const answer = (it: boolean) => {
      socket.destroy();
      resolve(it);
    };
    socket.once('data', (data) => answer(/^\+PONG.*process_id:(\d+)/s.exec(data.toString())?.[1] === String(child.pid)));
    socket.once('error', () => answer(false));
    socket.setTimeout(1_000, () => answer(false));
  });
}

async function end(child: ChildProcess, sig: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(sig);
  child.kill('SIGCONT');
  const late = setTimeout(() => child.kill('SIGKILL'), STOPPED_WITHIN_MS);
  await gone;
  clearTimeout(late);
}
