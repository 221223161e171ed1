/** Leases over lock nodes in memory: the twin of redlock over 1, 3 or 5 Redis, votes and dead nodes included. */
import type { Address } from '../../src/message/address.ts';
import type { Clock, Holder, Lease, LeaseStore } from '../../src/ports.ts';

type Node = { up: boolean; readonly held: Map<Address, { readonly holder: Holder; readonly untilMs: number }> };

/** The lock nodes that several lease stores share; a test takes them down by setting `up`. */
export type MemoryLocks = { readonly clock: Clock; readonly nodes: readonly Node[] };
export const memoryLocks = (clock: Clock, count: 1 | 3 | 5 = 1): MemoryLocks => ({
  clock,
  nodes: Array.from({ length: count }, () => ({ up: true, held: new Map() })),
});

export function memoryLeaseStore({ clock, nodes }: MemoryLocks): LeaseStore {
  const quorum = Math.floor(nodes.length / 2) + 1;
  const holderOn = (node: Node, address: Address): Holder | undefined => {
    const held = node.held.get(address);
    return held && held.untilMs > clock.monotonic() ? held.holder : undefined;
  };
  const keep = (node: Node, { address, holder }: Lease, ttlMs: number) =>
    node.held.set(address, { holder, untilMs: clock.monotonic() + ttlMs });
  const drop = (node: Node, { address, holder }: Lease) => {
    if (holderOn(node, address) === holder) node.held.delete(address);
  };
  const reachable = () => nodes.filter((node) => node.up);

  return {
    async start() {},
    async stop() {},
    async acquire(lease, ttlMs) {
      const asked = reachable();
      const won = asked.filter((node) => mayTake(holderOn(node, lease.address), lease.holder));
      for (const node of won) keep(node, lease, ttlMs);
      if (won.length >= quorum) return 'granted';
      for (const node of won) drop(node, lease);
      return asked.length >= quorum ? 'held' : 'no-quorum';
    },
    async renew(leases, ttlMs) {
      return leases.map((lease) => {
        const asked = reachable();
        const mine = asked.filter((node) => holderOn(node, lease.address) === lease.holder);
        for (const node of mine) keep(node, lease, ttlMs);
        if (mine.length >= quorum) return 'renewed';
        return asked.length - mine.length > nodes.length - quorum ? 'lost' : 'no-quorum';
      });
    },
    trouble() {
      const down = nodes.flatMap((node, n) => (node.up ? [] : [`lock node ${n} is down`]));
      return down.length === 0 ? undefined : { majority: reachable().length >= quorum, why: down.join('; ') };
    },
    async release(leases) {
      for (const node of reachable()) for (const lease of leases) drop(node, lease);
    },
  };
}

/** `REPLICA_ID/life/n`: life takes 16 digits and n 10, each behind a slash. */
const SUFFIX = 28;
/** Free, mine already, or an earlier one of the same REPLICA_ID. */
function mayTake(found: Holder | undefined, mine: Holder): boolean {
  if (found === undefined || found === mine) return true;
  return found.length === mine.length && found.slice(0, -SUFFIX) === mine.slice(0, -SUFFIX) && found < mine;
}
