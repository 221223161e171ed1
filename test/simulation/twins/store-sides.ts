/** The two state stores that are held to each other: the memory twin, and a real Redis of its own on loopback. */
import { Redis } from 'ioredis';
import { startRedisServer } from '../../../infra/dev/redis-server.ts';
import { memoryDisk } from '../../../infra/memory/disk.ts';
import { location } from '../../../infra/memory/location.ts';
import { memoryStateStore } from '../../../infra/memory/state-store.ts';
import { inboxKey } from '../../../infra/redis/keys.ts';
import { redisStateStore } from '../../../infra/redis/state-store.ts';
import { systemClock } from '../../../src/clock.ts';
import { systemRandom } from '../../../src/random.ts';
import { quiet } from '../../contract/quiet.ts';
import type { StoreSide } from './store.ts';
import { soon } from './wait.ts';

export async function memorySide(): Promise<StoreSide> {
  const disk = memoryDisk(systemClock);
  const door = () => memoryStateStore(disk, { random: systemRandom });
  const doors = [door(), door()] as const;
  for (const it of doors) await it.start();
  return {
    doors,
    restart: async () => disk.restart(),
    flush: async () => disk.flush(),
    forgetScripts: async () => {},
    async bendLine(address, lane, offset, stands) {
      // A name in line is a key of its own in Redis, and makes no location.
      const { line } = location(disk, address);
      if (stands) line[lane].add(offset);
      else line[lane].delete(offset);
    },
  };
}

export async function redisSide(dir: string): Promise<StoreSide & { stop(): Promise<void> }> {
  const server = await startRedisServer({ dir, durable: true });
  const door = () => redisStateStore({ url: server.url, policy: 'durable', clock: systemClock, random: systemRandom, log: quiet });
  const doors = [door(), door()] as const;
  for (const it of doors) await it.start();
  let client = new Redis(server.url);
  return {
    doors,
    async restart() {
      const before = doors.map((it) => it.life());
      client.disconnect();
      await server.restart();
      client = new Redis(server.url);
      await soon('both doors are open again', () => doors.every((it, n) => it.life() !== undefined && it.life() !== before[n]));
    },
    flush: async () => void (await client.flushall()),
    forgetScripts: async () => void (await client.call('SCRIPT', 'FLUSH')),
    async bendLine(address, lane, offset, stands) {
      const key = inboxKey(address, lane);
      await (stands ? client.zadd(key, offset, String(offset)) : client.zrem(key, String(offset)));
    },
    async stop() {
      client.disconnect();
      for (const it of doors) await it.stop();
      await server.stop();
    },
  };
}
