import { beforeEach, describe, expect, it } from 'vitest';
import { bent, held, setup, slow } from './bundle.ts';
import { BULK, COMMANDS } from './fleet.ts';

type Bundle = ReturnType<typeof setup>;
let it_: Bundle;
beforeEach(() => {
  it_ = setup({ partitions: 1 });
});
const backlog = (it: Bundle, count: number, id = (n: number) => `T${n}`) =>
  Array.from({ length: count }, (_, n) => ({ at: id(n), id: it.sendBulk(id(n), 'add', { amount: 1 }) }));

describe('the bulk lane', () => {
  it('reaches the same locations by a topic of its own, with offsets of its own', async () => {
    const it = it_;
    await it.replica('a');
    const ids = backlog(it, 20, () => 'T1');
    for (const { at, id } of ids) await it.outcome(at, id);
    expect(await it.outcome('T1', it.send('T1', 'look', {}))).toMatchObject({ reply: { cash: 20 } });
    await it.until(() => expect([it.committed(0, BULK), it.committed(0, COMMANDS)]).toEqual([20, 1]));
    expect(it.events('T1').map(({ locuscommand }) => locuscommand)).toEqual([...ids.map(({ id }) => id), expect.any(String)]);
  });

  it('shares its commandIds with the customers of a location', async () => {
    const it = it_;
    const node = await it.replica('a');
    const first = await it.outcome('T1', it.send('T1', 'add', { amount: 1 }, 'x'));
    it.sendBulk('T1', 'add', { amount: 1 }, 'x');
    it.sendBulk('T1', 'add', { amount: 2 }, 'x');
    await it.until(() => expect(it.committed(0, BULK)).toBe(2));
    expect([await it.outcome('T1', 'x'), node.counts.turns.slice(1), node.counts.letters]).toEqual([
      first,
      ['duplicate', 'id-reused'],
      ['ID_REUSED'],
    ]);
  });

  it('stands before no customer, neither with what is under way nor with what waits at a location', async () => {
    const it = setup({ partitions: 1, limits: { inflightMax: 10 } });
    const commits = held();
    const node = await it.replica('a', slow(commits.gate));
    const bulk = backlog(it, 40, (n) => `T${n % 4}`);
    await it.clock.advance(200);
    expect(node.replica.delivery.inflight).toBe(10);
    const customer = it.send('T1', 'add', { amount: 100 });
    await it.until(() => expect(node.live('T1')?.mailbox.depth('customer')).toBe(1));
    commits.release();
    for (const { at, id } of bulk) await it.outcome(at, id);
    await it.outcome('T1', customer);
    // What was decided before it had been under way already when it came.
    const order = it.events('T1').map(({ locuscommand }) => locuscommand);
    expect(order.indexOf(customer)).toBeLessThanOrEqual(3);
    await it.until(() => expect([it.committed(0, BULK), it.committed(0, COMMANDS)]).toEqual([40, 1]));
  });

  it('is taken by the handful while customers are there, and in full again after them', async () => {
    const it = it_;
    const commits = held();
    const node = await it.replica(
      'a',
      slow(commits.gate, (claim) => claim.address !== 'till/C'),
    );
    await it.outcome('C', it.send('C', 'add', { amount: 1 }));
    backlog(it, 450);
    await it.clock.advance(500);
    expect(node.replica.delivery.inflight).toBe(16);
    await it.clock.advance(1_000);
    expect(node.replica.delivery.inflight).toBe(450);
    commits.release();
    await it.until(() => expect(it.committed(0, BULK)).toBe(450));
  });

  it('does not hold up customers whose own intake was full', async () => {
    const it = setup({ partitions: 1, limits: { inflightMax: 10 } });
    const [bulk, customers] = [held(), held()];
    const node = await it.replica(
      'a',
      bent((store) => ({
        async commit(claim, change) {
          await (claim.address.startsWith('till/B') ? bulk.gate : customers.gate);
          return store.commit(claim, change);
        },
      })),
    );
    backlog(it, 30, (n) => `B${n}`);
    const ids = Array.from({ length: 30 }, (_, n) => it.send(`T${n}`, 'add', { amount: 1 }));
    await it.clock.advance(200);
    expect(node.replica.delivery.inflight).toBe(20);
    customers.release();
    for (const [n, id] of ids.entries()) await it.outcome(`T${n}`, id);
    expect(it.committed(0, BULK)).toBeUndefined();
    bulk.release();
    await it.until(() => expect(it.committed(0, BULK)).toBe(30));
  });
});

describe('a partition whose customers are not read', () => {
  it('is not served in its other lanes either, and goes on in all of them once it is accepted', async () => {
    const it = it_;
    const first = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    await it.outcome('T1', it.sendBulk('T1', 'add', { amount: 1 }));
    await it.until(() => expect([it.committed(0, BULK), it.committed(0, COMMANDS)]).toEqual([1, 1]));
    await first.drain();
    first.kill();
    it.log.recreate(COMMANDS);
    const { replica } = await it.replica('b');
    await it.until(() => expect(replica.partitions.refused).toMatchObject([{ topic: COMMANDS, code: 'COMMANDS_RECREATED' }]));
    const bulk = it.sendBulk('T1', 'add', { amount: 1 });
    await it.clock.advance(5_000);
    expect([await it.entry('T1', bulk), it.committed(0, BULK)]).toEqual([undefined, 1]);
    await it.clock.run(replica.partitions.accept({ topic: COMMANDS, partition: 0 }));
    expect(await it.outcome('T1', bulk)).toMatchObject({ reply: { cash: 3 } });
    await it.until(() => expect(it.committed(0, BULK)).toBe(2));
  });

  it('reads again what of its bulk was under way when they were refused', async () => {
    const it = it_;
    const commits = held();
    let commit = 0;
    const { replica } = await it.replica(
      'a',
      bent((store) => ({
        commit: async (...given) => (commit++ === 0 ? commits.gate : Promise.resolve()).then(() => store.commit(...given)),
      })),
    );
    const ids = backlog(it, 100, () => 'T1');
    await it.until(() => expect(commit).toBe(1));
    replica.partitions.refuse({ topic: COMMANDS, partition: 0 }, 'COMMANDS_EXPIRED', 'a test');
    commits.release();
    await it.clock.advance(5_000);
    expect(it.committed(0, BULK)).toBeUndefined();
    await it.clock.run(replica.resume({ topic: COMMANDS, partition: 0 }));
    for (const { at, id } of ids) await it.outcome(at, id);
    await it.until(() => expect(it.committed(0, BULK)).toBe(100));
    expect(await it.outcome('T1', it.send('T1', 'look', {}))).toMatchObject({ reply: { cash: 100 } });
    expect(replica.delivery.inflight).toBe(0);
  });
});

it('what one lane has forgotten the other does not run: ages are judged by the newest record of both', async () => {
  const it = setup({ partitions: 1, limits: { dedupeWindowMs: 2 * 3_600_000 } });
  const node = await it.replica('a');
  await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
  const record = it.record('T1', 'add', { amount: 1 }, 'old');
  it.log.produce(BULK, { ...record, headers: { ...record.headers, locus_appended: String(it.clock.now() - 7_100_000) } });
  await it.until(() => expect(node.counts.letters).toEqual(['STALE']));
});
