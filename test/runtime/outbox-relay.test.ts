import { expect, it } from 'vitest';
import type { EventText } from '../../src/message/envelope.ts';
import type { LogWriter } from '../../src/ports.ts';
import { OutboxRelay } from '../../src/runtime/outbox-relay.ts';
import { TestClock } from './test-clock.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const eventsOf = (id: string, from: number, to: number): EventText[] =>
  Array.from({ length: to - from + 1 }, (_, n) => ({ address: `till/${id}`, seq: from + n, text: '{}' }));

function setup() {
  const clock = new TestClock();
  const batches: (readonly EventText[])[] = [];
  const failures: Error[] = [];
  const writer = {
    async events(events: readonly EventText[]) {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      batches.push(events);
    },
  } as unknown as LogWriter;
  const relay = new OutboxRelay(writer, clock, { next: () => 0.5, hex: () => '' }, quiet);
  const names = () => batches.map((batch) => batch.map(({ address, seq }) => `${address}:${seq}`));
  return { relay, clock, batches, names, failures };
}

it('publishes what is committed together in one batch, in order, and tells how far it is acknowledged', async () => {
  const { relay, clock, names } = setup();
  const seqs: number[] = [];
  relay.push(eventsOf('T1', 1, 2), (seq) => seqs.push(seq));
  relay.push(eventsOf('T2', 1, 1), () => {});
  relay.push(eventsOf('T1', 3, 3), (seq) => seqs.push(seq));
  expect(relay.depth).toBe(4);
  await clock.run(relay.flushed());
  expect(names()).toEqual([['till/T1:1', 'till/T1:2', 'till/T2:1', 'till/T1:3']]);
  expect([seqs, relay.depth]).toEqual([[2, 3], 0]);
});

it('sends a batch again until it is acknowledged, and nothing behind it before', async () => {
  const { relay, clock, names, failures } = setup();
  failures.push(new Error('away'), new Error('away'), new Error('away'));
  const acknowledged: string[] = [];
  relay.push(eventsOf('T1', 1, 1), () => acknowledged.push('T1'));
  await clock.settle();
  relay.push(eventsOf('T2', 1, 1), () => acknowledged.push('T2'));
  await clock.advance(100);
  expect([names(), acknowledged]).toEqual([[], []]);
  await clock.run(relay.flushed());
  expect([names(), acknowledged]).toEqual([
    [['till/T1:1'], ['till/T2:1']],
    ['T1', 'T2'],
  ]);
});

it('cuts batches between parcels, never within one', async () => {
  const { relay, clock, batches } = setup();
  for (const id of ['T1', 'T2', 'T3']) relay.push(eventsOf(id, 1, 900), () => {});
  relay.push(eventsOf('T4', 1, 2_500), () => {});
  await clock.run(relay.flushed());
  expect(batches.map((batch) => batch.length)).toEqual([1_800, 900, 2_500]);
});

it('publishes what is pushed at the very moment when it runs dry', async () => {
  const { relay, clock, names } = setup();
  relay.push(eventsOf('T1', 1, 1), () => queueMicrotask(() => relay.push(eventsOf('T1', 2, 2), () => {})));
  await clock.settle();
  expect(names()).toEqual([['till/T1:1'], ['till/T1:2']]);
  expect(relay.depth).toBe(0);
});

it('leaves to the next owner what is not published when it is stopped', async () => {
  const { relay, clock, names, failures } = setup();
  failures.push(new Error('away'));
  const acknowledged: number[] = [];
  relay.push(eventsOf('T1', 1, 1), (seq) => acknowledged.push(seq));
  await clock.settle();
  relay.stop();
  await clock.run(relay.flushed());
  expect([names(), acknowledged]).toEqual([[], []]);
});

it('cuts what is sent at once to what a broker takes for one partition', async () => {
  const { relay, clock, batches } = setup();
  const large = Array.from({ length: 2_000 }, (_, n): EventText => ({ address: 'till/T1', seq: n + 1, text: 'ü'.repeat(500) }));
  const seqs: number[] = [];
  relay.push(large, (seq) => seqs.push(seq));
  await clock.run(relay.flushed());
  expect(batches.flat()).toEqual(large);
  for (const batch of batches) expect(batch.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)).toBeLessThan(900_000);
  expect(seqs).toEqual([2_000]);
});
