import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, expect, test } from 'vitest';
import { startRedisServer } from '../../infra/dev/redis-server.ts';

let stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.map((stop) => stop()));
  stops = [];
});

async function setup(durable: boolean) {
  const dir = mkdtempSync(join(tmpdir(), 'locus-server-'));
  const redis = await startRedisServer({ dir, durable });
  stops.push(async () => {
    await redis.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const tell = async (...command: [string, ...string[]]) => {
    const client = new Redis(redis.url, { lazyConnect: true });
    await client.connect();
    const answer = await client.call(...command);
    client.disconnect();
    return answer;
  };
  return { dir, redis, tell };
}

test('a durable store keeps what it acknowledged over kill -9, on the same port and in another process', async () => {
  const { redis, tell } = await setup(true);
  await tell('SET', 'a', '1');
  const { pid, port } = redis;
  await redis.kill9();
  await redis.restart();
  expect(await tell('GET', 'a')).toBe('1');
  expect(redis.port).toBe(port);
  expect(redis.pid).not.toBe(pid);
});

test('a durable store whose log ends in half a command starts again with all that is whole', async () => {
  const { dir, redis, tell } = await setup(true);
  await tell('SET', 'a', '1');
  await redis.kill9();
  const log = readdirSync(join(dir, 'appendonlydir')).find((file) => file.endsWith('.incr.aof')) ?? '';
  appendFileSync(join(dir, 'appendonlydir', log), '*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1');
  await redis.restart();
  expect(await tell('GET', 'a')).toBe('1');
  expect(await tell('GET', 'b')).toBeNull();
});

test('a lock node keeps nothing, and one that is frozen can be stopped', async () => {
  const { redis, tell } = await setup(false);
  await tell('SET', 'a', '1');
  await redis.restart();
  expect(await tell('GET', 'a')).toBeNull();
  redis.signal('SIGSTOP');
  await redis.stop();
  await redis.stop();
  expect(() => process.kill(redis.pid, 0)).toThrow();
});

test('a port that is taken is not mistaken for a server of its own', async () => {
  const { redis } = await setup(false);
  const dir = mkdtempSync(join(tmpdir(), 'locus-server-'));
  await expect(startRedisServer({ dir, port: redis.port, durable: false })).rejects.toThrow(/did not answer/);
  rmSync(dir, { recursive: true, force: true });
});
