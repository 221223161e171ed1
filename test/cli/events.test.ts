/** What `locus events` makes of an events topic, as a replica looks into it: only this location's, each once, and what is missing is said. */
import { afterEach, expect, it } from 'vitest';
import { events, type Watching } from '../../src/cli/events.ts';
import { partitionOf } from '../../src/message/partition.ts';
import { type Over, over } from './over.ts';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const event = (address: string, seq: number, type = 'Loaded', data: unknown = { notes: seq }) =>
  JSON.stringify({
    specversion: '1.0',
    id: `${address}:${seq}`,
    type: `cash-location.${type}`,
    subject: address,
    time: '2026-01-31T12:00:00.000Z',
    locusseq: seq,
    locuscommand: `c${seq}`,
    data,
  });
const a = 'cash-location/a';

async function topic(records: readonly (readonly [key: string, value: string])[]): Promise<Over> {
  const it = await over(
    'events',
    records.map(([key, value]) => ({ key, value })),
  );
  ends.push(it.stop);
  return it;
}
async function shown({ replica }: Over, more: Partial<Watching> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const print = (line: string) => void out.push(line);
  const complain = (line: string) => void err.push(line);
  await events(replica, a, { afterSeq: 0, format: 'text', print, complain, ...more });
  return { out, err };
}

it('prints each event of the location once, one a line', async () => {
  const it = await topic([
    [a, event(a, 1)],
    ['cash-location/b', event('cash-location/b', 1)],
    [a, event(a, 2, 'Dispensed', { amount: 60 })],
    [a, event(a, 1)],
    [a, event(a, 2)],
  ]);
  expect(await shown(it)).toEqual({
    out: ['    1  2026-01-31T12:00:00.000Z  Loaded  c1  {"notes":1}', '    2  2026-01-31T12:00:00.000Z  Dispensed  c2  {"amount":60}'],
    err: [],
  });
});

it('prints what lies on the topic with -o json, after a seq', async () => {
  const it = await topic([1, 2, 3].map((seq) => [a, event(a, seq)] as const));
  expect((await shown(it, { afterSeq: 2, format: 'json' })).out).toEqual([event(a, 3)]);
});

it('goes on through more than one part, and misses none where one part ends', async () => {
  const all = Array.from({ length: 1_203 }, (_, n) => [a, event(a, n + 1)] as const);
  // What is no event puts the end of a part into the middle of what the archive read at once.
  const { out, err } = await shown(await topic([[a, '{'], ...all]), { format: 'json' });
  expect([out.length, err]).toEqual([1_203, ['what lies at offset 0 is no event']]);
});

it('says which events have expired, and what is no event', async () => {
  const it = await topic([
    [a, event(a, 1)],
    [a, event(a, 2)],
    [a, event(a, 3)],
    [a, '{'],
    [a, event(a, 5)],
  ]);
  it.truncate('events', partitionOf(a, 4), 2);
  const { out, err } = await shown(it);
  expect(out).toHaveLength(2);
  expect(err).toEqual([
    'what lies at offset 3 is no event',
    'seq 1 to 2 are not on locus.events any more',
    'seq 4 to 4 are not on locus.events any more',
  ]);
});

it('follows: prints what comes, each once, until it is told to end', async () => {
  const it = await topic([[a, event(a, 1)]]);
  const later = [[event(a, 2)], [event(a, 2), event(a, 3)], []];
  const follow = async () => {
    const some = later.shift();
    for (const value of some ?? []) it.lay('events', { key: a, value });
    return some !== undefined;
  };
  expect((await shown(it, { follow, format: 'json' })).out).toEqual([event(a, 1), event(a, 2), event(a, 3)]);
});

it('says so when there is none', async () => {
  expect((await shown(await topic([]))).out).toEqual(['no event of cash-location/a is on locus.events']);
  expect((await shown(await topic([[a, event(a, 1)]]), { afterSeq: 1 })).out).toEqual([
    'no event of cash-location/a after seq 1 is on locus.events',
  ]);
  expect((await shown(await topic([]), { format: 'json' })).out).toEqual([]);
});
