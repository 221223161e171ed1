/** What `locus events` makes of an events topic: only this location's, each once, and what is missing is said. */
import { expect, it } from 'vitest';
import { events, type Reader } from '../../src/cli/events.ts';
import { partitionOf } from '../../src/message/partition.ts';
import type { LogRecord } from '../../src/ports.ts';

const PARTITIONS = 12;
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

/** A topic whose records lie where their key places them. */
function topic(records: readonly (readonly [key: string, value: string])[]): Reader {
  return async ({ among, take }) => {
    const asked = new Set(among?.(PARTITIONS));
    records.forEach(([key, value], offset) => {
      const partition = partitionOf(key, PARTITIONS);
      const record: LogRecord = {
        topic: 'locus.events',
        partition,
        offset,
        key: Buffer.from(key),
        value: Buffer.from(value),
        headers: {},
        appendedMs: 0,
      };
      if (asked.has(partition)) take(record);
    });
  };
}
async function shown(reader: Reader, more: { readonly afterSeq?: number; readonly format?: 'text' | 'json' } = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const print = (line: string) => void out.push(line);
  const complain = (line: string) => void err.push(line);
  await events(reader, 'cash-location/a', {
    topic: 'locus.events',
    afterSeq: 0,
    format: 'text',
    follow: undefined,
    print,
    complain,
    ...more,
  });
  return { out, err };
}
const a = 'cash-location/a';

it('prints each event of the location once, one a line', async () => {
  const records = [
    [a, event(a, 1)],
    ['cash-location/b', event('cash-location/b', 1)],
    [a, event(a, 2, 'Dispensed', { amount: 60 })],
    [a, event(a, 1)],
    [a, event(a, 2)],
  ] as const;
  expect(await shown(topic(records))).toEqual({
    out: ['    1  2026-01-31T12:00:00.000Z  Loaded  c1  {"notes":1}', '    2  2026-01-31T12:00:00.000Z  Dispensed  c2  {"amount":60}'],
    err: [],
  });
});

it('prints what lies on the topic with -o json, after a seq', async () => {
  const records = [1, 2, 3].map((seq) => [a, event(a, seq)] as const);
  expect((await shown(topic(records), { afterSeq: 2, format: 'json' })).out).toEqual([event(a, 3)]);
});

it('says which events have expired, and what is no event', async () => {
  const records = [
    [a, event(a, 3)],
    [a, '{'],
    [a, event(a, 5)],
  ] as const;
  const { out, err } = await shown(topic(records));
  expect(out).toHaveLength(2);
  expect(err).toEqual([
    'seq 1 to 2 are not on locus.events any more',
    'what lies at offset 1 is no event',
    'seq 4 to 4 are not on locus.events any more',
  ]);
});

it('says so when there is none', async () => {
  expect((await shown(topic([]))).out).toEqual(['no event of cash-location/a is on locus.events']);
  expect((await shown(topic([[a, event(a, 1)]]), { afterSeq: 1 })).out).toEqual([
    'no event of cash-location/a after seq 1 is on locus.events',
  ]);
  expect((await shown(topic([]), { format: 'json' })).out).toEqual([]);
});
