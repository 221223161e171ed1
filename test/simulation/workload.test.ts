import { expect, test } from 'vitest';
import { chance } from './chance.ts';
import { cashDeck } from './deck-cash.ts';
import { parkingDeck } from './deck-parking.ts';
import type { Step } from './step.ts';
import { workload } from './workload.ts';

const decks = [
  [0.85, cashDeck],
  [0.15, parkingDeck],
] as const;
function steps(seed: number, count: number): readonly Step[] {
  const all: Step[] = [];
  for (const step of workload(chance(seed), { decks, partitions: 3 })) if (all.push(step) === count) break;
  return all;
}

test('a workload is the same for the same seed, and another for another', () => {
  expect(steps(7, 500)).toEqual(steps(7, 500));
  expect(steps(7, 500)).not.toEqual(steps(8, 500));
});

test('two thousand steps take more than twelve minutes, in order, with some of everything', () => {
  const all = steps(1, 2_000);
  expect(all.every((step, n) => n === 0 || step.atMs >= (all[n - 1] as Step).atMs)).toBe(true);
  expect(all.at(-1)?.atMs).toBeGreaterThan(12 * 60_000);
  const has = (what: (step: Step) => boolean) => all.filter(what).length;
  for (const kind of ['record', 'call', 'read', 'act']) expect(has((step) => step.do === kind)).toBeGreaterThan(20);
  expect(has((step) => step.do === 'record' && step.topic === 'bulk')).toBeGreaterThan(50);
  expect(has((step) => step.do === 'record' && step.partition !== undefined)).toBeGreaterThan(10);
  expect(has((step) => step.do === 'record' && (step.key === null || step.value === null))).toBeGreaterThan(2);
  expect(has((step) => step.do === 'call' && step.ifSeq === 'as-read')).toBeGreaterThan(20);
  for (const name of ['load', 'dispense', 'reverse', 'count', 'open', 'close', 'reserve', 'park', 'leave'])
    expect(has((step) => step.do === 'call' && step.name === name)).toBeGreaterThan(0);
});

test('some commands are sent again, some under the id of another, and some are reversed before they are sent', () => {
  const calls = steps(2, 4_000).filter((step) => step.do === 'call');
  const payloads = new Map<string, Set<string>>();
  let repeats = 0;
  for (const { address, commandId, name, input } of calls) {
    const seen = payloads.get(`${address} ${commandId}`) ?? new Set();
    const payload = JSON.stringify([name, input]);
    if (seen.has(payload)) repeats++;
    payloads.set(`${address} ${commandId}`, seen.add(payload));
  }
  expect(repeats).toBeGreaterThan(20);
  expect([...payloads.values()].some((seen) => seen.size > 1)).toBe(true);
  const at = new Map(calls.map(({ commandId }, n) => [commandId, n]));
  const early = calls.some((call, n) => call.name === 'reverse' && (at.get((call.input as { commandId: string }).commandId) ?? 0) > n);
  expect(early).toBe(true);
});
