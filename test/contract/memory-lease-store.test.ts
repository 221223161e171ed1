import { type MemoryLocks, memoryLeaseStore, memoryLocks } from '../../infra/memory/lease-store.ts';
import { systemClock } from '../../src/clock.ts';
import { leaseStoreSuite } from './lease-store-suite.ts';

leaseStoreSuite('the lease store in memory', async () => {
  const locks = memoryLocks(systemClock, 3);
  const nodeAt = (n: number) => locks.nodes[n] as MemoryLocks['nodes'][number];
  const silence = async (n: number) => {
    nodeAt(n).up = false;
  };
  return {
    open: () => memoryLeaseStore(locks),
    async kill(n) {
      await silence(n);
      nodeAt(n).held.clear();
    },
    silence,
    async revive(n) {
      nodeAt(n).up = true;
    },
    async plant(n, { address, holder }, ttlMs) {
      nodeAt(n).held.set(address, { holder, untilMs: systemClock.monotonic() + ttlMs });
    },
    async clear() {
      for (const node of locks.nodes) node.held.clear();
    },
    stop: async () => {},
  };
});
