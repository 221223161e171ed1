import { describe, expect, it } from 'vitest';
import { memoryDisk } from '../../infra/memory/disk.ts';
import { memoryRegistry } from '../../infra/memory/registry.ts';
import type { Replica } from '../../src/ports.ts';
import { Membership, silent } from '../../src/runtime/membership.ts';
import { TestClock } from './test-clock.ts';

const SESSION_MS = 6_000;
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function setup() {
  const clock = new TestClock();
  const disk = memoryDisk(clock);
  const registry = memoryRegistry(disk);
  const superseded: string[] = [];
  const member = (replicaId: string, held: readonly number[] = []) =>
    new Membership({
      registry,
      clock,
      log: quiet,
      replicaId,
      url: `http://${replicaId}`,
      sessionMs: SESSION_MS,
      generation: () => '1:x',
      held: () => held,
      superseded: (why) => superseded.push(why),
    });
  return { clock, registry, member, superseded };
}

describe('who may still be a member although silent', () => {
  const seen = (agoMs: number): Replica => ({ replicaId: 'a', life: 1, url: '', generation: '', partitions: [], seenMs: 100_000 - agoMs });
  it.each([
    ['beats', 1_500, 0],
    ['has missed beats', 2_500, 1],
    ['is about to be thrown out', SESSION_MS + 1_500, 1],
    ['is out of the group', SESSION_MS + 2_500, 0],
  ])('one that %s: %i ms, %i', (_name, agoMs, count) => {
    expect(silent([seen(agoMs)], 100_000, SESSION_MS)).toHaveLength(count);
  });
});

describe('joining', () => {
  it('is delayed for a new name while a silent one may still be in the group', async () => {
    const { clock, member } = setup();
    const dead = member('a');
    await clock.run(dead.join());
    dead.stop();
    await clock.advance(3_000);
    const startedMs = clock.monotonic();
    await clock.run(member('b').join());
    expect(clock.monotonic() - startedMs).toBeGreaterThanOrEqual(SESSION_MS + 2_000 - 3_000);
  });

  it('is immediate for a name that comes back within its session, and after a clean leave', async () => {
    const { clock, member } = setup();
    const dead = member('a');
    await clock.run(dead.join());
    dead.stop();
    await clock.advance(3_000);
    const startedMs = clock.monotonic();
    const back = member('a');
    await clock.run(back.join());
    await back.leave();
    await clock.run(member('b').join());
    expect(clock.monotonic()).toBe(startedMs);
    expect([dead.owner, back.owner]).toEqual(['a/1', 'a/2']);
  });

  it('knows what the life before it held, if that one did not leave', async () => {
    const { clock, member } = setup();
    const dead = member('a', [3, 5]);
    await clock.run(dead.join());
    expect(dead.before).toEqual([]);
    await clock.advance(1_500);
    dead.stop();
    const back = member('a');
    await clock.run(back.join());
    expect(back.before).toEqual([3, 5]);
    await back.leave();
    const next = member('a');
    await clock.run(next.join());
    expect(next.before).toEqual([]);
  });

  it('does not wait longer than two sessions', async () => {
    const { clock, registry, member } = setup();
    await registry.register('a', '');
    await clock.advance(2_500);
    // Two that fall silent one after the other: a fleet that keeps dying must not keep newcomers out for ever.
    clock.after(SESSION_MS - 500, () => void registry.register('c', ''));
    clock.after(2 * SESSION_MS - 3_500, () => void registry.register('d', ''));
    const startedMs = clock.monotonic();
    await clock.run(member('b').join());
    expect(clock.monotonic() - startedMs).toBeLessThanOrEqual(2 * SESSION_MS + 200);
  });
});

it('ends the process whose name another has taken over, and does not let it join again', async () => {
  const { clock, member, superseded } = setup();
  const first = member('a');
  await clock.run(first.join());
  await clock.run(member('a').join());
  await clock.advance(1_500);
  expect(superseded).toHaveLength(1);
  expect(await first.mayJoin()).toBe(false);
});
