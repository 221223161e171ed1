import { describe, expect, it } from 'vitest';
import { pause } from '../../src/clock.ts';
import type { Claim, Log, StateStore } from '../../src/ports.ts';
import type { Live } from '../../src/runtime/live.ts';
import type { Site } from '../../src/runtime/site.ts';
import { trimEvents } from '../../src/runtime/trimming.ts';
import { bent, setup } from './bundle.ts';

const DAY_MS = 86_400_000;
const quiet: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe('an event', () => {
  it('is forgotten only once the store knows it as published: its owner may die the moment after, and the next one finds no hole', async () => {
    const it = setup({ partitions: 1 });
    let trims = 0;
    const a = await it.replica(
      'a',
      bent((store) => ({
        // While a commit is on its way, the log acknowledges what was committed before it.
        async commit(...given) {
          const answer = await store.commit(...given);
          await pause(it.clock, 50);
          return answer;
        },
        async trim(claim, what) {
          const answer = await store.trim(claim, what);
          if (what.events !== undefined && trims++ === 0) a.kill();
          return answer;
        },
      })),
    );
    // Without a pause: the next commit leaves before the last one's events are acknowledged.
    for (let round = 0; round < 600 && trims === 0; round++) {
      it.send('T1', 'add', { amount: 1 });
      await it.clock.advance(5);
    }
    expect(trims).toBe(1);
    await it.replica('b');
    expect(await it.outcome('T1', it.send('T1', 'add', { amount: 1 }))).toMatchObject({ status: 'done' });
  });

  it('that an earlier owner published is forgotten by a later one', async () => {
    const it = setup({ partitions: 1 });
    for (let owner = 0; owner < 10; owner++) {
      const replica = await it.replica('a');
      const ids = Array.from({ length: 100 }, () => it.send('T1', 'add', { amount: 1 }));
      await it.outcome('T1', ids.at(-1) ?? '');
      await replica.drain();
    }
    const kept = it.disk.locations.get('till/T1')?.events.size ?? 0;
    expect(it.events('T1')).toHaveLength(1_000);
    expect(kept).toBeLessThan(400);
  });

  it('is forgotten in pieces when the log was away for long', async () => {
    const pieces: { from: number; to: number }[] = [];
    const trim: StateStore['trim'] = async (_claim, { events }) => {
      if (events !== undefined) pieces.push(events);
      return { kind: 'ok' };
    };
    const live = { claim: {} as Claim, noted: 2_600, trimmed: 0 };
    await trimEvents({ store: { trim } } as Site, live as Live);
    expect(pieces.map(({ from, to }) => [from, to])).toEqual([
      [1, 896],
      [897, 1_792],
      [1_793, 2_560],
    ]);
    expect(live.trimmed).toBe(2_560);
  });
});

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
