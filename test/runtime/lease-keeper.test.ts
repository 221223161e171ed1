import { expect, it } from 'vitest';
import type { Lease, LeaseStore } from '../../src/ports.ts';
import { LeaseKeeper } from '../../src/runtime/lease-keeper.ts';
import { held } from './bundle.ts';
import { TestClock } from './test-clock.ts';

const TTL_MS = 1_000;
const GIVE_UP_MS = 6_000;
const always = () => true;

type Answers = { acquire: 'granted' | 'held' | 'no-quorum'; renew: 'renewed' | 'lost' | 'no-quorum' };
function setup() {
  const clock = new TestClock();
  const answers: Answers = { acquire: 'granted', renew: 'renewed' };
  const asked: { acquired: Lease[]; renewed: (readonly Lease[])[]; released: (readonly Lease[])[] } = {
    acquired: [],
    renewed: [],
    released: [],
  };
  const seen = { alive: true, without: 0, lost: [] as string[] };
  /** Awaited before an acquisition is answered. */
  const slow: { acquire: () => Promise<void> } = { acquire: async () => {} };
  const store: LeaseStore = {
    start: async () => {},
    stop: async () => {},
    async acquire(lease) {
      asked.acquired.push(lease);
      await slow.acquire();
      return answers.acquire;
    },
    async renew(leases) {
      asked.renewed.push(leases);
      return leases.map(() => answers.renew);
    },
    async release(leases) {
      asked.released.push(leases);
    },
  };
  const keeper = new LeaseKeeper({
    store,
    clock,
    random: { next: () => 0.5, hex: () => '' },
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    replicaId: 'r-0',
    ttlMs: TTL_MS,
    giveUpMs: GIVE_UP_MS,
    alive: () => seen.alive,
    without: () => seen.without++,
    marginMs: () => {},
  });
  keeper.start(7, (address) => seen.lost.push(address));
  return { keeper, clock, answers, asked, seen, slow };
}

it('counts what is left from when the attempt began, less drift and margin', async () => {
  const { keeper, clock, slow } = setup();
  slow.acquire = () => new Promise((resolve) => void clock.after(300, resolve));
  const holding = keeper.hold('till/T1', always);
  await clock.run(holding);
  // 1,000 less 300 of waiting, 12 of drift and 100 of margin: not 888.
  expect(keeper.leftMs('till/T1')).toBe(588);
});

it('numbers its holders, so that a late release cannot meet a newer lease', async () => {
  const { keeper, asked } = setup();
  await keeper.hold('till/T1', always);
  await keeper.release(['till/T1']);
  await keeper.hold('till/T1', always);
  expect(asked.acquired.map(({ holder }) => holder)).toEqual(['r-0/0000000000000007/0000000001', 'r-0/0000000000000007/0000000002']);
  expect(asked.released).toEqual([[{ address: 'till/T1', holder: 'r-0/0000000000000007/0000000001' }]]);
});

it('renews all it holds in one call, and only while the group acknowledges heartbeats', async () => {
  const { keeper, clock, asked, seen } = setup();
  for (const address of ['till/T1', 'till/T2']) await keeper.hold(address, always);
  await clock.advance(0.8 * TTL_MS);
  expect(asked.renewed.map((leases) => leases.length)).toEqual([2, 2]);
  seen.alive = false;
  await clock.advance(TTL_MS);
  expect(asked.renewed).toHaveLength(2);
  expect(keeper.leftMs('till/T1')).toBeLessThan(0);
  expect(await keeper.fresh('till/T1')).toBe(false);
  expect(asked.renewed).toHaveLength(2);
});

it('tells of a lease that somebody else has now and trusts it no more', async () => {
  const { keeper, clock, answers, seen } = setup();
  await keeper.hold('till/T1', always);
  answers.renew = 'lost';
  await clock.advance(TTL_MS / 2);
  expect(seen.lost).toEqual(['till/T1']);
  expect([keeper.leftMs('till/T1'), await keeper.fresh('till/T1')]).toEqual([0, false]);
});

it('asks before an effect unless more than half is left, and does not let it begin on a minority', async () => {
  const { keeper, clock, answers, asked, seen } = setup();
  await keeper.hold('till/T1', always);
  expect(await keeper.fresh('till/T1')).toBe(true);
  expect(asked.renewed).toHaveLength(0);
  answers.renew = 'no-quorum';
  await clock.advance(TTL_MS / 2);
  expect(keeper.isFresh('till/T1')).toBe(false);
  expect(await keeper.fresh('till/T1')).toBe(false);
  expect(seen).toMatchObject({ without: 0, lost: [] });
});

it('goes on without the lease once it was refused for long enough, counts that, and keeps trying for it', async () => {
  const { keeper, clock, answers, asked, seen } = setup();
  answers.acquire = 'held';
  const holding = keeper.hold('till/T1', always);
  await clock.advance(GIVE_UP_MS - 500);
  expect(seen.without).toBe(0);
  expect(await clock.run(holding)).toBe('without');
  expect([seen.without, keeper.isFresh('till/T1')]).toEqual([1, true]);
  answers.acquire = 'granted';
  const before = asked.acquired.length;
  await clock.advance(TTL_MS / 2);
  expect(asked.acquired.length).toBe(before + 1);
  expect(keeper.leftMs('till/T1')).toBeGreaterThan(0);
});

it('performs without a lease that lapsed for want of a quorum for that long', async () => {
  const { keeper, clock, answers, seen } = setup();
  await keeper.hold('till/T1', always);
  answers.renew = 'no-quorum';
  answers.acquire = 'no-quorum';
  await clock.advance(TTL_MS + GIVE_UP_MS - 500);
  expect(await keeper.fresh('till/T1')).toBe(false);
  await clock.advance(1_000);
  expect(await keeper.fresh('till/T1')).toBe(true);
  expect(seen.without).toBe(1);
});

it('gives back at once a lease that came after it was no longer wanted', async () => {
  const { keeper, clock, asked, slow } = setup();
  const { gate, release } = held();
  slow.acquire = () => gate;
  let wanted = true;
  const holding = keeper.hold('till/T1', () => wanted);
  await clock.settle();
  wanted = false;
  release();
  expect(await holding).toBe('unwanted');
  expect(asked.released).toHaveLength(1);
  expect(keeper.leftMs('till/T1')).toBe(0);
});
