import { describe, expect, it } from 'vitest';
import type { Change } from '../../src/ports.ts';
import { bent, held, setup } from './bundle.ts';
import { COMMANDS } from './fleet.ts';

/** Another owner's claim, made beside the fleet, as a replica does that thinks it is the owner. */
async function overtake({ view }: ReturnType<typeof setup>, id: string) {
  await view.start();
  const claimed = await view.claim(`till/${id}`, 'x/1', (await view.generation()) ?? '');
  if (claimed.kind !== 'claimed') throw new Error(claimed.kind);
  return claimed;
}
const adds = (it: ReturnType<typeof setup>, count: number, id = 'T1') =>
  Array.from({ length: count }, () => it.send(id, 'add', { amount: 1 }));

describe('an owner whose claim was overtaken', () => {
  it('commits nothing under it and decides the waiting commands once, in order, under its next', async () => {
    const it = setup({ partitions: 1 });
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    const other = await overtake(it, 'T1');
    const ids = adds(it, 5);
    const told = [];
    for (const id of ids) told.push(await it.outcome('T1', id));
    expect(told.map((outcome) => outcome.reply)).toEqual([2, 3, 4, 5, 6].map((cash) => ({ cash })));
    expect(node.counts.fenced).toBe(1);
    await it.until(() => expect(it.events('T1').map((event) => event.locusseq)).toEqual([1, 2, 3, 4, 5, 6]));
    expect(
      it
        .events('T1')
        .slice(1)
        .every((event) => event.locusepoch > other.claim.epoch),
    ).toBe(true);
  });

  it('neither answers nor closes what it could not commit before the next claim decides it', async () => {
    const it = setup({ partitions: 1 });
    const claims = held();
    let claimed = 0;
    const node = await it.replica(
      'a',
      bent((store) => ({ claim: async (...given) => (claimed++ > 0 ? claims.gate : Promise.resolve()).then(() => store.claim(...given)) })),
    );
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    await it.until(() => expect(it.committed()).toBe(1));
    await overtake(it, 'T1');
    const [id] = adds(it, 1);
    await it.until(() => expect(node.counts.fenced).toBe(1));
    await it.clock.advance(250);
    expect(await it.entry('T1', id as string)).toBeUndefined();
    expect([it.committed(), node.counts.turns]).toEqual([1, ['done']]);
    claims.release();
    expect(await it.outcome('T1', id as string)).toMatchObject({ status: 'done', reply: { cash: 2 } });
    await it.until(() => expect(it.committed()).toBe(2));
  });

  it('starts no effect for an intent that was fenced', async () => {
    const it = setup();
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 9 }));
    await overtake(it, 'T1');
    const id = it.send('T1', 'pay', { amount: 4 });
    await it.until(() => expect(node.counts.fenced).toBe(1));
    expect(it.device.calls).toEqual([]);
    await it.outcome('T1', id);
    expect(it.device.calls).toEqual([`run ${id}`]);
  });
});

describe('a store that does not answer', () => {
  it('is not sent a commit again that it may have executed: it is read by commandId and takes effect once', async () => {
    const it = setup({ partitions: 1 });
    const sent: Change[] = [];
    const node = await it.replica(
      'a',
      bent((store) => ({
        async commit(claim, change) {
          sent.push(change);
          const answer = await store.commit(claim, change);
          return sent.length === 2 ? { kind: 'unanswered', why: 'a test' } : answer;
        },
      })),
    );
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    const id = it.send('T1', 'add', { amount: 5 });
    await it.until(() => expect(node.counts.turns).toEqual(['done', 'duplicate']));
    expect(await it.outcome('T1', id)).toMatchObject({ reply: { cash: 6 }, seq: 2 });
    await it.until(() => expect(it.types('T1')).toEqual(['Added', 'Added']));
    await it.until(() => expect(it.committed()).toBe(2));
  });

  it('leaves no effect behind when the answer to an intent was lost: the outside is asked, not told again', async () => {
    const it = setup();
    let lost = false;
    await it.replica(
      'a',
      bent((store) => ({
        async commit(claim, change) {
          const answer = await store.commit(claim, change);
          if (lost || !change.header.intent) return answer;
          lost = true;
          return { kind: 'unanswered', why: 'a test' };
        },
      })),
    );
    it.send('T1', 'add', { amount: 9 });
    const id = it.send('T1', 'pay', { amount: 4 });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'refused', code: 'NOT_PAID' });
    expect(it.device.calls.map((call) => call.split(' ')[0])).toEqual(['probe']);
    expect(it.device.paid.size).toBe(0);
  });

  it('begins another life under load, and nothing is lost or done twice', async () => {
    const it = setup({ partitions: 2 });
    const node = await it.replica('a');
    const ids = Array.from({ length: 60 }, (_, n) => ({ at: `T${n % 6}`, id: it.send(`T${n % 6}`, 'add', { amount: 1 }) }));
    await it.outcome('T0', ids[0]?.id ?? '');
    it.disk.loseReplies(3);
    it.disk.restart();
    for (let n = 0; n < 60; n++) ids.push({ at: `T${n % 6}`, id: it.send(`T${n % 6}`, 'add', { amount: 1 }) });
    it.disk.restart();
    for (const { at, id } of ids) await it.outcome(at, id);
    for (let n = 0; n < 6; n++)
      expect(await it.view.read(`till/T${n}`)).toMatchObject({ seq: 20, header: { state: expect.stringContaining('"cash":20') } });
    expect(node.counts.fenced).toBeGreaterThan(0);
  });

  it('is down for a while: everything waits, nothing is closed, and all goes on', async () => {
    const it = setup({ partitions: 1 });
    await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    await it.until(() => expect(it.committed()).toBe(1));
    it.disk.goDown();
    const ids = [...adds(it, 3), ...adds(it, 3, 'T2')];
    await it.clock.advance(5_000);
    expect([it.committed(), it.types('T1')]).toEqual([1, ['Added']]);
    it.disk.comeBack();
    for (const [n, id] of ids.entries()) await it.outcome(n < 3 ? 'T1' : 'T2', id);
    await it.until(() => expect(it.committed()).toBe(7));
  });
});

describe('the generation', () => {
  it('is adopted when it was raised from outside', async () => {
    const it = setup({ partitions: 1 });
    const node = await it.replica('a');
    const before = await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    const raised = await it.view.setGeneration(7, await it.view.generation());
    const after = await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    expect(node.replica.partitions.generation).toBe(raised);
    expect(Number(before.epoch)).toBeLessThan(2 ** 33);
    expect(Number(after.epoch)).toBeGreaterThan(7 * 2 ** 32);
    await it.until(() => expect(it.committed()).toBe(2));
  });

  it('of an emptied store is none: its partitions are refused, nothing is served, until accepted with a higher one', async () => {
    const it = setup({ partitions: 1 });
    const node = await it.replica('a');
    const at = { topic: COMMANDS, partition: 0 };
    const before = await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    await it.until(() => expect(it.committed()).toBe(1));
    const generation = await it.view.generation();
    it.disk.flush();
    const id = it.send('T1', 'add', { amount: 1 });
    await it.until(() => expect(node.replica.partitions.refused).toContainEqual({ ...at, code: 'CANARY', why: expect.any(String) }));
    await it.clock.advance(3_000);
    expect([await it.entry('T1', id), it.committed(), node.replica.router.size]).toEqual([undefined, 1, 0]);
    const accepted = await it.clock.run(node.replica.partitions.accept(at));
    expect(Number(accepted?.split(':')[0])).toBeGreaterThan(Number(generation?.split(':')[0]));
    const after = await it.outcome('T1', id);
    expect(node.replica.partitions.refused).toEqual([]);
    expect(Number(after.epoch)).toBeGreaterThan(Number(before.epoch));
    await it.until(() => expect(it.committed()).toBe(2));
  });
});
