import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { type RedisServer, startRedisServer } from '../../infra/dev/redis-server.ts';
import { redisLeaseStore } from '../../infra/redis/lease-store.ts';
import { systemClock } from '../../src/clock.ts';
import { systemRandom } from '../../src/random.ts';
import { leaseStoreSuite } from './lease-store-suite.ts';
import { quiet } from './quiet.ts';

const tools = { clock: systemClock, random: systemRandom, log: quiet };

leaseStoreSuite('the lease store in Redis', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'locus-locks-'));
  const start = async (n: number) => {
    mkdirSync(join(dir, String(n)));
    return startRedisServer({ dir: join(dir, String(n)), durable: false });
  };
  const nodes = await Promise.all([0, 1, 2].map(start));
  const killed = new Set<number>();
  const at = (n: number) => nodes[n] as RedisServer;
  async function tell(n: number, ...command: [string, ...string[]]) {
    const client = new Redis(at(n).url, { lazyConnect: true });
    await client.connect();
    await client.call(...command);
    client.disconnect();
  }
  return {
    open: () => redisLeaseStore({ ...tools, urls: nodes.map((it) => it.url) }),
    async kill(n) {
      killed.add(n);
      await at(n).kill9();
    },
    async silence(n) {
      at(n).signal('SIGSTOP');
    },
    async revive(n) {
      if (killed.delete(n)) await at(n).restart();
      else at(n).signal('SIGCONT');
    },
    plant: (n, { address, holder }, ttlMs) => tell(n, 'SET', `lease:${address}`, holder, 'PX', String(ttlMs)),
    async clear() {
      for (const n of [0, 1, 2]) await tell(n, 'FLUSHALL');
    },
    async stop() {
      await Promise.all(nodes.map((it) => it.stop()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
});

test('an even number of lock nodes is refused: a split vote would never settle', () => {
  const urls = ['redis://127.0.0.1:1', 'redis://127.0.0.1:2'];
  expect(() => redisLeaseStore({ ...tools, urls })).toThrow(/odd number/);
});
