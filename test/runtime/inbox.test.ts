import { beforeEach, describe, expect, it } from 'vitest';
import { bent, held, setup, slow } from './bundle.ts';
import { COMMANDS } from './fleet.ts';

type Bundle = ReturnType<typeof setup>;
let it_: Bundle;
beforeEach(() => {
  it_ = setup({ partitions: 1 });
});
/** A till whose device holds its payment on the wire; what comes meanwhile waits. */
async function stuck(it: Bundle) {
  const wire = held();
  const node = await it.replica('a');
  await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
  it.device.before = (kind) => (kind === 'run' ? wire.gate : Promise.resolve());
  const id = it.send('T1', 'pay', { amount: 1 });
  await it.until(() => expect(it.device.calls).toHaveLength(1));
  return { node, id, wire };
}
const adds = (it: Bundle, count: number) => Array.from({ length: count }, () => it.send('T1', 'add', { amount: 1 }));
const inboxed = async (it: Bundle) => (await it.view.read('till/T1'))?.inbox.customer;
/** The commands in the order in which they took effect. */
const order = (it: Bundle) => it.events('T1').map((event) => event.locuscommand);

describe('what waits too long', () => {
  it('goes to the inbox so that its offsets close, and keeps its order with what came after', async () => {
    const it = it_;
    const { id, wire } = await stuck(it);
    const first = adds(it, 20);
    await it.until(async () => expect(await inboxed(it)).toBe(20));
    await it.until(() => expect(it.committed()).toBe(22));
    const second = adds(it, 20);
    await it.until(async () => expect(await inboxed(it)).toBe(40));
    wire.release();
    for (const each of [...first, ...second]) await it.outcome('T1', each);
    const third = adds(it, 5);
    for (const each of third) await it.outcome('T1', each);
    await it.until(() => expect(order(it).slice(3)).toEqual([...first, ...second, ...third]));
    expect([await inboxed(it), order(it).slice(1, 3)]).toEqual([0, [id, id]]);
  });

  it('is not overtaken through the inbox by what came later, while a step has it in hand', async () => {
    const it = it_;
    const commits = held();
    const node = await it.replica(
      'a',
      slow(commits.gate, (_claim, change) => change.entries.some(({ commandId }) => commandId === 'slow')),
    );
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    await it.outcome('T1', it.send('T1', 'pay', { amount: 1 }));
    const ids = [it.send('T1', 'add', { amount: 1 }, 'slow'), it.send('T1', 'pay', { amount: 1 }), ...adds(it, 3)];
    await it.until(() => expect(node.live('T1')?.serving).toBe(true));
    ids.push(...adds(it, 3));
    // The commit hangs for longer than commands may wait in memory.
    await it.clock.advance(1_000);
    commits.release();
    for (const id of ids) await it.outcome('T1', id);
    await it.until(() => expect([...new Set(order(it).slice(3))]).toEqual(ids));
  });

  it('is taken up by the next owner, in order, without any new command', async () => {
    const it = it_;
    const { node, id, wire } = await stuck(it);
    const ids = adds(it, 30);
    await it.until(async () => expect(await inboxed(it)).toBe(30));
    await it.until(() => expect(it.committed()).toBe(32));
    node.kill();
    const next = await it.replica('b');
    for (const each of ids) await it.outcome('T1', each);
    wire.release();
    await it.until(() => expect([...new Set(order(it))].slice(1)).toEqual([id, ...ids]));
    expect([next.counts.recovered, next.counts.redelivered]).toEqual([1, 0]);
  });

  it('stands there once, though it is delivered again, and its later outcome is the one that a repeat gets', async () => {
    const it = it_;
    const { node, wire } = await stuck(it);
    const [id = ''] = adds(it, 1);
    await it.until(async () => expect(await inboxed(it)).toBe(1));
    it.send('T1', 'add', { amount: 1 }, id);
    it.send('T1', 'add', { amount: 2 }, id);
    await it.until(() => expect(it.committed()).toBe(5));
    expect([await inboxed(it), node.counts.letters]).toEqual([1, ['ID_REUSED']]);
    wire.release();
    expect(await it.outcome('T1', id)).toMatchObject({ reply: { cash: 100 } });
    expect(await it.outcome('T1', it.send('T1', 'look', {}))).toMatchObject({ reply: { cash: 100 } });
  });
});

it('is found by the next activation when its location was let go while it was written', async () => {
  const it = it_;
  const claims = held();
  const appends = held();
  let claimed = 0;
  const node = await it.replica(
    'a',
    bent((store) => ({
      claim: async (...given) => (claimed++ === 0 ? claims.gate : Promise.resolve()).then(() => store.claim(...given)),
      append: async (...given) => appends.gate.then(() => store.append(...given)),
    })),
  );
  const [id = ''] = adds(it, 1);
  await it.until(() => expect(node.live('T1')?.appending).toHaveLength(1));
  node.replica.router.find('till/T1')?.leave('evicted');
  claims.release();
  await it.clock.advance(1_000);
  appends.release();
  expect(await it.outcome('T1', id)).toMatchObject({ status: 'done' });
});

it('keeps the place of its first delivery, though that was written after several tries', async () => {
  const it = it_;
  const wire = held();
  let lost = 1;
  await it.replica(
    'a',
    bent((store) => ({
      append: async (...given) => (lost-- > 0 ? { kind: 'unanswered', why: 'a test' } : store.append(...given)),
    })),
  );
  await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
  it.device.before = (kind) => (kind === 'run' ? wire.gate : Promise.resolve());
  const stuck = it.send('T1', 'pay', { amount: 1 });
  const [first = '', second = ''] = adds(it, 2);
  it.send('T1', 'add', { amount: 1 }, first);
  await it.until(() => expect(it.committed()).toBe(5));
  wire.release();
  for (const id of [stuck, first, second]) await it.outcome('T1', id);
  await it.until(() => expect([...new Set(order(it))].slice(1)).toEqual([stuck, first, second]));
});

it('is counted when it is written between a claim and its first turn', async () => {
  const it = it_;
  const marks = held();
  await it.replica(
    'a',
    bent((store) => ({ mark: async (...given) => marks.gate.then(() => store.mark(...given)) })),
  );
  const [id = ''] = adds(it, 1);
  await it.until(async () => expect(await inboxed(it)).toBe(1));
  await it.until(() => expect(it.committed()).toBe(1));
  marks.release();
  expect(await it.outcome('T1', id)).toMatchObject({ status: 'done' });
});

describe('a full inbox', () => {
  it('pauses its partition, and room lets it go on with nothing lost', async () => {
    const it = setup({ partitions: 1, limits: { inboxMax: 10, mailboxMax: 5 } });
    const { wire } = await stuck(it);
    const ids = adds(it, 30);
    const behind = it.send('T2', 'look', {});
    await it.clock.advance(800);
    const taken = (await inboxed(it)) ?? 0;
    expect(taken).toBeLessThanOrEqual(10);
    expect(await it.entry('T2', behind)).toBeUndefined();
    expect(it.committed() ?? 0).toBeLessThanOrEqual(12);
    wire.release();
    for (const id of ids) await it.outcome('T1', id);
    await it.outcome('T2', behind);
    await it.until(() => expect([...new Set(order(it).slice(3))]).toEqual(ids));
    await it.until(() => expect(it.committed()).toBe(33));
  });

  it('is as full to an owner that has no claim yet', async () => {
    const it = setup({ partitions: 1, limits: { inboxMax: 10 } });
    const { node, wire } = await stuck(it);
    const ids = adds(it, 10);
    await it.until(async () => expect(await inboxed(it)).toBe(10));
    await it.until(() => expect(it.committed()).toBe(12));
    node.kill();
    const claims = held();
    const next = await it.replica(
      'b',
      bent((store) => ({ claim: async (...given) => claims.gate.then(() => store.claim(...given)) })),
    );
    ids.push(...adds(it, 10));
    await it.until(() => expect(next.live('T1')?.mailbox.depth('customer')).toBe(10));
    await it.clock.advance(2_000);
    expect(await inboxed(it)).toBe(10);
    wire.release();
    claims.release();
    for (const id of ids) await it.outcome('T1', id);
    await it.until(() => expect([...new Set(order(it).slice(3))]).toEqual(ids));
  });
});

describe('an inbox of a topic that was made again', () => {
  it('refuses the partition: an offset that stands for another command stood for one before', async () => {
    const it = it_;
    const { node } = await stuck(it);
    adds(it, 1);
    await it.until(() => expect(it.committed()).toBe(3));
    await it.view.append(
      'till/T1',
      { lane: 'customer', offset: 3, commandId: 'before', text: '{}' },
      { status: 'inboxed', hash: 'h'.repeat(43), text: '{"c":"add","t":1}\n{}' },
      (await it.view.generation()) ?? '',
    );
    adds(it, 1);
    await it.until(() =>
      expect(node.replica.partitions.refused).toMatchObject([{ topic: COMMANDS, partition: 0, code: 'COMMANDS_RECREATED' }]),
    );
    expect(it.committed()).toBe(3);
  });
});

it('marks a location before and after its inbox is written, also when that takes several tries', async () => {
  const it = it_;
  const wire = held();
  const calls: string[] = [];
  const failing = { appends: 2 };
  await it.replica(
    'a',
    bent((store) => ({
      markInbox: async (...given) => {
        calls.push('mark');
        return store.markInbox(...given);
      },
      append: async (...given) => {
        calls.push('append');
        const answer = await store.append(...given);
        return failing.appends-- > 0 ? { kind: 'unanswered', why: 'a test' } : answer;
      },
    })),
  );
  await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
  it.device.before = (kind) => (kind === 'run' ? wire.gate : Promise.resolve());
  it.send('T1', 'pay', { amount: 1 });
  const [id = ''] = adds(it, 1);
  await it.until(() => expect(it.committed()).toBe(3));
  expect(calls).toEqual(['mark', 'append', 'mark', 'mark', 'append', 'mark', 'mark', 'append', 'mark']);
  wire.release();
  expect(await it.outcome('T1', id)).toMatchObject({ reply: { cash: 100 } });
});
