import { afterEach, describe, expect, it } from 'vitest';
import { type Town, town } from './town.ts';
import { until } from './until.ts';

const towns: Town[] = [];
afterEach(async () => {
  await Promise.all(towns.splice(0).map((it) => it.stop()));
});
async function setup(replicas: readonly string[], options: Parameters<typeof town>[0] = {}) {
  const it = await town(options);
  towns.push(it);
  await Promise.all(replicas.map((id) => it.replica(id)));
  const sent = await it.fill();
  await it.settled(sent);
  return { ...it, sent };
}

describe('what the replicas stand on fails', () => {
  it('fault: store killed with -9 and restarted under load', async () => {
    const it = await setup(['a', 'b']);
    // Half of the locations are busy when it dies; the others still hold claims of its former life when they get work.
    const sent = [...it.sent, ...(await it.round(4, it.ids.slice(0, 25)))];
    await it.store.restart();
    sent.push(...(await it.round(4)));
    await it.settled(sent);
    await it.audit(sent);
    const { fenced } = await it.figures(1);
    expect(fenced).toBeGreaterThan(0);
  });

  it('fault: two of three lock nodes down', async () => {
    const it = await setup(['a', 'b']);
    const [first, second] = it.locks;
    await Promise.all([first?.kill9(), second?.kill9()]);
    const sent = [
      ...it.sent,
      ...(await it.send(
        ...it.ids.map((id) => it.commandOf(id, 'load', { currency: 'USD', cassettes: [{ denomination: 2000, count: 1 }] })),
      )),
    ];
    // What moves no cash goes on under the epoch alone; cash waits for a quorum.
    await it.settled(sent);
    const dispenses = await it.round(1);
    await Promise.all([first?.restart(), second?.restart()]);
    await it.settled([...sent, ...dispenses]);
    await it.audit([...sent, ...dispenses]);
    await it.figures(2);
  });

  it('fault: redelivery of everything from offset 0', async () => {
    const it = await setup(['a']);
    const sent = [...it.sent, ...(await it.round(4))];
    await it.settled(sent);
    const a = it.replicas.get('a');
    a?.signal('SIGTERM');
    await a?.gone;
    const before = (await it.book()).all().length;
    const offsets = Array.from({ length: 6 }, (_, partition) => ({ partition, offset: '0' }));
    await it.admin.setOffsets({ groupId: it.name, topic: it.topics.commands, partitions: offsets });
    const again = await it.replica('a');
    await until('everything was read again', async () => (await again.metric('locus_redelivered_total')) >= sent.length, 30_000);
    expect((await it.book()).all().length).toBe(before);
    await it.audit(sent);
    const { redelivered } = await it.figures(0);
    expect(redelivered).toBeGreaterThanOrEqual(sent.length);
  });

  it('fault: rebalances under load', async () => {
    const it = await setup(['a', 'b']);
    const sent = [...it.sent];
    for (const id of ['c', 'd']) {
      sent.push(...(await it.round(2)));
      await it.replica(id);
      sent.push(...(await it.round(2)));
      const leaving = it.replicas.get(id === 'c' ? 'a' : 'b');
      leaving?.signal('SIGTERM');
      expect(await leaving?.gone).toBe(0);
    }
    await it.settled(sent);
    await it.audit(sent);
    // Two joined and two left: whoever stayed through all of it was given partitions again each time.
    const assignments = it.replicas.get('c')?.assignments() ?? 0;
    await it.figures(0, { assignments });
    expect(assignments).toBeGreaterThanOrEqual(3);
  });

  it('fault: a stuck location while the others of its partition go on', async () => {
    const it = await setup(['a', 'b'], { partitions: 6 });
    await it.device.hold('L0', 'before');
    const stuck = await it.send(
      it.commandOf('L0', 'dispense', { amount: 2000, currency: 'USD' }, 'stuck'),
      ...Array.from({ length: 20 }, () => it.commandOf('L0', 'load', { currency: 'USD', cassettes: [{ denomination: 2000, count: 1 }] })),
    );
    await it.device.waitForCall('L0');
    const others = (await it.round(3)).filter(({ address }) => address !== 'cash-location/L0');
    await it.settled(others);
    const a = it.replicas.get('a');
    const inbox = async () => {
      const picture = (await (await fetch(`${a?.admin}/admin/locations/cash-location/L0`)).json()) as { inbox: { customer: number } };
      return picture.inbox.customer;
    };
    await until('its commands are in its inbox', async () => (await inbox()) >= 20);
    const inboxed = await inbox();
    await it.device.release('L0');
    await it.settled(stuck);
    await it.figures(0, { inboxed });
  });
});
