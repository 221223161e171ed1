import { beforeEach, describe, expect, it } from 'vitest';
import type { Acted, Action } from '../../src/desk.ts';
import { inspectLocations } from '../../src/runtime/inspection.ts';
import { bent, held, setup } from './bundle.ts';
import { EVENTS, type Node } from './fleet.ts';
import { frontOf } from './front.ts';
import { mood } from './till.ts';

type Bundle = ReturnType<typeof setup>;
const never = new Promise<void>(() => {});
let it_: Bundle;
beforeEach(() => {
  it_ = setup({ partitions: 1 });
});
const status = async (it: Bundle, commandId: string) => (await it.entry('T1', commandId))?.status;
const header = async (it: Bundle) => (await it.view.read('till/T1'))?.header;
/** The id of a till in one of its partitions. */
const heldBy = ({ replica }: Node): string =>
  ['T1', 'T2', 'T3', 'T4', 'T5', 'T6'].find((one) => replica.partitions.held(replica.site.partitionOf(`till/${one}`))) ?? '';
const text = (acted: Acted) => (acted.kind === 'acted' ? JSON.parse(acted.text) : acted);

/** A till with cash, held by a command that threw in all of its attempts. */
async function parked(it: Bundle, replays = 0) {
  const node = await it.replica('a');
  await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
  mood.throws = 5 + replays;
  const id = it.send('T1', 'fail', {});
  await it.until(async () => expect(await status(it, id)).toBe('parked'));
  return { node, id };
}

describe('a command whose decision throws', () => {
  it('is tried again with back-off, before what came after it, and done once it no longer throws', async () => {
    const it = it_;
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    mood.throws = 3;
    const sinceMs = it.clock.monotonic();
    const id = it.send('T1', 'fail', {});
    const behind = it.send('T1', 'look', {});
    await it.until(() => expect(node.live('T1')?.failing).toEqual({ commandId: id, attempts: 2 }));
    expect(it.clock.monotonic() - sinceMs).toBeGreaterThanOrEqual(1_000);
    await it.outcome('T1', id);
    // After 1, 2 and 4 s.
    expect(it.clock.monotonic() - sinceMs).toBeGreaterThanOrEqual(7_000);
    expect(await it.outcome('T1', behind)).toMatchObject({ seq: 3 });
    expect(node.live('T1')?.failing).toBeUndefined();
  });

  it('is parked by name after its attempts; the location holds, and its neighbours go on', async () => {
    const it = it_;
    const { node, id } = await parked(it);
    const waits = it.send('T1', 'look', {});
    await it.outcome('T2', it.send('T2', 'look', {}));
    await it.until(() => expect(it.committed()).toBe(4));
    await it.clock.advance(60_000);
    expect([await status(it, waits), node.live('T1')?.heldBy(it.clock.monotonic())]).toEqual(['inboxed', `parked: ${id}`]);
    expect(JSON.parse((await header(it))?.parked ?? '{}')).toMatchObject({
      command: { commandId: id },
      attempts: 5,
      error: 'decide was told to throw',
    });
    expect(it.types('T1')).toEqual(['Added', 'Parked']);
  });

  it('counts its attempts though others of its batch were decided before it', async () => {
    const it = it_;
    const node = await it.replica('a');
    mood.throws = 2;
    it.send('T1', 'add', { amount: 1 });
    const id = it.send('T1', 'fail', {});
    await it.until(() => expect(node.live('T1')?.failing).toEqual({ commandId: id, attempts: 2 }));
    await it.outcome('T1', id);
  });
});

describe('a parked command', () => {
  it('is done by the replay that succeeds, and what waited behind it follows', async () => {
    const it = it_;
    const { node, id } = await parked(it, 1);
    const waits = it.send('T1', 'look', {});
    expect(await node.act('T1', { verb: 'replay', commandId: id })).toMatchObject({ kind: 'refused', code: 'CONFLICT' });
    expect(await status(it, id)).toBe('parked');
    expect(await node.act('T1', { verb: 'replay', commandId: id })).toMatchObject({ kind: 'acted' });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done', reply: { cash: 100 } });
    await it.outcome('T1', waits);
    expect((await header(it))?.parked).toBeUndefined();
  });

  it('is refused as DROPPED by a drop, and only under its own name', async () => {
    const it = it_;
    const { node, id } = await parked(it);
    expect(await node.act('T1', { verb: 'drop', commandId: 'other' })).toMatchObject({ kind: 'refused', code: 'NOT_FOUND' });
    expect(await node.act('T1', { verb: 'drop', commandId: id, because: 'of a test' })).toMatchObject({ kind: 'acted' });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'refused', code: 'DROPPED', detail: { because: 'of a test' } });
    expect(await it.outcome('T1', it.send('T1', 'look', {}))).toMatchObject({ status: 'done' });
  });

  it('is dropped at its next owner just as well, and stays there for it', async () => {
    const it = it_;
    const { node, id } = await parked(it);
    node.kill();
    const next = await it.replica('a');
    await it.until(() => expect(next.live('T1')?.heldBy(it.clock.monotonic())).toBe(`parked: ${id}`));
    expect(await next.act('T1', { verb: 'drop', commandId: id })).toMatchObject({ kind: 'acted' });
    expect(await it.outcome('T1', id)).toMatchObject({ code: 'DROPPED' });
  });

  it('that broke an invariant freezes its location until it is dropped and unfrozen', async () => {
    const it = it_;
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    const id = it.send('T1', 'overdraw', {});
    await it.until(async () => expect(await status(it, id)).toBe('parked'));
    expect(JSON.parse((await header(it))?.frozen ?? '{}')).toMatchObject({ reason: 'INVARIANT' });
    expect(await node.act('T1', { verb: 'replay', commandId: id })).toMatchObject({ kind: 'refused', code: 'CONFLICT' });
    await node.act('T1', { verb: 'drop', commandId: id });
    const waits = it.send('T1', 'look', {});
    await it.clock.advance(1_000);
    expect(await status(it, waits)).not.toBe('done');
    await node.act('T1', { verb: 'unfreeze' });
    expect(await it.outcome('T1', waits)).toMatchObject({ reply: { cash: 1 } });
  });

  it('that performs is replayed once, after the device has answered who it is', async () => {
    const it = it_;
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    // Its input fits no longer: what the store holds of it is of another version.
    mood.throws = 5;
    const failing = it.send('T1', 'fail', {});
    await it.until(async () => expect(await status(it, failing)).toBe('parked'));
    const live = node.live('T1');
    const stored = live?.ground?.parked;
    if (live?.ground === undefined || stored === undefined) throw new Error('not parked');
    Object.assign(stored.command, { name: 'pay', input: { amount: 2 } });
    it.device.before = (kind) => (kind === 'open' ? never : Promise.resolve());
    expect(await node.act('T1', { verb: 'replay', commandId: failing })).toMatchObject({ kind: 'refused', code: 'BUSY' });
    it.device.before = async () => {};
    expect(await node.act('T1', { verb: 'replay', commandId: failing })).toMatchObject({ kind: 'acted' });
    expect(await it.outcome('T1', failing)).toMatchObject({ reply: { amount: 2 } });
    expect(it.device.calls).toEqual([`run ${failing}`]);
  });
});

describe('an operator', () => {
  it('pauses and resumes a location; what waits meanwhile is served after', async () => {
    const it = it_;
    const node = await it.replica('a');
    await node.act('T1', { verb: 'pause', because: 'cash count' });
    // Shown although nothing waits yet.
    expect(inspectLocations(node.replica, { stuck: true, limit: 9 })).toMatchObject([{ heldBy: 'paused: cash count', waiting: 0 }]);
    const id = it.send('T1', 'add', { amount: 1 });
    await it.until(async () => expect(await status(it, id)).toBe('inboxed'));
    expect(node.live('T1')?.heldBy(it.clock.monotonic())).toBe('paused: cash count');
    await node.act('T1', { verb: 'resume' });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done' });
    await it.until(() => expect(it.types('T1')).toEqual(['Operated', 'Operated', 'Added']));
  });

  it('acts once under one key: a repeat gets the first answer, another action under it is a conflict', async () => {
    const it = it_;
    const node = await it.replica('a');
    const first = await node.act('T1', { verb: 'pause', key: 'once' });
    expect(text(first)).toMatchObject({ status: 'done', verb: 'pause', seq: 1 });
    expect(await node.act('T1', { verb: 'pause', key: 'once' })).toEqual(first);
    expect(await node.act('T1', { verb: 'resume', key: 'once' })).toMatchObject({ kind: 'refused', code: 'CONFLICT' });
    expect((await it.view.read('till/T1'))?.seq).toBe(1);
  });

  it('acts before whatever waits, also while an effect runs', async () => {
    const it = it_;
    const node = await it.replica('a');
    const wire = held();
    await it.outcome('T1', it.send('T1', 'add', { amount: 9 }));
    it.device.before = (kind) => (kind === 'run' ? wire.gate : Promise.resolve());
    const id = it.send('T1', 'pay', { amount: 1 });
    await it.until(() => expect(it.device.calls).toHaveLength(1));
    const behind = it.send('T1', 'look', {});
    expect(text(await node.act('T1', { verb: 'pause' }))).toMatchObject({ seq: 3 });
    wire.release();
    expect(await it.outcome('T1', id)).toMatchObject({ seq: 4 });
    await it.clock.advance(1_000);
    expect(await status(it, behind)).toBe('inboxed');
  });

  it('settles what is in doubt by evidence, and nothing else', async () => {
    const it = it_;
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 9 }));
    it.device.before = (kind) => (kind === 'probe' ? never : Promise.resolve());
    it.device.after = () => never;
    const id = it.send('T1', 'pay', { amount: 4 });
    await it.until(() => expect(node.live('T1')?.ground?.intent?.doubtSinceMs).toBeDefined());
    const settle = (commandId: string, evidence: unknown) => node.act('T1', { verb: 'settle', commandId, evidence });
    expect(await settle('other', { status: 'failed', code: 'X' })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await settle(id, { status: 'unknown' })).toMatchObject({ code: 'INPUT_INVALID' });
    expect(await settle(id, { status: 'confirmed', result: { amount: 4 } })).toMatchObject({ kind: 'acted' });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done', reply: { amount: 4 } });
    expect(await settle(id, { status: 'confirmed', result: { amount: 4 } })).toMatchObject({ code: 'NOT_FOUND' });
    const asked = it.device.calls.length;
    await it.clock.advance(60_000);
    expect(it.device.calls).toHaveLength(asked);
  });

  it('evicts a location, which is there again at its next command', async () => {
    const it = it_;
    const node = await it.replica('a');
    const before = await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    expect(await node.act('T1', { verb: 'evict' })).toMatchObject({ kind: 'acted' });
    await it.until(() => expect(node.live('T1')).toBeUndefined());
    const after = await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    expect(after).toMatchObject({ reply: { cash: 2 } });
    expect(Number(after.epoch)).toBeGreaterThan(Number(before.epoch));
  });

  it('evicts a location with an inbox, which is there again at once for what waits', async () => {
    const it = it_;
    const node = await it.replica('a');
    await node.act('T1', { verb: 'pause' });
    const id = it.send('T1', 'add', { amount: 1 });
    await it.until(async () => expect(await status(it, id)).toBe('inboxed'));
    await it.until(() => expect(it.committed()).toBe(1));
    const epoch = node.live('T1')?.claim?.epoch ?? 0;
    await node.act('T1', { verb: 'evict' });
    await it.until(() => expect(node.live('T1')?.claim?.epoch).toBeGreaterThan(epoch));
    await node.act('T1', { verb: 'resume' });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done' });
  });

  it('is told to repeat a replay for which the store could not be read', async () => {
    const it = it_;
    const { node, id } = await parked(it);
    it.disk.loseReplies(1);
    expect(await node.act('T1', { verb: 'replay', commandId: id })).toMatchObject({ kind: 'refused', code: 'BUSY' });
    expect(await node.act('T1', { verb: 'replay', commandId: id })).toMatchObject({ kind: 'acted' });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done' });
  });

  it('acts on a location without an owner, whose unpublished events come first', async () => {
    const it = setup({ partitions: 2 });
    const a = await it.replica('a');
    const b = await it.replica('b');
    await it.until(() => expect(a.replica.partitions.heldPartitions).toHaveLength(1));
    const id = heldBy(a);
    it.log.setWriters('down');
    await it.outcome(id, it.send(id, 'add', { amount: 1 }));
    a.kill();
    it.disk.replicas.delete('a/1');
    const { front } = await frontOf(it, b.replica);
    const acted = await it.clock.run(front.act(`till/${id}`, { verb: 'pause', key: 'k', because: 'a test' }, false));
    expect([acted.kind, b.live(id)]).toEqual(['acted', undefined]);
    it.log.setWriters('well');
    const published = () => it.log.records(EVENTS).map(({ value }) => JSON.parse(Buffer.from(value ?? []).toString()).locusseq);
    await it.until(() => expect(published()).toContain(2));
    expect(published().slice(0, 2)).toEqual([1, 2]);
  });

  it.each(['paused', 'parked'])(
    'frees a %s location by the store, and whoever holds it with an overtaken claim learns of it',
    async (why) => {
      const it = setup({ partitions: 2 });
      const a = await it.replica('a');
      const b = await it.replica('b');
      await it.until(() => expect(a.replica.partitions.heldPartitions).toHaveLength(1));
      const id = heldBy(a);
      if (why === 'paused') await a.act(id, { verb: 'pause' });
      const parked = why === 'parked' ? it.send(id, 'overdraw', {}) : undefined;
      await it.until(() => expect(a.live(id)?.ground?.[why === 'paused' ? 'paused' : 'frozen']).toBeDefined());
      const waits = it.send(id, 'add', { amount: 1 });
      await it.until(async () => expect((await it.entry(id, waits))?.status).toBe('inboxed'));
      // A claim of a life that is gone, executed late: nobody who is alive is named by the store.
      await it.view.claim(`till/${id}`, 'a/0', (await it.view.generation()) ?? '');
      const { front } = await frontOf(it, b.replica);
      const act = (action: Pick<Action, 'verb' | 'commandId'>) =>
        it.clock.run(front.act(`till/${id}`, { key: action.verb, because: 'a test', ...action }, false));
      if (parked !== undefined) await act({ verb: 'drop', commandId: parked });
      expect((await act({ verb: why === 'paused' ? 'resume' : 'unfreeze' })).kind).toBe('acted');
      expect(await it.outcome(id, waits)).toMatchObject({ status: 'done', reply: { cash: 1 } });
      expect([a.counts.fenced, b.live(id)]).toEqual([1, undefined]);
    },
  );

  it('settles by the store what is in doubt, and whoever asks about it under an overtaken claim learns of it', async () => {
    const it = setup({ partitions: 2 });
    const a = await it.replica('a');
    const b = await it.replica('b');
    await it.until(() => expect(a.replica.partitions.heldPartitions).toHaveLength(1));
    const id = heldBy(a);
    await it.outcome(id, it.send(id, 'add', { amount: 9 }));
    it.device.before = (kind) => (kind === 'probe' ? never : Promise.resolve());
    it.device.after = () => never;
    const commandId = it.send(id, 'pay', { amount: 4 });
    await it.until(() => expect(a.live(id)?.ground?.intent?.doubtSinceMs).toBeDefined());
    await it.view.claim(`till/${id}`, 'a/0', (await it.view.generation()) ?? '');
    const { front } = await frontOf(it, b.replica);
    const evidence = { status: 'confirmed', result: { amount: 4 } };
    const settle = { verb: 'settle', key: 'k', because: 'a test', commandId, evidence } as const;
    expect((await it.clock.run(front.act(`till/${id}`, settle, false))).kind).toBe('acted');
    await it.until(() => expect([a.counts.fenced, a.counts.inDoubt, a.live(id)?.ground?.seq]).toEqual([1, 0, 5]));
    expect(b.counts.inDoubt).toBe(0);
    const asked = it.device.calls.length;
    await it.clock.advance(60_000);
    expect(it.device.calls).toHaveLength(asked);
  });

  it('has the events published of what was committed without an owner and without an answer', async () => {
    const it = setup({ partitions: 2 });
    const a = await it.replica('a');
    const loses = bent((store) => ({
      commit(claim, change) {
        it.disk.loseReplies(1);
        return store.commit(claim, change);
      },
    }));
    const b = await it.replica('b', loses);
    await it.until(() => expect(a.replica.partitions.heldPartitions).toHaveLength(1));
    const id = heldBy(a);
    const { front } = await frontOf(it, b.replica);
    const acted = await it.clock.run(front.act(`till/${id}`, { verb: 'pause', key: 'k', because: 'a test' }, false));
    expect(acted).toMatchObject({ kind: 'refused', code: 'BUSY' });
    await it.until(() => expect(it.types(id)).toEqual(['Operated']));
    expect([a.live(id), b.live(id)]).toEqual([undefined, undefined]);
  });

  it('does not claim it again for that once the location is resident here, whose claim has published them', async () => {
    const it = setup({ partitions: 2 });
    const a = await it.replica('a');
    let isBlind = true;
    let loses = true;
    const blindly = bent((store) => ({
      commit(claim, change) {
        if (loses) it.disk.loseReplies(1);
        loses = false;
        return store.commit(claim, change);
      },
      read: async (address) => (isBlind ? undefined : store.read(address)),
    }));
    const b = await it.replica('b', blindly);
    await it.until(() => expect(a.replica.partitions.heldPartitions).toHaveLength(1));
    const id = heldBy(a);
    const { front } = await frontOf(it, b.replica);
    await it.clock.run(front.act(`till/${id}`, { verb: 'pause', key: 'k', because: 'a test' }, false));
    a.kill();
    await it.until(() => expect(b.live(id)?.phase).toBe('active'));
    const epoch = b.live(id)?.claim?.epoch;
    isBlind = false;
    await it.clock.advance(1_500);
    expect([it.types(id), (await it.view.read(`till/${id}`))?.epoch]).toEqual([['Operated'], epoch]);
  });

  it('is told to repeat it at another replica when the one without an owner is apart from its group', async () => {
    const it = setup({ partitions: 2 });
    const a = await it.replica('a');
    const marks = held();
    const slowly = bent((store) => ({
      async mark(claim, partition) {
        const marked = await store.mark(claim, partition);
        await marks.gate;
        return marked;
      },
    }));
    const b = await it.replica('b', slowly);
    await it.until(() => expect(a.replica.partitions.heldPartitions).toHaveLength(1));
    const id = heldBy(a);
    const { front } = await frontOf(it, b.replica);
    const acting = front.act(`till/${id}`, { verb: 'pause', key: 'k', because: 'a test' }, false);
    it.log.setFault({ away: true });
    await it.until(() => expect(b.replica.joined).toBe(false));
    marks.release();
    expect(await it.clock.run(acting)).toMatchObject({ kind: 'refused', code: 'BUSY' });
    expect((await it.view.read(`till/${id}`))?.seq).toBe(0);
    it.log.setFault({ away: false });
  });

  it('is told to repeat what the store did not take', async () => {
    const it = it_;
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    it.disk.goDown();
    expect(await node.act('T1', { verb: 'pause', key: 'again' })).toMatchObject({ kind: 'refused', code: 'BUSY' });
    it.disk.comeBack();
    expect(await node.act('T1', { verb: 'pause', key: 'again' })).toMatchObject({ kind: 'acted' });
  });
});
