/** Leases over lock nodes in memory: the twin of redlock over 1, 3 or 5 Redis, with votes and with nodes that are dead, slow or silent. */
import type { Clock, Holder, Lease, LeaseStore, Random } from '../../src/ports.ts';
import { LockNode } from './lock-node.ts';

/** The lock nodes that several lease stores share; a test or a simulator bends them one by one. */
export type MemoryLocks = { readonly clock: Clock; readonly nodes: readonly LockNode[] };
/** `random` draws how slow a slow node is; without it always half of what it may be. */
export const memoryLocks = (clock: Clock, count: 1 | 3 | 5 = 1, random?: Pick<Random, 'next'>): MemoryLocks => ({
  clock,
  nodes: Array.from({ length: count }, () => new LockNode(clock, random)),
});

/** How long a vote is waited for: as in infra/redis, where a silent node costs this once to take and once to let go. */
const VOTE_MS = 500;

/** `clock`: the replica's own, where it is not the nodes'. */
export function memoryLeaseStore({ nodes, ...locks }: MemoryLocks, clock: Clock = locks.clock): LeaseStore {
  const quorum = Math.floor(nodes.length / 2) + 1;
  /** What the node answers; undefined: nothing in time. It may have done it all the same. */
  const ask = <T>(node: LockNode, work: () => T): Promise<T | undefined> | T | undefined => {
    if (!node.up) return undefined;
    if (node.prompt) return work();
    return new Promise((resolve) => {
      const alarm = clock.after(VOTE_MS, () => resolve(undefined));
      void node.later(work).then((answer) =>
        clock.soon(() => {
          alarm.cancel();
          resolve(answer);
        }),
      );
    });
  };
  const drop = (leases: readonly Lease[]) =>
    Promise.all(nodes.map((node) => ask(node, () => leases.forEach((lease) => void node.drop(lease.address, lease.holder)))));

  return {
    async start() {},
    async stop() {},
    async acquire(lease, ttlMs) {
      let over = false;
      const attempt = async () => {
        const votes = nodes.map((node) => ask(node, () => node.take(lease.address, lease.holder, ttlMs, mayTake)));
        const won = await decided(votes, quorum);
        // Nobody waits for it any more, or a piece of it would stand in the others' way.
        if (!won || over) await drop([lease]);
        if (won) return 'granted';
        const answered = (await Promise.all(votes)).filter((vote) => vote !== undefined);
        return answered.length >= quorum ? 'held' : 'no-quorum';
      };
      const answer = await (nodes.every((node) => node.prompt) ? attempt() : within(clock, ttlMs / 2, attempt()));
      over = answer !== 'granted';
      return answer;
    },
    async renew(leases, ttlMs) {
      const renewed = nodes.map((node) => ask(node, () => leases.map((it) => node.renew(it.address, it.holder, ttlMs))));
      const votes = await Promise.all(renewed);
      return leases.map((_, i) => {
        const mine = votes.filter((vote) => vote?.[i] === true).length;
        if (mine >= quorum) return 'renewed';
        const lost = votes.filter((vote) => vote?.[i] === false).length;
        return lost > nodes.length - quorum ? 'lost' : 'no-quorum';
      });
    },
    trouble() {
      const down = nodes.flatMap((node, n) => (node.up && !node.silent ? [] : [`lock node ${n} is down`]));
      return down.length === 0 ? undefined : { majority: nodes.length - down.length >= quorum, why: down.join('; ') };
    },
    async release(leases) {
      await drop(leases);
    },
  };
}

/** True as soon as so many voted for it; false once all votes are in, or none can come any more. */
async function decided(votes: readonly (Promise<boolean | undefined> | boolean | undefined)[], quorum: number): Promise<boolean> {
  let forIt = 0;
  return new Promise((resolve) => {
    const counted = votes.map(async (vote) => {
      if ((await vote) === true && ++forIt === quorum) resolve(true);
    });
    void Promise.all(counted).then(() => resolve(forIt >= quorum));
  });
}

function within<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T | 'no-quorum'> {
  return new Promise((resolve) => {
    const alarm = clock.after(ms, () => resolve('no-quorum'));
    void work.then((answer) => {
      alarm.cancel();
      resolve(answer);
    });
  });
}

/** `REPLICA_ID/life/n`: life takes 16 digits and n 10, each behind a slash. */
const SUFFIX = 28;
/** Free, mine already, or an earlier one of the same REPLICA_ID. */
function mayTake(found: Holder | undefined, mine: Holder): boolean {
  if (found === undefined || found === mine) return true;
  return found.length === mine.length && found.slice(0, -SUFFIX) === mine.slice(0, -SUFFIX) && found < mine;
}
