/** The image, as far as it can be had without Docker: its Dockerfile's steps played in folders, and what comes of them run as a pod would. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { freePort } from '../../infra/dev/free-port.ts';
import { type RedisServer, startRedisServer } from '../../infra/dev/redis-server.ts';
import { copyOf, last, type Stage, stages, visible } from '../k8s/dockerfile.ts';
import { container, podEnvironment } from '../k8s/manifests.ts';
import { until } from './until.ts';

const repository = join(import.meta.dirname, '../..');
const TOKEN = 'a-token-of-enough-length';
let dir = '';
let app = '';
let store: RedisServer;
const children: ChildProcess[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'locus-image-'));
  chmodSync(dir, 0o755);
  for (const stage of stages()) play(stage);
  app = join(dir, 'image', last(stages().at(-1) as Stage, 'WORKDIR') ?? '');
  mkdirSync(join(dir, 'store'));
  store = await startRedisServer({ dir: join(dir, 'store'), durable: true });
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await store.stop();
  rmSync(dir, { recursive: true, force: true });
});

const folderOf = (stage: string): string => join(dir, stage || 'image');

/** Each stage in a folder of its own that stands for its root. */
function play({ name, instructions }: Stage): void {
  const root = folderOf(name);
  mkdirSync(root);
  let at = '/';
  for (const { verb, rest } of instructions) {
    if (verb === 'WORKDIR') at = rest;
    mkdirSync(join(root, at), { recursive: true });
    if (verb === 'RUN') execFileSync('sh', ['-c', rest], { cwd: join(root, at), env: outside(), stdio: ['ignore', 'ignore', 'inherit'] });
    if (verb === 'COPY') copy(root, at, rest);
  }
}

/** Npm's settings of this machine, but not those of the run that this test is part of. */
function outside(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_(package|lifecycle|execpath|config_local_prefix)|NODE_ENV|VITEST)/.test(name)),
  );
}

function copy(root: string, at: string, rest: string): void {
  const sees = visible();
  const { from, sources, target } = copyOf(rest);
  for (const source of sources) {
    // Of the first stage's base, which is not here: this machine's own node stands for it.
    const isNode = source === '/usr/local/bin/node';
    const found = isNode ? process.execPath : join(from === undefined ? repository : folderOf(from), source);
    const into = join(root, posix.resolve(at, target), /\.[a-z]+$/.test(source) && target.endsWith('/') ? posix.basename(source) : '');
    mkdirSync(join(into, '..'), { recursive: true });
    if (isNode) symlinkSync(found, into);
    else cpSync(found, into, { recursive: true, filter: (path) => from !== undefined || sees(relative(repository, path)) });
  }
}

/** By the entry point, with the arguments of the manifests unless others are given; as the user of the image where this process may become one. */
function start(env: Readonly<Record<string, string>>, args = container.args ?? []) {
  const [uid = 0, gid = 0] = (last(stages().at(-1) as Stage, 'USER') ?? '').split(':').map(Number);
  const identity = process.getuid?.() === 0 ? { uid, gid } : {};
  const [, ...flags] = JSON.parse(last(stages().at(-1) as Stage, 'ENTRYPOINT') ?? '') as string[];
  const child = spawn(join(dir, 'image/usr/local/bin/node'), [...flags, ...args], {
    cwd: app,
    env: { ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...identity,
  });
  children.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  const gone = new Promise<number | string>((resolve) => child.once('close', (code, signal) => resolve(code ?? signal ?? 'gone')));
  return { child, gone, said: () => said };
}

/** The Secret as the kubelet mounts it: files that the pod's group may read. */
function secretFiles(values: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const folder = join(dir, 'secrets');
  mkdirSync(folder);
  const files = Object.entries(podEnvironment()).filter(([name]) => name.endsWith('_FILE'));
  return Object.fromEntries(
    files.map(([name, path]) => {
      const file = join(folder, posix.basename(path));
      writeFileSync(file, `${values[posix.basename(path)] ?? ''}\n`, { mode: 0o440 });
      if (process.getuid?.() === 0) chownSync(file, 0, Number(last(stages().at(-1) as Stage, 'USER')?.split(':')[1]));
      return [name, file];
    }),
  );
}

describe('the image', () => {
  it('says what it can do', async () => {
    const { gone, said } = start({}, ['dist/src/cli.js', '--help']);
    expect([await gone, said()]).toEqual([0, expect.stringContaining('serve')]);
  });

  it('holds no test, no compiler and no tool of development', () => {
    const listed = execFileSync('find', [join(dir, 'image'), '-type', 'f'], { encoding: 'utf8', maxBuffer: 2 ** 26 });
    const strangers = /\/dist\/(test|infra\/dev)\/|\/node_modules\/(typescript|vitest|\.bin)\/|\/\.git\//;
    expect(listed.split('\n').filter((path) => strangers.test(path))).toEqual([]);
  });

  it('with half a configuration it ends at once and names what is missing', async () => {
    const { gone, said } = start({ REDIS_URL: 'redis://store:6379' }, JSON.parse(last(stages().at(-1) as Stage, 'CMD') ?? ''));
    expect([await gone, said()]).toEqual([78, expect.stringContaining('KAFKA_BROKERS')]);
  });

  it('without any it would serve alone, and ends at once where it has no folder to write to', async () => {
    const { gone, said } = start({ DATA_DIR: '/dev/null/data' }, JSON.parse(last(stages().at(-1) as Stage, 'CMD') ?? ''));
    expect([await gone, said()]).toEqual([78, expect.stringContaining('DATA_DIR does not do: /dev/null/data')]);
  });

  it('serves what the manifests ask for, and leaves in order', async () => {
    const [http, admin] = [await freePort(), await freePort()];
    const name = `image-${process.pid}`;
    const secrets = { REDIS_URL: store.url, LOCK_REDIS_URLS: inject('lockUrls'), ADMIN_TOKEN: TOKEN };
    const here = {
      KAFKA_BROKERS: inject('brokers'),
      HTTP_HOST: '127.0.0.1',
      ADMIN_HOST: '127.0.0.1',
      HTTP_PORT: String(http),
      ADMIN_PORT: String(admin),
    };
    const own = {
      KAFKA_GROUP_ID: name,
      COMMANDS_TOPIC: `${name}.commands`,
      EVENTS_TOPIC: `${name}.events`,
      DEAD_LETTERS_TOPIC: `${name}.letters`,
    };
    const { child, gone, said } = start({ ...podEnvironment(), ...secretFiles(secrets), ...here, ...own });
    const statusOf = (path = '', headers = {}) =>
      fetch(`http://127.0.0.1:${admin}${path}`, { headers }).then(
        ({ status }) => status,
        () => 0,
      );
    const { startupProbe, livenessProbe, readinessProbe } = container;
    await until('it has started', async () => child.exitCode !== null || (await statusOf(startupProbe?.httpGet?.path)) === 200, 60_000);
    expect(child.exitCode, said()).toBe(null);
    await until('it is ready', async () => (await statusOf(readinessProbe?.httpGet?.path)) === 200, 30_000);
    expect(await statusOf(livenessProbe?.httpGet?.path)).toBe(200);
    expect([await statusOf('/metrics'), await statusOf('/metrics', { authorization: `Bearer ${TOKEN}` })]).toEqual([401, 200]);
    child.kill('SIGTERM');
    expect(await gone).toBe(0);
  });
});
