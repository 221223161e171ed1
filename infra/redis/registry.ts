/** Who is there, in the store's Redis: one hash of replicas by id and life, one of the last life of each id; all times by Redis's clock. */
import type { Redis } from 'ioredis';
import type { Registry, Replica } from '../../src/ports.ts';
import { RedisConnection, type RedisOptions } from './connection.ts';
import { LIVES, REPLICAS } from './keys.ts';

/** One that was silent for so long is of no interest to anybody: rows must not pile up where ids are never used again. */
const FORGET_AFTER_MS = 86_400_000;

const field = (replicaId: string, life: number) => `${replicaId}/${life}`;

export function redisRegistry(options: RedisOptions): Registry {
  const connection = new RedisConnection(options, (client) => client.ping());
  const note = async (client: Redis, replica: Omit<Replica, 'seenMs'>) =>
    client.hset(REPLICAS, field(replica.replicaId, replica.life), JSON.stringify({ ...replica, seenMs: await timeMs(client) }));

  return {
    start: () => connection.start(),
    stop: () => connection.stop(),
    register: (replicaId, url) =>
      connection.ask(async (client) => {
        const life = await client.hincrby(LIVES, replicaId, 1);
        await note(client, { replicaId, life, url, generation: '', partitions: [] });
        const { nowMs, replicas } = await list(client);
        const gone = replicas.filter((it) => (it.replicaId === replicaId && it.life < life) || it.seenMs < nowMs - FORGET_AFTER_MS);
        if (gone.length > 0) await client.hdel(REPLICAS, ...gone.map((it) => field(it.replicaId, it.life)));
        return life;
      }),
    async beat(said) {
      await connection.ask((client) => note(client, said));
    },
    async remove(replicaId, life) {
      await connection.ask((client) => client.hdel(REPLICAS, field(replicaId, life)));
    },
    highestLife: (replicaId) => connection.ask(async (client) => Number((await client.hget(LIVES, replicaId)) ?? 0)),
    list: () => connection.ask(list),
  };
}

async function timeMs(client: Redis): Promise<number> {
  const [seconds, micros] = await client.time();
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}
async function list(client: Redis): Promise<{ readonly nowMs: number; readonly replicas: readonly Replica[] }> {
  const [rows, nowMs] = await Promise.all([client.hvals(REPLICAS), timeMs(client)]);
  return { nowMs, replicas: rows.map(replicaIn) };
}

/** A replica of a version before this one says nothing of its partitions. */
function replicaIn(row: string): Replica {
  const read = JSON.parse(row) as Omit<Replica, 'partitions'> & Partial<Replica>;
  return { ...read, partitions: read.partitions ?? [] };
}
