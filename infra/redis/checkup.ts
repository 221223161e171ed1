/** Facts about one Redis for whoever judges them: whether it answers, is as durable as it must be, and what its clock says. Writes nothing. */
import type { Redis } from 'ioredis';
import { type Fault, LocusError } from '../../src/errors.ts';
import { RedisConnection, type RedisOptions } from './connection.ts';
import { LAYOUT } from './keys.ts';
import { checkPolicy, type Policy } from './policy.ts';
import { databaseOf, forbidden, rightsFault } from './refusals.ts';
import { LOCKS, lackingRights, type Rights, STORE } from './rights.ts';

export type RedisFacts = {
  /** Rights that its user is without, as a replica needs them. */
  readonly lacking: readonly Fault[];
  /** How far its clock is ahead of this one; undefined: the user may not ask. */
  readonly skew: { readonly aheadMs: number; readonly withinMs: number } | undefined;
  /** What of its settings is not as it must be. */
  readonly faults: readonly Fault[];
  /** How many partitions the store was filled with; undefined: it is empty, or the user may not ask. */
  readonly partitions: number | undefined;
};

/** With a policy it is judged as the state store, else as a lock node. Rejects when it does not answer, or refuses. */
export async function redisFacts(options: RedisOptions, policy?: Policy): Promise<RedisFacts> {
  const connection = new RedisConnection(options, (client) =>
    policy === undefined ? lock(client, options) : store(client, options, policy),
  );
  try {
    await connection.start();
    const live = connection.live();
    if (live === undefined) throw new LocusError('STORE_DOWN', 'Redis closed the connection');
    return live.learned;
  } finally {
    await connection.stop();
  }
}

async function lock(client: Redis, options: RedisOptions): Promise<RedisFacts> {
  return { lacking: await lackingFaults(client, options, LOCKS), skew: undefined, faults: [], partitions: undefined };
}

async function store(client: Redis, options: RedisOptions, policy: Policy): Promise<RedisFacts> {
  const lacking = await lackingFaults(client, options, STORE);
  const info = await client.info().catch((error: Error) => error);
  const faults = await checkPolicy(client, info, policy, options.log).then(
    () => [],
    (error: unknown) => {
      if (error instanceof LocusError && error.code === 'STORE_POLICY') return error.faults;
      throw error;
    },
  );
  const partitions = await unlessForbidden(client.hget(LAYOUT, 'partitions'));
  return { lacking, skew: await skewOf(client, options), faults, partitions: partitions == null ? undefined : Number(partitions) };
}

async function lackingFaults(client: Redis, options: RedisOptions, rights: Rights): Promise<readonly Fault[]> {
  const lacking = await lackingRights(client, rights, databaseOf(options.url));
  return lacking.length === 0 ? [] : [rightsFault(options, lacking)];
}

async function skewOf(client: Redis, { clock }: RedisOptions): Promise<RedisFacts['skew']> {
  const beforeMs = clock.now();
  const time = await unlessForbidden(client.time());
  const afterMs = clock.now();
  if (time === undefined) return undefined;
  const [seconds, microseconds] = time;
  const saidMs = Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  return { aheadMs: saidMs - (beforeMs + afterMs) / 2, withinMs: (afterMs - beforeMs) / 2 };
}

/** What the user may not ask is told as a right that is lacking. */
const unlessForbidden = <T>(asked: Promise<T>): Promise<T | undefined> =>
  asked.catch((error: unknown) => {
    if (forbidden(error)) return undefined;
    throw error;
  });
