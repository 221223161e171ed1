import { describe, expect, test } from 'vitest';
import type { MakeChecker } from '../../happening.ts';
import { committed, type Event, hash, moved, play, promised, type Scene, sent } from '../stage.ts';
import { decisionsAreTrue } from './decisions.ts';
import { evidenceSettles } from './i07-evidence.ts';
import { cashIsConserved } from './i12-cash.ts';
import { ledgerBalances } from './i13-ledger.ts';
import { fewestNotes } from './note-mix.ts';

const bring = {
  currency: 'USD',
  cassettes: [
    { denomination: 2000, count: 3 },
    { denomination: 5000, count: 1 },
  ],
};
const notes = { 2000: 3, 5000: 1 };
const cash = 11_000;
const load = sent({ id: 'l', name: 'load', input: bring });
const loadHash = hash({ name: 'load', input: bring });
const ask = { amount: 6_000, currency: 'USD' };
const dispense = sent({ id: 'c', name: 'dispense', input: ask, offset: 1 });
const dispenseHash = hash({ name: 'dispense', input: ask });

const loaded = (more: object = {}): Event => ({
  type: 'Loaded',
  of: 'l',
  data: { currency: 'USD', notes },
  reply: { status: 'done', reply: { cash }, seq: 1 },
  input: loadHash,
  ...more,
});
const intended = (its: object = { 2000: 3 }, more: object = {}): Event => ({
  type: 'DispenseIntended',
  data: { commandId: 'c', currency: 'USD', amount: 6_000, notes: its, ...more },
});
const dispensed = (its: object = { 2000: 3 }, more: object = {}): Event => ({
  type: 'Dispensed',
  data: { commandId: 'c', currency: 'USD', amount: 6_000, notes: its, partial: false, ...more },
});
const failed: Event = { type: 'DispenseFailed', data: { commandId: 'c', code: 'X' } };
const reversed = (amount: number): Event => ({ type: 'Reversed', of: 'r', data: { commandId: 'c', currency: 'USD', amount } });
const refused = (code: string, detail: object = {}): Event => ({
  type: 'Refused',
  data: { commandId: 'c', code },
  reply: { status: 'refused', code, detail, seq: 2 },
  input: dispenseHash,
});
const all = (...events: readonly Event[]) => committed({ events, entries: [{ id: 'l', status: 'done', hash: loadHash }] });
const handedOut = moved({ ordered: { 2000: 3 }, notes: { 2000: 3 } });

const scenes: readonly (readonly [string, MakeChecker, Readonly<Record<string, Scene>>, Readonly<Record<string, Scene>>])[] = [
  [
    'I7',
    evidenceSettles,
    {
      'settled as the device did it': [handedOut, all(dispensed())],
      'failed after the promise': [promised(), all(failed)],
      'failed as it was jammed': [moved({ notes: {}, status: 'failed' }), all(failed)],
      'evidence that nobody can book': [handedOut, all({ type: 'EffectUnbooked' })],
    },
    {
      'failed without an answer': [all(failed)],
      'failed, though cash was moved': [handedOut, all(failed)],
      'failed, and cash is moved later': [promised(), all(failed), handedOut],
      'settled without the device': [all(dispensed())],
      'settled with other notes': [handedOut, all(dispensed({ 2000: 2 }))],
      'cash that is nowhere booked': [handedOut],
    },
  ],
  [
    'I12',
    cashIsConserved,
    {
      'brought, and handed out': [load, all(loaded(), intended(), dispensed())],
      'brought, and handed out in part': [load, all(loaded(), intended(), dispensed({ 2000: 2 }, { rejected: { 2000: 1 } }))],
    },
    {
      'brought by nobody': [all(loaded())],
      'more than there is': [load, all(loaded(), intended({ 2000: 4 }))],
      'two at a time': [load, all(loaded(), intended(), { ...intended(), data: { ...intended().data, commandId: 'd' } })],
      'settled without an intent': [load, all(loaded(), dispensed())],
      'counted with a wrong difference': [
        sent({ id: 'l', name: 'count', input: bring }),
        committed({
          events: [{ type: 'Counted', of: 'l', data: { currency: 'USD', notes, difference: {} } }],
          entries: [{ id: 'l', status: 'done', hash: hash({ name: 'count', input: bring }) }],
        }),
      ],
    },
  ],
  [
    'I13',
    ledgerBalances,
    {
      'taken, and taken back': [all(loaded(), intended(), dispensed(), reversed(6_000))],
      'failed, with nothing to take back': [all(loaded(), intended(), failed, reversed(0))],
    },
    {
      'taken back twice': [all(loaded(), intended(), dispensed(), reversed(6_000), reversed(6_000))],
      'taken back in excess': [all(loaded(), intended(), dispensed({ 2000: 2 }, { amount: 4_000 }), reversed(6_000))],
      'an amount that its notes are not worth': [all(loaded(), intended({ 2000: 2 }))],
      'a vault below nothing': [all(intended())],
    },
  ],
  [
    'decisions',
    decisionsAreTrue,
    {
      'the smallest mix, as there is no other': [load, dispense, all(loaded(), intended())],
      'a true refusal': [
        load,
        sent({ id: 'c', name: 'dispense', input: ask, offset: 1 }),
        all({ type: 'Closed' }, refused('OUT_OF_SERVICE')),
      ],
    },
    {
      'a larger mix': [
        load,
        dispense,
        all(loaded({ data: { currency: 'USD', notes: { 2000: 3, 3000: 2 } }, reply: undefined }), intended()),
      ],
      'out of service, and yet': [load, dispense, all(loaded(), { type: 'Closed' }, intended())],
      'refused for want of cash that is there': [load, dispense, all(loaded(), refused('INSUFFICIENT_CASH'))],
      'refused for want of notes that are there': [load, dispense, all(loaded(), refused('NOT_DISPENSABLE'))],
      'a reply that does not add up': [load, all(loaded({ reply: { status: 'done', reply: { cash: 1 }, seq: 1 } }))],
    },
  ],
];

describe.each(scenes)('the checker of %s for cash', (name, make, sound, broken) => {
  test.each(Object.entries(sound))('lets pass: %s', (_, scene) => expect(() => play(make, scene)).not.toThrow());
  test.each(Object.entries(broken))('catches: %s', (_, scene) => expect(() => play(make, scene)).toThrow(`${name}: `));
});

test('the fewest notes are counted, not grabbed', () => {
  const usd = stock([5_000, 1], [2_000, 3]);
  expect(fewestNotes(6_000, usd)).toBe(3);
  expect(fewestNotes(3_000, stock([2_500, 2], [1_000, 3], [100, 9]))).toBe(3);
  expect(fewestNotes(7_000, usd)).toBe(2);
  expect(fewestNotes(3_000, usd)).toBe(Number.POSITIVE_INFINITY);
  expect(fewestNotes(1_000_001, stock([1, 2_000_000]))).toBeUndefined();
});
const stock = (...held: readonly (readonly [number, number])[]) => held.map(([denomination, count]) => ({ denomination, held: count }));
