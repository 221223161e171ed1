import { describe, expect, it } from 'vitest';
import type { Log } from '../../src/ports.ts';
import { setup } from './bundle.ts';

const DAY_MS = 86_400_000;
const quiet: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe('what a location remembers', () => {
  it('is looked through while it works, under one claim and without a failed step', async () => {
    const failures: object[] = [];
    const it = setup({ log: { ...quiet, error: (fields) => failures.push(fields) } });
    await it.replica('a');
    const ids = Array.from({ length: 1_000 }, () => it.send('T1', 'add', { amount: 1 }));
    const last = (await it.outcome('T1', ids.at(-1) ?? '')) as { epoch: number; seq: number };
    const first = (await it.outcome('T1', ids[0] ?? '')) as { epoch: number };
    expect(failures).toEqual([]);
    expect(last).toMatchObject({ seq: 1_000, epoch: first.epoch });
  });

  it('is forgotten by age, judged by the newest record, and by nothing else', async () => {
    const it = setup({ partitions: 1 });
    await it.replica('a');
    const adds = async (count: number) => {
      const ids = Array.from({ length: count }, () => it.send('T1', 'add', { amount: 1 }));
      await it.outcome('T1', ids.at(-1) ?? '');
    };
    const old = it.send('T1', 'add', { amount: 1 });
    await adds(300);
    it.clock.leap(8 * DAY_MS);
    const young = it.send('T1', 'add', { amount: 1 });
    await it.outcome('T1', young);
    await adds(300);
    await it.clock.until(async () => expect(await it.entry('T1', old)).toBeUndefined());
    expect(await it.entry('T1', young)).toBeDefined();
  });

  it('is never forgotten to make room: a location that remembers as much as it may waits until some of it is old', async () => {
    const it = setup({ partitions: 1, limits: { dedupeMax: 3_000 } });
    const node = await it.replica('a');
    const ids = Array.from({ length: 4_096 }, () => it.send('T1', 'add', { amount: 1 }));
    await it.outcome('T1', ids.at(-1) ?? '');
    const known = async () => (await it.view.recall('till/T1', ids)).filter(({ entry }) => entry !== undefined).length;
    const late = it.send('T1', 'add', { amount: 1 });
    await it.clock.advance(15_000);
    expect((await it.entry('T1', late))?.status).toBe('inboxed');
    expect(node.live('T1')?.heldBy(it.clock.monotonic())).toBe('as many commandIds as may be');
    expect(await known()).toBe(ids.length);
    it.clock.leap(8 * DAY_MS);
    // Ages are judged by the newest record of the partition, whichever location it is for.
    await it.outcome('T2', it.send('T2', 'add', { amount: 1 }));
    expect(await it.outcome('T1', late)).toMatchObject({ status: 'done' });
    expect(await known()).toBe(0);
  });
});
