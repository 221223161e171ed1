/** Facts about one Redis for whoever judges them: whether it answers, is as durable as it must be, and what its clock says. Writes nothing. */
import type { Redis } from 'ioredis';
import { type Fault, LocusError } from '../../src/errors.ts';
import { RedisConnection, type RedisOptions } from './connection.ts';
import { LAYOUT } from './keys.ts';
import { checkPolicy, type Policy } from './policy.ts';

export type RedisFacts = {
  /** How far its clock is ahead of this one. */
  readonly aheadMs: number;
  readonly withinMs: number;
  /** What of its settings is not as it must be. */
  readonly faults: readonly Fault[];
  /** How many partitions the store was filled with; undefined: it is empty. */
  readonly partitions: number | undefined;
};

/** With a policy it is judged as the state store. Rejects when it does not answer, or refuses. */
export async function redisFacts(options: RedisOptions, policy?: Policy): Promise<RedisFacts> {
  const connection = new RedisConnection(options, (client) => ask(client, options, policy));
  try {
    await connection.start();
    const live = connection.live();
    if (live === undefined) throw new LocusError('STORE_DOWN', 'Redis closed the connection');
    return live.learned;
  } finally {
    await connection.stop();
  }
}

async function ask(client: Redis, { clock, log }: RedisOptions, policy: Policy | undefined): Promise<RedisFacts> {
  const beforeMs = clock.now();
  const [seconds, microseconds] = await client.time();
  const afterMs = clock.now();
  const skew = {
    aheadMs: Number(seconds) * 1_000 + Number(microseconds) / 1_000 - (beforeMs + afterMs) / 2,
    withinMs: (afterMs - beforeMs) / 2,
  };
  if (policy === undefined) return { ...skew, faults: [], partitions: undefined };
  const info = await client.info().catch((error: Error) => error);
  const faults = await checkPolicy(client, info, policy, log).then(
    () => [],
    (error: unknown) => {
      if (error instanceof LocusError && error.code === 'STORE_POLICY') return error.faults;
      throw error;
    },
  );
  const partitions = await client.hget(LAYOUT, 'partitions');
  return { ...skew, faults, partitions: partitions === null ? undefined : Number(partitions) };
}
