/** What every lease store must answer; run over lock nodes in memory and over real ones. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Holder, Lease, LeaseStore } from '../../src/ports.ts';

/** Three lock nodes and what may happen to them. */
export type LockWorld = {
  /** A replica's own door to the nodes, not started. */
  open(): LeaseStore;
  /** Gone, as after kill -9; it keeps nothing. */
  kill(node: number): Promise<void>;
  revive(node: number): Promise<void>;
  /** It takes connections and answers nothing. */
  silence(node: number): Promise<void>;
  /** Writes a lease on one node only, as an attempt that was cut short leaves it. */
  plant(node: number, lease: Lease, ttlMs: number): Promise<void>;
  clear(): Promise<void>;
  stop(): Promise<void>;
};

const TTL_MS = 4_000;
const holder = (replicaId: string, life: number, n: number): Holder =>
  `${replicaId}/${String(life).padStart(16, '0')}/${String(n).padStart(10, '0')}`;
const leaseOf = (address: string, replicaId: string, life = 1, n = 1): Lease => ({ address, holder: holder(replicaId, life, n) });

export function leaseStoreSuite(name: string, begin: () => Promise<LockWorld>): void {
  describe(name, () => {
    let world: LockWorld;
    let opened: LeaseStore[] = [];
    beforeAll(async () => {
      world = await begin();
    });
    afterEach(async () => {
      for (const node of [0, 1, 2]) await world.revive(node);
      await Promise.all(opened.map((it) => it.stop()));
      opened = [];
    });
    afterAll(() => world.stop());

    async function setup() {
      await world.clear();
      const open = async () => {
        const leases = world.open();
        opened.push(leases);
        await leases.start();
        return leases;
      };
      return { a: await open(), b: await open() };
    }

    test('one holds it, the other is told so, and gets it after the release', async () => {
      const { a, b } = await setup();
      const [mine, yours] = [leaseOf('t/1', 'r-1'), leaseOf('t/1', 'r-2')];
      expect(await a.acquire(mine, TTL_MS)).toBe('granted');
      expect(await b.acquire(yours, TTL_MS)).toBe('held');
      expect(await a.acquire(leaseOf('t/2', 'r-1'), TTL_MS)).toBe('granted');
      await a.release([mine]);
      expect(await b.acquire(yours, TTL_MS)).toBe('granted');
    });

    test('a lease that is not renewed is free after its time', async () => {
      const { a, b } = await setup();
      expect(await a.acquire(leaseOf('t/1', 'r-1'), 100)).toBe('granted');
      await vi.waitFor(async () => expect(await b.acquire(leaseOf('t/1', 'r-2'), TTL_MS)).toBe('granted'), 5_000);
      expect(await a.renew([leaseOf('t/1', 'r-1')], TTL_MS)).toEqual(['lost']);
    });

    test('a later life or acquisition of the same replica takes over at once, an earlier one does not', async () => {
      const { a, b } = await setup();
      const [first, second, third] = [leaseOf('t/1', 'r-1', 1, 7), leaseOf('t/1', 'r-1', 2, 1), leaseOf('t/1', 'r-1', 2, 2)];
      expect(await a.acquire(first, TTL_MS)).toBe('granted');
      expect(await b.acquire(second, TTL_MS)).toBe('granted');
      expect(await a.acquire(first, TTL_MS)).toBe('held');
      expect(await b.acquire(third, TTL_MS)).toBe('granted');
      expect(await b.renew([first, second, third], TTL_MS)).toEqual(['lost', 'lost', 'renewed']);
    });

    test('a replica whose name only begins alike is another one', async () => {
      const { a, b } = await setup();
      expect(await a.acquire(leaseOf('t/1', 'r-1'), TTL_MS)).toBe('granted');
      expect(await b.acquire(leaseOf('t/1', 'r-10', 9), TTL_MS)).toBe('held');
      expect(await b.acquire(leaseOf('t/1', 'r-2', 9), TTL_MS)).toBe('held');
    });

    test('a late release of an older acquisition does nothing', async () => {
      const { a, b } = await setup();
      const [older, newer] = [leaseOf('t/1', 'r-1', 1, 1), leaseOf('t/1', 'r-1', 1, 2)];
      await a.acquire(older, TTL_MS);
      await a.acquire(newer, TTL_MS);
      await a.release([older]);
      expect(await b.acquire(leaseOf('t/1', 'r-2'), TTL_MS)).toBe('held');
      expect(await a.renew([newer], TTL_MS)).toEqual(['renewed']);
    });

    test('renewal answers lease by lease, in the order asked', async () => {
      const { a, b } = await setup();
      const mine = Array.from({ length: 2_500 }, (_, i) => leaseOf(`t/${i}`, 'r-1'));
      const held = mine.filter((_, i) => i % 1_250 !== 3);
      const answers = await Promise.all(held.map((it) => a.acquire(it, TTL_MS)));
      expect(new Set(answers)).toEqual(new Set(['granted']));
      await b.acquire(leaseOf('t/3', 'r-2'), TTL_MS);
      const renewed = await a.renew(mine, TTL_MS);
      expect(renewed.flatMap((it, i) => (it === 'renewed' ? [] : [[i, it]]))).toEqual([
        [3, 'lost'],
        [1_253, 'lost'],
      ]);
      expect(await a.renew([], TTL_MS)).toEqual([]);
      await a.release(mine);
      expect(await b.acquire(leaseOf('t/2499', 'r-2'), TTL_MS)).toBe('granted');
    });

    test('renewal prolongs', async () => {
      const { a, b } = await setup();
      const mine = leaseOf('t/1', 'r-1');
      expect(await a.acquire(mine, 300)).toBe('granted');
      expect(await a.acquire(leaseOf('t/2', 'r-1'), 300)).toBe('granted');
      expect(await a.renew([mine], TTL_MS)).toEqual(['renewed']);
      await vi.waitFor(async () => expect(await b.acquire(leaseOf('t/2', 'r-2'), TTL_MS)).toBe('granted'), 5_000);
      expect(await b.acquire(leaseOf('t/1', 'r-2'), TTL_MS)).toBe('held');
    });

    test('with one of three nodes down everything goes on', async () => {
      const { a, b } = await setup();
      await world.kill(1);
      const mine = leaseOf('t/1', 'r-1');
      expect(await a.acquire(mine, TTL_MS)).toBe('granted');
      expect(await b.acquire(leaseOf('t/1', 'r-2'), TTL_MS)).toBe('held');
      expect(await a.renew([mine, leaseOf('t/2', 'r-1')], TTL_MS)).toEqual(['renewed', 'lost']);
      await a.release([mine]);
      expect(await b.acquire(leaseOf('t/1', 'r-2'), TTL_MS)).toBe('granted');
    });

    test('with two of three nodes down there is no quorum, said in time, and all goes on when they are back', async () => {
      const { a } = await setup();
      const mine = leaseOf('t/1', 'r-1');
      await a.acquire(mine, TTL_MS);
      await world.kill(0);
      await world.kill(1);
      const began = performance.now();
      expect(await a.acquire(leaseOf('t/2', 'r-1'), TTL_MS)).toBe('no-quorum');
      expect(await a.renew([mine], TTL_MS)).toEqual(['no-quorum']);
      await a.release([mine]);
      expect(performance.now() - began).toBeLessThan(TTL_MS);
      await world.revive(0);
      await vi.waitFor(async () => expect(await a.acquire(leaseOf('t/2', 'r-1', 1, 2), TTL_MS)).toBe('granted'), 10_000);
    });

    test('a store that starts while its nodes are down comes up with them', async () => {
      await setup();
      for (const node of [0, 1, 2]) await world.kill(node);
      const late = world.open();
      opened.push(late);
      await late.start();
      expect(await late.acquire(leaseOf('t/1', 'r-1'), TTL_MS)).toBe('no-quorum');
      for (const node of [0, 1, 2]) await world.revive(node);
      await vi.waitFor(async () => expect(await late.acquire(leaseOf('t/1', 'r-1'), TTL_MS)).toBe('granted'), 10_000);
    });

    test('which nodes do not serve is told, and whether a majority does, also by one that holds no lease', async () => {
      const { a } = await setup();
      const tells = (majority: boolean, nodes: number) =>
        vi.waitFor(async () => {
          await a.renew([], TTL_MS);
          expect(a.trouble?.()).toEqual({ majority, why: expect.stringMatching(new RegExp(`^(lock node [^;]+(; |$)){${nodes}}$`)) });
        }, 10_000);
      expect(a.trouble?.()).toBeUndefined();
      await world.silence(2);
      await tells(true, 1);
      await world.kill(0);
      await tells(false, 2);
      await world.revive(0);
      await world.revive(2);
      await vi.waitFor(() => expect(a.trouble?.()).toBeUndefined(), 10_000);
    });

    test('a silent node neither hangs nor decides', async () => {
      const { a, b } = await setup();
      const mine = leaseOf('t/1', 'r-1');
      await world.silence(2);
      const began = performance.now();
      expect(await a.acquire(mine, TTL_MS)).toBe('granted');
      expect(await b.acquire(leaseOf('t/1', 'r-2'), TTL_MS)).toBe('held');
      expect(await a.renew([mine], TTL_MS)).toEqual(['renewed']);
      await world.silence(1);
      expect(await a.acquire(leaseOf('t/2', 'r-1'), TTL_MS)).toBe('no-quorum');
      expect(await a.renew([mine], TTL_MS)).toEqual(['no-quorum']);
      await a.release([mine]);
      expect(performance.now() - began).toBeLessThan(TTL_MS);
    });

    test('a split vote gives it to nobody, and to the first who asks once the pieces have lapsed', async () => {
      const { a } = await setup();
      for (const node of [0, 1, 2]) await world.plant(node, leaseOf('t/1', `other-${node}`), 150);
      expect(await a.acquire(leaseOf('t/1', 'r-1'), TTL_MS)).toBe('held');
      await vi.waitFor(async () => expect(await a.acquire(leaseOf('t/1', 'r-1', 1, 2), TTL_MS)).toBe('granted'), 5_000);
    });

    test('a minority piece of an own earlier attempt does not stand in the way', async () => {
      const { a } = await setup();
      await world.plant(0, leaseOf('t/1', 'r-1', 1, 1), TTL_MS);
      await world.plant(1, leaseOf('t/1', 'r-1', 1, 2), TTL_MS);
      expect(await a.acquire(leaseOf('t/1', 'r-1', 1, 3), TTL_MS)).toBe('granted');
    });

    test('an attempt that fails leaves no piece behind', async () => {
      const { a, b } = await setup();
      await world.plant(0, leaseOf('t/1', 'r-2'), TTL_MS);
      await world.plant(1, leaseOf('t/1', 'r-2'), TTL_MS);
      expect(await a.acquire(leaseOf('t/1', 'r-1'), TTL_MS)).toBe('held');
      expect(await b.acquire(leaseOf('t/1', 'r-2'), TTL_MS)).toBe('granted');
      expect(await b.renew([leaseOf('t/1', 'r-2')], TTL_MS)).toEqual(['renewed']);
      await world.kill(0);
      expect(await b.renew([leaseOf('t/1', 'r-2')], TTL_MS)).toEqual(['renewed']);
    });
  });
}
