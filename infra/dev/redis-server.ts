/** A real redis-server on loopback: the durable store, or a lock node that keeps nothing. */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { end, launched, type Server, server } from './server.ts';
import { tool } from './tools.ts';

const READY_WITHIN_MS = 15_000;
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

export type RedisServer = Server & { readonly url: string };

/** Listens on `port`, or on a free one; its output goes to redis.log in `dir`. */
export async function startRedisServer(it: {
  readonly dir: string;
  readonly port?: number;
  readonly durable: boolean;
  /** Settings beside ours, such as `--tls-port`. */
  readonly more?: readonly string[];
}): Promise<RedisServer> {
  const made = await server((port) => begin(it, port), it.port);
  return Object.assign(made, { url: `redis://127.0.0.1:${made.port}` });
}

/** A free port may be taken between asking and listening: then another one is tried. */
async function begin(
  { dir, durable, more = [] }: Parameters<typeof startRedisServer>[0],
  port: number | undefined,
): Promise<{ port: number; child: ChildProcess }> {
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
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', ''];
  const kept = durable ? durableArgs : ['--appendonly', 'no'];
  return launched(tool('redis-server'), [...place, ...kept, ...more], join(dir, 'redis.log'));
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
