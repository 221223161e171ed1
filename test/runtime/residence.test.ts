import { beforeEach, describe, expect, it, vi } from 'vitest';
import { bent, held, setup, slow } from './bundle.ts';
import { COMMANDS } from './fleet.ts';

type Bundle = ReturnType<typeof setup>;
let it_: Bundle;
beforeEach(() => {
  it_ = setup({ partitions: 1 });
});
const marked = (it: Bundle) => it.view.marked(0);

describe('a location that is not used', () => {
  it('leaves memory when it was idle for long enough, trimmed and out of the index, and comes back as it was', async () => {
    const it = setup({ partitions: 1, limits: { idleMs: 5_000 } });
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 3 }));
    await it.clock.advance(4_000);
    expect(node.replica.router.size).toBe(1);
    await it.clock.advance(2_500);
    expect(node.replica.router.size).toBe(0);
    expect([await marked(it), it.disk.locations.get('till/T1')?.events.size, it.locks.nodes[0]?.held.size]).toEqual([[], 0, 0]);
    expect(await it.outcome('T1', it.send('T1', 'add', { amount: 1 }))).toMatchObject({ reply: { cash: 4 }, seq: 2 });
  });

  it('stays while its effect is in doubt, its command parked or its events unpublished', async () => {
    const it = setup({ partitions: 1, limits: { idleMs: 2_000 } });
    const node = await it.replica('a');
    it.log.setWriters('down');
    await it.outcome('T1', it.send('T1', 'add', { amount: 9 }));
    it.send('T2', 'overdraw', {});
    await it.clock.advance(10_000);
    expect([node.live('T1')?.phase, node.live('T2')?.phase]).toEqual(['active', 'active']);
    it.log.setWriters('well');
    await it.until(() => expect(node.live('T1')).toBeUndefined());
    expect(node.live('T2')?.phase).toBe('active');
  });

  it('makes room for another when as many are resident as may be', async () => {
    const it = setup({ partitions: 1, limits: { residentMax: 4 } });
    const node = await it.replica('a');
    for (let round = 0; round < 2; round++)
      for (let n = 0; n < 8; n++) {
        await it.outcome(`T${n}`, it.send(`T${n}`, 'add', { amount: 1 }));
        expect(node.replica.router.size).toBeLessThanOrEqual(4);
      }
    expect(await it.outcome('T0', it.send('T0', 'look', {}))).toMatchObject({ reply: { cash: 2 } });
    await it.until(() => expect(it.committed()).toBe(17));
  });

  it('serves at once what comes while it is being let go', async () => {
    const it = it_;
    const releases = held();
    const node = await it.replica(
      'a',
      bent((store) => ({ unmark: async (...given) => releases.gate.then(() => store.unmark(...given)) })),
    );
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    await it.until(() => expect(node.live('T1')?.published).toBe(1));
    node.replica.router.find('till/T1')?.leave('idle');
    await it.until(() => expect(node.live('T1')?.phase).toBe('draining'));
    const id = it.send('T1', 'add', { amount: 1 });
    await it.clock.settle();
    releases.release();
    expect(await it.outcome('T1', id)).toMatchObject({ reply: { cash: 2 } });
    await it.until(() => expect(it.committed()).toBe(2));
  });
});

describe('the index of locations with work', () => {
  it('names a location before its first commit', async () => {
    const it = it_;
    const before: unknown[] = [];
    await it.replica(
      'a',
      bent((store) => ({
        async commit(claim, change) {
          before.push(await it.view.marked(0));
          return store.commit(claim, change);
        },
      })),
    );
    await it.view.start();
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    expect(before[0]).toEqual(['till/T1']);
  });

  it('lets the next owner settle open intents and publish what was not, without any new command', async () => {
    const it = it_;
    const first = await it.replica('a');
    for (const id of ['T1', 'T2', 'T3']) await it.outcome(id, it.send(id, 'add', { amount: 9 }));
    it.device.after = () => new Promise(() => {});
    const ids = ['T1', 'T2'].map((at) => ({ at, id: it.send(at, 'pay', { amount: 1 }) }));
    await it.until(() => expect(it.device.paid.size).toBe(2));
    await it.until(() => expect(it.committed()).toBe(5));
    it.log.setWriters('down');
    await it.outcome('T3', it.send('T3', 'add', { amount: 1 }));
    await it.until(() => expect(it.committed()).toBe(6));
    first.kill();
    it.log.setWriters('well');
    const second = await it.replica('b');
    for (const { at, id } of ids) expect(await it.outcome(at, id)).toMatchObject({ status: 'done' });
    await it.until(() => expect(it.types('T3')).toEqual(['Added', 'Added']));
    expect([second.counts.recovered, second.counts.turns]).toEqual([2, []]);
  });

  it('is read again when the store did not answer at first', async () => {
    const it = it_;
    const first = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 9 }));
    it.device.after = () => new Promise(() => {});
    const id = it.send('T1', 'pay', { amount: 1 });
    await it.until(() => expect(it.committed()).toBe(2));
    first.kill();
    let failures = 2;
    await it.replica(
      'b',
      bent((store) => ({
        marked: async (partition) => {
          if (failures-- > 0) throw new Error('a test');
          return store.marked(partition);
        },
      })),
    );
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done' });
  });

  it('is walked to its end though not all it names fit into memory at once', async () => {
    const it = setup({ partitions: 1, limits: { residentMax: 3 } });
    const first = await it.replica('a');
    it.device.after = () => new Promise(() => {});
    const ids = [];
    for (let n = 0; n < 3; n++) {
      await it.outcome(`T${n}`, it.send(`T${n}`, 'add', { amount: 9 }));
      ids.push({ at: `T${n}`, id: it.send(`T${n}`, 'pay', { amount: 1 }) });
    }
    await it.until(() => expect(it.committed()).toBe(6));
    first.kill();
    // Two more that were only marked stand before them.
    await it.view.start();
    const generation = (await it.view.generation()) ?? '';
    for (const id of ['till/U1', 'till/U2']) await it.view.markInbox(id, 0, generation);
    await it.replica('b');
    for (const { at, id } of ids) expect(await it.outcome(at, id)).toMatchObject({ status: 'done' });
  });
});

describe('a location whose partition is lost and back before it is gone', () => {
  it('is there again for what it left open, and for all that came meanwhile', async () => {
    const it = setup({ partitions: 1, limits: { mailboxMax: 4 } });
    const wire = held();
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 9 }));
    it.device.before = (kind) => (kind === 'run' ? wire.gate : Promise.resolve());
    it.send('T1', 'pay', { amount: 1 });
    const waits = it.send('T1', 'look', {});
    await it.until(async () => expect((await it.entry('T1', waits))?.status).toBe('inboxed'));
    await it.until(() => expect(it.committed()).toBe(3));
    const at = { topic: COMMANDS, partition: 0 };
    node.replica.partitions.end(at);
    await it.clock.run(node.replica.partitions.begin(at, { committed: 3, low: 0, high: 3, fresh: false }));
    expect(node.live('T1')?.leaving).toBe('revoked');
    wire.release();
    expect(await it.outcome('T1', waits)).toMatchObject({ reply: { cash: 8 } });
  });

  it('takes over more than it would accept, for nobody would bring it again', async () => {
    const it = setup({ partitions: 1, limits: { mailboxMax: 4, inboxAfterMs: 60_000 } });
    const commits = held();
    const node = await it.replica(
      'a',
      slow(commits.gate, (_claim, change) => change.entries.some(({ commandId }) => commandId === 'slow')),
    );
    await it.outcome('T1', it.send('T1', 'add', { amount: 9 }));
    await it.outcome('T1', it.send('T1', 'pay', { amount: 1 }));
    // The payment ends its batch: what stands behind it goes back to a mailbox that is full again.
    const ids = [it.send('T1', 'add', { amount: 1 }, 'slow'), it.send('T1', 'pay', { amount: 1 })];
    for (let n = 0; n < 2; n++) ids.push(it.send('T1', 'look', {}));
    await it.until(() => expect(node.live('T1')?.serving).toBe(true));
    for (let n = 0; n < 4; n++) ids.push(it.send('T1', 'look', {}));
    await it.until(() => expect(node.live('T1')?.mailbox.length).toBe(4));
    node.replica.router.find('till/T1')?.leave('evicted');
    commits.release();
    for (const id of ids) await it.outcome('T1', id);
    await it.until(() => expect(it.committed()).toBe(10));
  });
});

describe('a location that is let go while a commit gets no answer', () => {
  it('is there again at once, for the events that nobody else would publish', async () => {
    const it = it_;
    let leave = () => {};
    const node = await it.replica(
      'a',
      bent((store) => ({
        async commit(claim, change) {
          const answer = await store.commit(claim, change);
          if (!change.entries.some(({ commandId }) => commandId.startsWith('~op/'))) return answer;
          leave();
          return { kind: 'unanswered', why: 'a test' };
        },
      })),
    );
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    leave = () => node.replica.router.find('till/T1')?.leave('idle');
    expect(await node.act('T1', { verb: 'resume' })).toMatchObject({ code: 'BUSY' });
    await it.until(() => expect(it.types('T1').at(-1)).toBe('Operated'));
  });
});

describe('a location whose former owner writes into its inbox once more', () => {
  it('is there again when it was let go, for nobody else brings what waits there', async () => {
    const it = it_;
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    await it.until(() => expect(node.live('T1')?.published).toBe(1));
    const command = {
      lane: 'customer',
      type: 'till',
      id: 'T1',
      name: 'add',
      commandId: 'late',
      input: { amount: 2 },
      hash: 'h'.repeat(43),
    };
    await it.view.append(
      'till/T1',
      {
        lane: 'customer',
        offset: 9,
        commandId: 'late',
        text: JSON.stringify({ ...command, address: 'till/T1', appendedMs: it.clock.now() }),
      },
      { status: 'inboxed', hash: command.hash, text: '{"c":"add","t":1}\n{"status":"pending"}' },
      (await it.view.generation()) ?? '',
    );
    node.replica.router.find('till/T1')?.leave('idle');
    expect(await it.outcome('T1', 'late')).toMatchObject({ status: 'done', reply: { cash: 3 } });
  });
});

describe('a location that is let go while its effect is in hand', () => {
  it('waits for it without a turn, though its lease is lost as well', async () => {
    const it = it_;
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 9 }));
    const wire = held();
    it.device.before = (kind) => (kind === 'run' ? wire.gate : Promise.resolve());
    const id = it.send('T1', 'pay', { amount: 1 });
    await it.until(() => expect(it.device.calls).toHaveLength(1));
    const activation = node.replica.router.find('till/T1');
    activation?.leave('idle');
    activation?.yieldLease();
    const immediates = vi.spyOn(globalThis, 'setImmediate');
    await it.clock.settle();
    const turned = immediates.mock.calls.length;
    immediates.mockRestore();
    // The clock's own are 16.
    expect(turned).toBeLessThan(24);
    wire.release();
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done' });
    await it.until(() => expect(node.live('T1')).toBeUndefined());
  });
});

describe('a replica that drains', () => {
  it('finishes its effects in hand, publishes, commits its offsets, and leaves the rest to the next', async () => {
    const it = setup({ partitions: 2 });
    const a = await it.replica('a');
    const wire = held();
    for (const id of ['T1', 'T2', 'T3', 'T4']) await it.outcome(id, it.send(id, 'add', { amount: 9 }));
    it.device.before = (kind) => (kind === 'run' ? wire.gate : Promise.resolve());
    const ids = ['T1', 'T2', 'T3', 'T4'].map((at) => ({ at, id: it.send(at, 'pay', { amount: 1 }), behind: it.send(at, 'look', {}) }));
    await it.until(() => expect(it.device.calls).toHaveLength(4));
    const draining = a.drain();
    await it.clock.advance(100);
    wire.release();
    await draining;
    for (const { at, id } of ids) expect(await it.outcome(at, id)).toMatchObject({ status: 'done' });
    const asked = it.device.calls.length;
    const b = await it.replica('b');
    for (const { at, behind } of ids) expect(await it.outcome(at, behind)).toMatchObject({ reply: { cash: 8 } });
    expect([asked, it.device.calls.length, b.counts.recovered]).toEqual([4, 4, 0]);
    await it.until(() => expect((it.committed(0) ?? 0) + (it.committed(1) ?? 0)).toBe(12));
  });

  it('goes when its time is over, though a device keeps an answer to itself', async () => {
    const it = setup({ partitions: 1, limits: { drainMs: 500 } });
    const a = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 9 }));
    it.device.before = (kind) => (kind === 'run' ? new Promise(() => {}) : Promise.resolve());
    const id = it.send('T1', 'pay', { amount: 1 });
    await it.until(() => expect(it.device.calls).toHaveLength(1));
    const sinceMs = it.clock.monotonic();
    await a.drain();
    expect(it.clock.monotonic() - sinceMs).toBeLessThanOrEqual(1_000);
    await it.replica('b');
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'refused', code: 'NOT_PAID' });
  });
});
