import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import { type RedisServer, startRedisServer } from '../../infra/dev/redis-server.ts';
import { evaluate, lifeIn, loadScripts } from '../../infra/redis/scripts.ts';
import { redisStateStore } from '../../infra/redis/state-store.ts';
import { systemClock } from '../../src/clock.ts';
import { systemRandom } from '../../src/random.ts';
import { quiet } from './quiet.ts';
import { stateStoreSuite } from './state-store-suite.ts';

const tools = { clock: systemClock, random: systemRandom, log: quiet };

/** What a test started, ended also when it failed. */
let stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.map((stop) => stop()));
  stops = [];
});

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
  const { redis, stop } = await server(true);
  return {
    open: () => redisStateStore({ ...tools, url: redis.url, policy: 'durable', commandTimeoutMs: 500 }),
    restart: () => redis.restart(),
    kill: () => redis.kill9(),
    freeze: () => redis.signal('SIGSTOP'),
    thaw: () => redis.signal('SIGCONT'),
    flush: async () => void (await tell(redis, 'FLUSHALL')),
    forgetScripts: async () => void (await tell(redis, 'SCRIPT', 'FLUSH')),
    stop,
  };
});

describe('the scripts of the state store in Redis', () => {
  test('what one life of the store was told to run stays unknown to the next, whoever loads the same scripts there', async () => {
    const { redis, stop } = await server(true);
    stops.push(stop);
    const connect = async () => {
      const client = new Redis(redis.url, { lazyConnect: true });
      await client.connect();
      const life = lifeIn(await client.info('server')) ?? '';
      return { client, incarnation: await loadScripts(client, life) };
    };
    const before = await connect();
    const run = (client: Redis, incarnation = before.incarnation) =>
      evaluate(client, incarnation, 'generation', ['locus:generation'], ['', '1:a']);
    expect(await run(before.client)).toBe('1:a');
    before.client.disconnect();
    await redis.restart();
    const after = await connect();
    expect(await run(after.client, after.incarnation)).toBe('1:a');
    await expect(run(after.client)).rejects.toThrow(/^NOSCRIPT/);
    after.client.disconnect();
  });
});

test('no script of the store leaves a transaction in its log, which a torn tail would leave open', async () => {
  const { redis, dir, stop } = await server(true);
  stops.push(stop);
  const store = redisStateStore({ ...tools, url: redis.url, policy: 'durable' });
  await store.start();
  const generation = await store.setGeneration(1, undefined);
  const item = { lane: 'bulk' as const, offset: 1, commandId: 'x', text: '{}' };
  const entry = { status: 'inboxed' as const, hash: 'h'.repeat(43), text: '{}' };
  await store.markInbox('t/1', 0, generation);
  await store.append('t/1', item, entry, generation);
  const got = await store.claim('t/1', 'me', generation);
  if (got.kind !== 'claimed') throw new Error(got.kind);
  const { claim } = got;
  const done = { ...entry, status: 'done' as const, commandId: 'x' };
  const event = { address: 't/1', seq: 1, text: '{}' };
  const records = [{ commandId: 'x', text: '{}' }];
  const answers = [
    await store.mark(claim, 0),
    await store.commit(claim, { seq: 0, unrecorded: ['x'], events: [event], entries: [done], records, header: { state: '{}' } }),
    await store.published(claim, 1),
    await store.trim(claim, { events: { from: 1, to: 1 }, inbox: [item], entries: ['x'], records: ['x'] }),
    await store.unmark(claim, 0),
    await store.setApplied({ group: 'g', topic: 't', partition: 0 }, 1, 1, generation),
  ];
  expect(answers).toEqual(answers.map(() => ({ kind: 'ok' })));
  await store.stop();
  await redis.stop();
  const text = logText(dir);
  for (const write of ['HSET', 'HDEL', 'ZADD', 'ZREM', 'SET']) expect(text).toContain(`\r\n${write}\r\n`);
  expect(text.match(/\r\nMULTI\r\n/gi)).toBeNull();
});

describe('the inbox index of the state store in Redis', () => {
  const hash = 'h'.repeat(43);
  const item = (offset: number) => ({ lane: 'customer' as const, offset, commandId: `x${offset}`, text: '{}' });
  const entry = { status: 'inboxed' as const, hash, text: '{}' };
  const index = 'x:inbox:t/1:customer';

  async function setup() {
    const { redis, stop } = await server(true);
    stops.push(stop);
    const store = redisStateStore({ ...tools, url: redis.url, policy: 'durable' });
    await store.start();
    const generation = await store.setGeneration(1, undefined);
    for (const offset of [5, 7]) await store.append('t/1', item(offset), entry, generation);
    stops.push(() => store.stop());
    return { redis, store, generation };
  }

  test('a field whose index was never written is found once its record is delivered again', async () => {
    const { redis, store, generation } = await setup();
    await tell(redis, 'ZREM', index, '7');
    expect(await store.append('t/1', item(7), entry, generation)).toEqual({ kind: 'known', entry });
    expect(await store.inbox('t/1', 'customer', 10)).toEqual([item(5), item(7)]);
  });

  test('names whose fields are gone hide nothing that waits behind them', async () => {
    const { redis, store } = await setup();
    await tell(redis, 'ZADD', index, '1', '1', '2', '2');
    expect(await store.inbox('t/1', 'customer', 2)).toEqual([item(5), item(7)]);
    expect((await store.read('t/1'))?.inbox.customer).toBe(2);
  });
});

describe('the policy of the state store in Redis', () => {
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
