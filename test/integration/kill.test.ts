import { afterEach, describe, expect, it } from 'vitest';
import { type ReplicaProcess, type Town, town } from './town.ts';
import { until } from './until.ts';

const towns: Town[] = [];
afterEach(async () => {
  await Promise.all(towns.splice(0).map((it) => it.stop()));
});
async function setup(options: Parameters<typeof town>[0] = {}) {
  const it = await town(options);
  towns.push(it);
  return it;
}

/** A fleet of two, every location filled; the owner of one location, and that location. */
async function pair(options: Parameters<typeof town>[0] = {}) {
  const it = await setup(options);
  const [a, b] = await Promise.all([it.replica('a'), it.replica('b')]);
  const sent = await it.fill();
  await it.settled(sent);
  const owner = async (id: string) => {
    const picture = (await (await fetch(`${a.admin}/admin/locations/cash-location/${id}`)).json()) as { owner: string };
    return picture.owner.startsWith('a/') ? { dies: a, lives: b } : { dies: b, lives: a };
  };
  /** Another location of the same owner. */
  const ownedBy = async (replica: ReplicaProcess, not: string) => {
    for (const id of it.ids) if (id !== not && (await owner(id)).dies === replica) return id;
    throw new Error(`${replica.id} owns nothing but ${not}`);
  };
  return { ...it, a, b, sent, owner, ownedBy };
}

describe('a replica killed while cash is moving', () => {
  it.each([
    // Released with its owner dead, the call may or may not be made before the next owner asks: either is one outcome.
    ['the intent committed', 'before', ['done', 'refused']],
    ['the cash moved', 'after', ['done']],
  ] as const)('fault: kill -9 of the owner with %s', async (_when, point, ends) => {
    const it = await pair();
    await it.device.hold('L0', point);
    const held = await it.send(it.commandOf('L0', 'dispense', { amount: 4000, currency: 'USD' }, 'held'));
    const sent = [...it.sent, ...held, ...(await it.round(2))];
    await it.device.waitForCall('L0');
    const { dies } = await it.owner('L0');
    dies.signal('SIGKILL');
    await dies.gone;
    await it.device.release('L0');
    await it.settled(sent);
    await it.audit(sent);
    expect(ends).toContain((await it.book()).outcome('cash-location/L0', 'held')?.status);
    const { recovered } = await it.figures(1);
    expect(recovered).toBeGreaterThan(0);
  });

  it('fault: a device call held on the wire while its owner is killed and another recovers', async () => {
    const it = await pair();
    await it.device.hold('L0', 'before');
    const sent = [...it.sent, ...(await it.send(it.commandOf('L0', 'dispense', { amount: 2000, currency: 'USD' }, 'wire')))];
    await it.device.waitForCall('L0');
    const { dies } = await it.owner('L0');
    dies.signal('SIGKILL');
    await dies.gone;
    // The call stays on the wire: only after the next owner has settled it is it let through, and then refused.
    await it.settled(sent);
    await it.device.release('L0');
    await it.device.waitForCall('L0', 'fenced');
    await it.audit(sent);
    expect((await it.device.moved()).has('L0 wire')).toBe(false);
    const { recovered } = await it.figures(1);
    expect(recovered).toBeGreaterThan(0);
  });

  it('fault: kill -9 and a restart under the same REPLICA_ID', async () => {
    const it = await pair();
    const { dies, lives } = await it.owner('L0');
    // An intent is open when it dies, so that there is something to recover, whatever else was in hand.
    await it.device.hold('L0', 'after');
    const moved = await it.send(it.commandOf('L0', 'dispense', { amount: 2000, currency: 'USD' }));
    await it.device.waitForCall('L0');
    const held = lives.assignments();
    const sent = [...it.sent, ...moved, ...(await it.round(4))];
    dies.signal('SIGKILL');
    await dies.gone;
    await it.device.release('L0');
    const killedAt = performance.now();
    await it.replica(dies.id, false);
    const probe = await it.send(it.commandOf('L0', 'load', { currency: 'USD', cassettes: [{ denomination: 2000, count: 1 }] }));
    await it.settled(probe);
    const outageMs = performance.now() - killedAt;
    await it.settled(sent);
    await it.audit([...sent, ...probe]);
    expect(lives.assignments(), 'no rebalance').toBe(held);
    expect(outageMs).toBeLessThan(4_000);
    expect(await lives.ready()).toBe(true);
    const { recovered } = await it.figures(1);
    expect(recovered).toBeGreaterThan(0);
  });

  it('fault: SIGTERM with take-over under 2 s', async () => {
    const it = await pair();
    const { dies } = await it.owner('L0');
    const first = await it.round(4);
    dies.signal('SIGTERM');
    const leftAt = performance.now();
    const probe = await it.send(it.commandOf('L0', 'load', { currency: 'USD', cassettes: [{ denomination: 2000, count: 1 }] }));
    expect(await dies.gone).toBe(0);
    const goneAt = performance.now();
    await it.settled(probe);
    expect(performance.now() - goneAt).toBeLessThan(2_000);
    expect(goneAt - leftAt).toBeLessThan(30_000);
    const sent = [...it.sent, ...first, ...probe];
    await it.settled(sent);
    await it.audit(sent);
    await it.figures(1);
  });

  it('fault: SIGSTOP past the lease', async () => {
    const it = await pair();
    const { dies, lives } = await it.owner('L0');
    const other = await it.ownedBy(dies, 'L0');
    await it.device.hold('L0', 'before');
    await it.device.hold(other, 'after');
    const order = { amount: 2000, currency: 'USD' };
    const sent = [
      ...it.sent,
      ...(await it.send(it.commandOf('L0', 'dispense', order, 'late'), it.commandOf(other, 'dispense', order, 'told'))),
    ];
    await it.device.waitForCall('L0');
    await it.device.waitForCall(other);
    dies.signal('SIGSTOP');
    // The next owner asks the device; only then do the frozen one's call and its answer go on their way.
    await it.settled(sent);
    await it.device.release('L0');
    await it.device.release(other);
    await it.device.waitForCall('L0', 'fenced');
    dies.signal('SIGCONT');
    // Its late commit is refused, by the epoch or, if a command was on its way when it froze, by the connection that this cost.
    await until('the late commit is refused', async () => dies.says('claims again', `cash-location/${other}`), 15_000);
    await it.audit(sent);
    expect((await it.device.moved()).has('L0 late')).toBe(false);
    const [, settled] = (await it.book()).of(`cash-location/${other}`).filter(({ locuscommand }) => locuscommand === 'told');
    expect(settled?.type).toBe('cash-location.Dispensed');
    expect(await lives.metric('locus_recovered_total')).toBeGreaterThan(0);
    const { recovered } = await it.figures(0, { refusedByDevice: 1 });
    expect(recovered).toBeGreaterThan(0);
  });
});
