import { expect, test } from 'vitest';
import { memoryLeaseStore, memoryLocks } from '../../infra/memory/lease-store.ts';
import type { LockNode } from '../../infra/memory/lock-node.ts';
import { grantingLeaseStore, lyingLeaseStore } from '../../infra/memory/lying-lease-stores.ts';
import type { Lease } from '../../src/ports.ts';
import { TestClock } from '../runtime/test-clock.ts';

const TTL_MS = 10_000;
const leaseOf = (replicaId: string, n = 1): Lease => ({
  address: 't/1',
  holder: `${replicaId}/${'1'.padStart(16, '0')}/${String(n).padStart(10, '0')}`,
});
const [mine, yours] = [leaseOf('r-1'), leaseOf('r-2')];

function setup() {
  const clock = new TestClock();
  const locks = memoryLocks(clock, 3);
  const node = (n: number) => locks.nodes[n] as LockNode;
  return {
    clock,
    node,
    a: memoryLeaseStore(locks),
    b: memoryLeaseStore(locks),
    slow(ms: number) {
      for (const it of locks.nodes) it.slowMs = ms;
    },
  };
}

test('nodes whose clocks run ahead let a second one in before the first one has let go', async () => {
  const { node, a, b } = setup();
  expect(await a.acquire(mine, TTL_MS)).toBe('granted');
  node(0).aheadMs = TTL_MS;
  expect(await b.acquire(yours, TTL_MS)).toBe('held');
  node(1).aheadMs = TTL_MS;
  expect(await b.acquire(yours, TTL_MS)).toBe('granted');
});

test('nodes that begin again empty let a second one in at once', async () => {
  const { node, a, b } = setup();
  await a.acquire(mine, TTL_MS);
  node(0).restart();
  node(1).restart();
  expect(await b.acquire(yours, TTL_MS)).toBe('granted');
  expect(await a.renew([mine], TTL_MS)).toEqual(['lost']);
});

test('slow nodes are waited for up to their time-out, and what they grant too late is taken back', async () => {
  const { clock, node, a, b, slow } = setup();
  slow(800);
  const beganMs = clock.monotonic();
  expect(await clock.run(a.acquire(mine, TTL_MS))).toBe('granted');
  expect(clock.monotonic() - beganMs).toBe(400);
  slow(2_000);
  const other = { ...yours, address: 't/2' };
  const asked = b.acquire(other, TTL_MS);
  await clock.advance(700);
  expect(node(0).held.has('t/2')).toBe(true);
  expect(await clock.run(asked)).toBe('no-quorum');
  await clock.advance(2_000);
  expect([...node(0).held.keys()]).toEqual(['t/1']);
});

test('a silent node does what it was asked when it wakes, in that order', async () => {
  const { clock, node, a } = setup();
  node(0).silent = true;
  node(1).silent = true;
  const beganMs = clock.monotonic();
  expect(await clock.run(a.acquire(mine, TTL_MS))).toBe('no-quorum');
  expect(clock.monotonic() - beganMs).toBeLessThanOrEqual(TTL_MS / 2);
  expect([node(0).held.size, node(2).held.size]).toEqual([0, 0]);
  const renewal = a.renew([mine], TTL_MS);
  node(0).silent = false;
  node(1).silent = false;
  expect(await clock.run(renewal)).toEqual(['lost']);
  expect([node(0).held.size, node(1).held.size]).toEqual([0, 0]);
});

test('one store always grants, to everybody', async () => {
  const it = grantingLeaseStore();
  expect([await it.acquire(mine, TTL_MS), await it.acquire(yours, TTL_MS)]).toEqual(['granted', 'granted']);
  expect(await it.renew([mine, yours], TTL_MS)).toEqual(['renewed', 'renewed']);
});

test('one store says anything, the same for the same chance', async () => {
  const draws = [0, 0.4, 0.9, 0.1, 0.5, 0.99];
  const it = lyingLeaseStore({ next: () => draws.shift() ?? 0 });
  const asked = [await it.acquire(mine, TTL_MS), await it.acquire(mine, TTL_MS), await it.acquire(mine, TTL_MS)];
  expect(asked).toEqual(['granted', 'held', 'no-quorum']);
  expect(await it.renew([mine, yours, mine], TTL_MS)).toEqual(['renewed', 'lost', 'no-quorum']);
});
