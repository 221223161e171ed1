import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import { type RedisServer, startRedisServer } from '../../infra/dev/redis-server.ts';
import { redisStateStore } from '../../infra/redis/state-store.ts';
import { systemClock } from '../../src/clock.ts';
import { systemRandom } from '../../src/random.ts';
import { quiet } from './quiet.ts';
import { stateStoreSuite } from './state-store-suite.ts';

const tools = { clock: systemClock, random: systemRandom, log: quiet };

/** A server of its own, and a plain client that outlives its restarts. */
async function server(durable: boolean) {
  const dir = mkdtempSync(join(tmpdir(), 'locus-redis-'));
  const redis = await startRedisServer({ dir, durable });
  const stop = async () => {
    await redis.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { redis, dir, stop };
}
async function tell(redis: RedisServer, ...command: [string, ...string[]]): Promise<unknown> {
  const client = new Redis(redis.url, { lazyConnect: true });
  await client.connect();
  const answer = await client.call(...command);
  client.disconnect();
  return answer;
}
const logText = (dir: string): string =>
  readdirSync(join(dir, 'appendonlydir'))
    .map((file) => readFileSync(join(dir, 'appendonlydir', file), 'latin1'))
    .join('');

stateStoreSuite('the state store in Redis', async () => {
  const { redis, dir, stop } = await server(true);
  return {
    open: () => redisStateStore({ ...tools, url: redis.url, policy: 'durable', commandTimeoutMs: 500 }),
    restart: () => redis.restart(),
    kill: () => redis.kill9(),
    freeze: () => redis.signal('SIGSTOP'),
    thaw: () => redis.signal('SIGCONT'),
    flush: async () => void (await tell(redis, 'FLUSHALL')),
    forgetScripts: async () => void (await tell(redis, 'SCRIPT', 'FLUSH')),
    async stop() {
      await redis.stop();
      const text = logText(dir);
      await stop();
      // A script with two writes would stand here as a MULTI block, which a torn tail leaves open.
      expect(text).toContain('HSET');
      expect(text.match(/\r\nMULTI\r\n/gi)).toBeNull();
    },
  };
});

describe('the policy of the state store in Redis', () => {
  let stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(stops.map((stop) => stop()));
    stops = [];
  });
  async function setup(durable: boolean) {
    const { redis, stop } = await server(durable);
    const store = (url = redis.url, policy: 'durable' | 'relaxed' = 'durable', acknowledged = false) => {
      const made = redisStateStore({ ...tools, url, policy, acknowledged });
      stops.push(() => made.stop());
      return made;
    };
    stops.push(stop);
    return { redis, store };
  }
  const urlOf = (redis: RedisServer, user: string) => redis.url.replace('//', `//${user}:secret@`);

  test('every setting that is wrong is named with its value and its fix, all at once', async () => {
    const { redis, store } = await setup(false);
    await tell(redis, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    await tell(redis, 'CONFIG', 'SET', 'aof-load-truncated', 'yes');
    const refused = await store()
      .start()
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'STORE_POLICY',
      faults: [
        { field: 'appendonly', value: '"no"', rule: expect.stringContaining('CONFIG SET appendonly yes') },
        { field: 'appendfsync', value: '"everysec"', rule: expect.stringContaining('CONFIG SET appendfsync always') },
        { field: 'maxmemory-policy', value: '"allkeys-lru"', rule: expect.stringContaining('noeviction') },
        { field: 'aof-load-truncated', value: '"yes"', rule: expect.stringContaining('CONFIG SET aof-load-truncated no') },
      ],
    });
    expect(String(refused)).toContain('appendonly is "no"');
  });

  test('relaxed accepts a log that is synced once a second, and nothing else', async () => {
    const { redis, store } = await setup(true);
    await tell(redis, 'CONFIG', 'SET', 'appendfsync', 'everysec');
    await store(redis.url, 'relaxed').start();
    await expect(store().start()).rejects.toMatchObject({ faults: [{ field: 'appendfsync' }] });
    await tell(redis, 'CONFIG', 'SET', 'appendonly', 'no');
    await expect(store(redis.url, 'relaxed').start()).rejects.toMatchObject({ faults: [{ field: 'appendonly' }] });
  });

  test('a replica is refused', async () => {
    const { redis, store } = await setup(true);
    await tell(redis, 'REPLICAOF', '127.0.0.1', '1');
    await expect(store().start()).rejects.toMatchObject({ faults: [{ field: 'role', value: '"slave"' }] });
  });

  test('where CONFIG is forbidden the durability must be acknowledged', async () => {
    const { redis, store } = await setup(true);
    await tell(redis, 'ACL', 'SETUSER', 'mute', 'on', '>secret', '~*', '&*', '+@all', '-config');
    const url = urlOf(redis, 'mute');
    await expect(store(url).start()).rejects.toMatchObject({ code: 'STORE_POLICY', faults: [{ field: 'CONFIG' }] });
    await store(url, 'durable', true).start();
  });

  test('where INFO is forbidden the fix is named, acknowledged or not', async () => {
    const { redis, store } = await setup(true);
    await tell(redis, 'ACL', 'SETUSER', 'blind', 'on', '>secret', '~*', '&*', '+@all', '-info');
    const blind = store(urlOf(redis, 'blind'), 'durable', true);
    await expect(blind.start()).rejects.toMatchObject({ faults: [{ field: 'INFO', rule: expect.stringContaining('+info') }] });
  });

  test('a store that lost its durability while it was away is not used again until it has it', async () => {
    const { redis, store } = await setup(true);
    const durable = store();
    await durable.start();
    await tell(redis, 'CONFIG', 'SET', 'appendfsync', 'no');
    await tell(redis, 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await expect.poll(() => durable.life()).toBeUndefined();
    await expect(durable.read('t/1')).rejects.toMatchObject({ code: 'STORE_DOWN' });
    await tell(redis, 'CONFIG', 'SET', 'appendfsync', 'always');
    await expect.poll(() => durable.life(), { timeout: 5_000 }).toBeDefined();
  });
});
