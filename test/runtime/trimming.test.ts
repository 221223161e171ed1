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
    const old = it.send('T1', 'add', { amount: 1 });
    await it.outcome('T1', old);
    it.clock.leap(8 * DAY_MS);
    const young = it.send('T1', 'add', { amount: 1 });
    await it.outcome('T1', young);
    expect(await it.entry('T1', old), 'one turn is no reason to look').toBeDefined();
    const more = Array.from({ length: 600 }, () => it.send('T1', 'add', { amount: 1 }));
    await it.outcome('T1', more.at(-1) ?? '');
    await it.clock.until(async () => expect(await it.entry('T1', old)).toBeUndefined());
    expect(await it.entry('T1', young)).toBeDefined();
  });
});
