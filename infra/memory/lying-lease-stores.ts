/** Lease stores that nobody should trust: safety must hold over them all the same, for the store's epoch alone gives it. */
import type { LeaseStore, Random } from '../../src/ports.ts';

/** Everybody may always try. */
export const grantingLeaseStore = (): LeaseStore => ({
  async start() {},
  async stop() {},
  acquire: async () => 'granted',
  renew: async (leases) => leases.map(() => 'renewed' as const),
  async release() {},
});

/** Each answer is drawn: granted to several at once, held by nobody, lost while nobody took it. */
export function lyingLeaseStore(random: Pick<Random, 'next'>): LeaseStore {
  const one = <T>(among: readonly [T, ...T[]]): T => among[Math.floor(random.next() * among.length)] ?? among[0];
  return {
    async start() {},
    async stop() {},
    acquire: async () => one(['granted', 'held', 'no-quorum']),
    renew: async (leases) => leases.map(() => one(['renewed', 'lost', 'no-quorum'])),
    async release() {},
  };
}
