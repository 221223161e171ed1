/** Leases over 1, 3 or 5 lock nodes: redlock takes and releases them, one script per node renews a thousand at a time. */
import { readFileSync } from 'node:fs';
import { linkRefused } from '../../src/errors.ts';
import type { Address } from '../../src/message/address.ts';
import type { Clock, Lease, LeaseStore } from '../../src/ports.ts';
import { RedisConnection, type RedisOptions } from './connection.ts';
import { type Client, ExecutionError, Lock, Redlock, ResourceLockedError } from './redlock.ts';
import { databaseOf, place, rightsFault } from './refusals.ts';
import { LOCKS, lackingRights } from './rights.ts';
import { luaFolder } from './scripts.ts';
import { Slots } from './slots.ts';

const TIMEOUT_MS = 1_000;
/** Attempts that redlock may have open at once. */
const OPEN_MAX = 128;
/** Leases renewed by one script call. */
const BATCH = 1_000;
const TAKE = readFileSync(new URL('locks/take-1.lua', luaFolder), 'utf8');
const RENEW = readFileSync(new URL('locks/renew-1000.lua', luaFolder), 'utf8');

const key = (address: Address): string => `lease:${address}`;

export type RedisLeaseOptions = Omit<RedisOptions, 'url' | 'commandTimeoutMs'> & {
  /** An odd number: an even one can split its vote and never settle. */
  readonly urls: readonly string[];
  /** How long a vote may take in all; a silent node hangs redlock when its vote decides. */
  readonly timeoutMs?: number;
};

export function redisLeaseStore({ urls, timeoutMs = TIMEOUT_MS, ...options }: RedisLeaseOptions): LeaseStore {
  if (urls.length % 2 === 0) throw new RangeError(`${urls.length} lock nodes: must be an odd number`);
  const quorum = Math.floor(urls.length / 2) + 1;
  const connect = (url: string) => {
    // redlock takes two turns when it fails: the vote, and taking back what it got.
    const link = { ...options, url, variable: 'LOCK_REDIS_URLS', commandTimeoutMs: timeoutMs / 2 };
    return new RedisConnection<unknown>(link, async (client) => {
      const lacking = await lackingRights(client, LOCKS, databaseOf(url));
      if (lacking.length > 0) throw linkRefused([rightsFault(link, lacking)]);
    });
  };
  const voters = urls.map(connect);
  const renewers = urls.map(connect);
  const redlock = new OwnValue(voters.map(clientOf));
  const slots = new Slots(OPEN_MAX);
  const drop = (lease: Lease) => slots.run(() => redlock.drop(lease));
  const inTime = <T>(ttlMs: number, work: Promise<T>, late: T) => within(options.clock, ttlMs / 2, work, late);

  return {
    async start() {
      await Promise.all([...voters, ...renewers].map((it) => it.startPatiently()));
    },
    async stop() {
      await Promise.all([...voters, ...renewers].map((it) => it.stop()));
    },
    async acquire(lease, ttlMs) {
      let over = false;
      const attempt = slots.run(async () => {
        if (over) return 'no-quorum';
        try {
          await redlock.take(lease, ttlMs);
        } catch (error) {
          return reason(error, quorum);
        }
        // Nobody waits for it any more: it would keep the others out for its whole time.
        if (over) await redlock.drop(lease);
        return 'granted';
      });
      const answer = await inTime(ttlMs, attempt, 'no-quorum');
      over = answer !== 'granted';
      return answer;
    },
    async renew(leases, ttlMs) {
      const batches: Promise<readonly Renewal[]>[] = [];
      // With none to renew the nodes are asked all the same: one that is silent is found out before a lease is wanted.
      for (let from = 0; from === 0 || from < leases.length; from += BATCH) {
        const batch = leases.slice(from, from + BATCH);
        const votes = Promise.all(renewers.map((node) => inTime(ttlMs, vote(node, batch, ttlMs), undefined)));
        batches.push(votes.then((all) => batch.map((_, i) => verdict(all, i, quorum))));
      }
      return (await Promise.all(batches)).flat();
    },
    async release(leases) {
      await Promise.all(leases.map(drop));
    },
    trouble() {
      const down = urls.flatMap((url, n) => {
        const away = [voters[n], renewers[n]].filter((it) => it?.live() === undefined);
        const whys = away.map((it) => it?.trouble() ?? 'the connection was lost');
        return away.length === 0 ? [] : [`lock node ${place(url)}: ${whys[0]}`];
      });
      return down.length === 0 ? undefined : { majority: urls.length - down.length >= quorum, why: down.join('; ') };
    },
  };
}

/** redlock with a value of our own, which says whose lease it is and which acquisition: a late release cannot touch a newer one. */
class OwnValue extends Redlock {
  #value = '';
  constructor(clients: readonly Client[]) {
    super(clients, { retryCount: 0 }, { acquireScript: () => TAKE });
  }
  /** Read by `acquire` before it waits for anything. */
  override _random(): string {
    return this.#value;
  }
  take({ address, holder }: Lease, ttlMs: number): Promise<Lock> {
    this.#value = holder;
    return this.acquire([key(address)], Math.floor(ttlMs));
  }
  async drop({ address, holder }: Lease): Promise<void> {
    await this.release(new Lock(this, [key(address)], holder, [], 0)).catch(() => {});
  }
}

/** A node as redlock sees it, whichever connection it has at the moment. */
function clientOf(node: RedisConnection<unknown>): Client {
  const send = (command: 'EVALSHA' | 'EVAL') => (script: string, keys: number, args: readonly (string | number)[]) =>
    node
      .ask((client) => client.call(command, script, keys, ...args))
      .catch((error: Error) => {
        // redlock knows NOSCRIPT by Redis's own words.
        throw error.cause ?? error;
      });
  return { evalsha: send('EVALSHA'), eval: send('EVAL') };
}

/** Enough nodes answered to know that somebody holds it, or not. */
async function reason(error: unknown, quorum: number): Promise<'held' | 'no-quorum'> {
  if (!(error instanceof ExecutionError)) return 'no-quorum';
  const votes = await error.attempts[0];
  if (votes === undefined) return 'no-quorum';
  const locked = [...votes.votesAgainst.values()].filter((it) => it instanceof ResourceLockedError);
  return votes.votesFor.size + locked.length >= quorum ? 'held' : 'no-quorum';
}

type Renewal = 'renewed' | 'lost' | 'no-quorum';
type Votes = readonly number[] | undefined;

async function vote(node: RedisConnection<unknown>, leases: readonly Lease[], ttlMs: number): Promise<Votes> {
  const keys = leases.map((it) => key(it.address));
  const holders = leases.map((it) => it.holder);
  try {
    return (await node.ask((client) => client.eval(RENEW, keys.length, ...keys, String(Math.floor(ttlMs)), ...holders))) as number[];
  } catch {
    return undefined;
  }
}
/** Renewed by a majority; lost once no majority is possible any more, whatever the silent nodes would say. */
function verdict(votes: readonly Votes[], i: number, quorum: number): Renewal {
  const renewed = votes.filter((it) => it?.[i] === 1).length;
  const lost = votes.filter((it) => it?.[i] === 0).length;
  if (renewed >= quorum) return 'renewed';
  return lost > votes.length - quorum ? 'lost' : 'no-quorum';
}

function within<T>(clock: Clock, ms: number, work: Promise<T>, late: T): Promise<T> {
  return new Promise((resolve) => {
    const alarm = clock.after(ms, () => resolve(late));
    void work.then((answer) => {
      alarm.cancel();
      resolve(answer);
    });
  });
}
