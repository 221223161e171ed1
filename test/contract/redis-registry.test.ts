import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startRedisServer } from '../../infra/dev/redis-server.ts';
import { redisNotices } from '../../infra/redis/notices.ts';
import { redisRegistry } from '../../infra/redis/registry.ts';
import { systemClock } from '../../src/clock.ts';
import { systemRandom } from '../../src/random.ts';
import { quiet } from './quiet.ts';
import { registrySuite } from './registry-suite.ts';

registrySuite('the registry and the notices in Redis', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'locus-registry-'));
  const redis = await startRedisServer({ dir, durable: true });
  const options = { url: redis.url, clock: systemClock, random: systemRandom, log: quiet };
  return {
    registry: () => redisRegistry(options),
    notices: () => redisNotices(options),
    kill: () => redis.kill9(),
    restart: () => redis.restart(),
    async flush() {
      const client = new Redis(redis.url, { lazyConnect: true });
      await client.connect();
      await client.flushall();
      client.disconnect();
    },
    async stop() {
      await redis.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
});
