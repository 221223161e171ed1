/** The cash location, told as stories. */
import { describe, expect, test } from 'vitest';
import { CashLocation } from '../../actors/cash-location/actor.ts';
import type * as messages from '../../actors/cash-location/messages.ts';
import type { CashEvent } from '../../actors/cash-location/messages.ts';
import { emptyLocation } from '../../actors/cash-location/state.ts';
import { given, givenState } from '../kit/given.ts';

const LOADED: CashEvent = { type: 'Loaded', currency: 'USD', notes: { 2000: 10, 5000: 4 } };
const INTENDED: CashEvent = { type: 'DispenseIntended', commandId: 'd-1', currency: 'USD', amount: 6000, notes: { 2000: 3 } };
const DISPENSED: CashEvent = { type: 'Dispensed', commandId: 'd-1', currency: 'USD', amount: 6000, notes: { 2000: 3 }, partial: false };
const ask = { amount: 6000, currency: 'USD' };
const d1 = { commandId: 'd-1' };
const loaded = () => given(CashLocation, [LOADED]);
const intended = () => loaded().when('dispense', ask, d1).gives({ performs: 'dispenseCash' });
const dispensed = () =>
  intended()
    .whenOutside({ status: 'confirmed', result: { status: 'dispensed', notes: { 2000: 3 } } })
    .gives({ reply: { amount: 6000, notes: { 2000: 3 }, partial: false } });
const positionIs = (expected: object) => (state: Parameters<typeof CashLocation.queries.position>[0]) =>
  expect(CashLocation.queries.position(state)).toEqual(expected);

describe('load and count', () => {
  test('a location starts open and empty', () => {
    given(CashLocation).state(positionIs({ open: true, cash: {}, cassettes: {}, inDoubt: [] }));
  });

  test('a load adds notes, per currency', () => {
    loaded()
      .when('load', { currency: 'USD', cassettes: [{ denomination: 2000, count: 5 }] })
      .gives({ events: [{ type: 'Loaded', currency: 'USD', notes: { 2000: 5 } }], reply: { cash: 50_000 } })
      .when('load', { currency: 'EUR', cassettes: [{ denomination: 1000, count: 2 }] })
      .gives({ reply: { cash: 2000 } })
      .state(
        positionIs({
          open: true,
          cash: { USD: 50_000, EUR: 2000 },
          cassettes: { USD: { 2000: 15, 5000: 4 }, EUR: { 1000: 2 } },
          inDoubt: [],
        }),
      );
  });

  test('a count sets what it names, leaves the rest, and answers the differences', () => {
    loaded()
      .when('count', {
        currency: 'USD',
        cassettes: [
          { denomination: 2000, count: 9 },
          { denomination: 1000, count: 2 },
        ],
      })
      .gives({
        events: [{ type: 'Counted', currency: 'USD', notes: { 2000: 9, 1000: 2 }, difference: { 2000: -1, 1000: 2 } }],
        reply: { difference: { 2000: -1, 1000: 2 } },
      })
      .state(positionIs({ open: true, cash: { USD: 40_000 }, cassettes: { USD: { 1000: 2, 2000: 9, 5000: 4 } }, inDoubt: [] }));
  });

  test('a count is refused while a dispense is open, since nobody knows where its notes are', () => {
    intended()
      .when('count', { currency: 'USD', cassettes: [{ denomination: 2000, count: 7 }] })
      .gives({ events: [], refused: 'IN_DOUBT_OPEN', detail: d1 });
  });

  test('a load goes on while a dispense is open', () => {
    intended()
      .when('load', { currency: 'USD', cassettes: [{ denomination: 2000, count: 1 }] })
      .gives({ reply: { cash: 36_000 } });
  });

  test('what would pass a limit is refused', () => {
    const of = (from: number) => [...Array(20)].map((_, i) => ({ denomination: from + i, count: 1 }));
    given(CashLocation)
      .when('load', { currency: 'USD', cassettes: of(1) })
      .gives({ reply: { cash: 210 } })
      .when('load', { currency: 'USD', cassettes: [{ denomination: 21, count: 1 }] })
      .gives({ refused: 'CASSETTES_FULL', detail: { denominationsMax: 20 } })
      .when('count', { currency: 'USD', cassettes: of(2) })
      .gives({ refused: 'CASSETTES_FULL' })
      .when('load', { currency: 'USD', cassettes: [{ denomination: 1, count: Number.MAX_SAFE_INTEGER }] })
      .gives({ refused: 'CASSETTES_FULL', detail: { worthMax: Number.MAX_SAFE_INTEGER } });
    const letters = [...'ABCDEFGHIJKLMNOPQRST'];
    const full = letters.map((it): CashEvent => ({ type: 'Loaded', currency: `AA${it}`, notes: { 1: 1 } }));
    given(CashLocation, full)
      .when('load', { currency: 'ZZZ', cassettes: [{ denomination: 1, count: 1 }] })
      .gives({ refused: 'CASSETTES_FULL', detail: { currenciesMax: 20 } });
  });
});

describe('dispense', () => {
  test('the mix is chosen once and the cash leaves the cassettes with the intent', () => {
    loaded()
      .when('dispense', ask, d1)
      .gives({ events: [INTENDED], performs: 'dispenseCash', order: { currency: 'USD', notes: { 2000: 3 } } })
      .state(
        positionIs({
          open: true,
          cash: { USD: 34_000 },
          cassettes: { USD: { 2000: 7, 5000: 4 } },
          inDoubt: [{ commandId: 'd-1', notes: { 2000: 3 } }],
        }),
      )
      .whenOutside({ status: 'confirmed', result: { status: 'dispensed', notes: { 2000: 3 } } })
      .gives({ events: [DISPENSED], reply: { amount: 6000, notes: { 2000: 3 }, partial: false } })
      .state(positionIs({ open: true, cash: { USD: 34_000 }, cassettes: { USD: { 2000: 7, 5000: 4 } }, inDoubt: [] }));
  });

  test('a repeat gets the first answer and moves nothing', () => {
    dispensed()
      .when('dispense', ask, d1)
      .gives({ events: [DISPENSED], reply: { amount: 6000, notes: { 2000: 3 }, partial: false } })
      .state(positionIs({ open: true, cash: { USD: 34_000 }, cassettes: { USD: { 2000: 7, 5000: 4 } }, inDoubt: [] }));
  });

  test('a partial dispense books what was taken, retracted and rejected; the rest stayed in its cassette', () => {
    loaded()
      .when('dispense', { amount: 18_000, currency: 'USD' }, d1)
      .gives({ performs: 'dispenseCash', order: { currency: 'USD', notes: { 5000: 2, 2000: 4 } } })
      .whenOutside({
        status: 'confirmed',
        result: { status: 'partial', notes: { 5000: 1, 2000: 0 }, retracted: { 2000: 2 }, rejected: { 2000: 1 } },
      })
      .gives({
        events: [
          {
            type: 'Dispensed',
            commandId: 'd-1',
            currency: 'USD',
            amount: 5000,
            notes: { 5000: 1 },
            partial: true,
            retracted: { 2000: 2 },
            rejected: { 2000: 1 },
          },
        ],
        reply: { amount: 5000, notes: { 5000: 1 }, partial: true },
      })
      .state((state) => {
        expect(state).toMatchObject({
          cash: {
            USD: [
              { denomination: 5000, held: 3, taken: 1, retracted: 0, rejected: 0, supplied: 4 },
              { denomination: 2000, held: 7, taken: 0, retracted: 2, rejected: 1, supplied: 10 },
            ],
          },
          dispense: null,
        });
      });
  });

  test('a failed dispense returns the cash to the cassettes', () => {
    intended()
      .whenOutside({ status: 'failed', code: 'JAM' })
      .gives({ events: [{ type: 'DispenseFailed', commandId: 'd-1', code: 'JAM' }], refused: 'DEVICE_FAILED', detail: { code: 'JAM' } })
      .state(positionIs({ open: true, cash: { USD: 40_000 }, cassettes: { USD: { 2000: 10, 5000: 4 } }, inDoubt: [] }));
  });

  test('no answer is doubt, said once, and never a decline; evidence settles it later', () => {
    intended()
      .whenOutside({ status: 'unknown' })
      .gives({ events: [{ type: 'DispenseInDoubt', commandId: 'd-1' }], inDoubt: true })
      .whenOutside({ status: 'unknown' })
      .gives({ events: [], inDoubt: true })
      .when('dispense', ask, { commandId: 'd-2' })
      .gives({ refused: 'IN_DOUBT_OPEN' })
      .whenOutside({ status: 'confirmed', result: { status: 'dispensed', notes: { 2000: 3 } } })
      .gives({ events: [DISPENSED], reply: { amount: 6000, notes: { 2000: 3 }, partial: false } })
      .when('dispense', ask, { commandId: 'd-3' })
      .gives({ performs: 'dispenseCash' });
  });

  test('what cannot be dispensed is refused, and says why', () => {
    loaded()
      .when('dispense', { amount: 40_100, currency: 'USD' })
      .gives({ events: [], refused: 'INSUFFICIENT_CASH', detail: { available: 40_000 } })
      .when('dispense', { amount: 3000, currency: 'USD' })
      .gives({ events: [], refused: 'NOT_DISPENSABLE', detail: { cassettes: { 2000: 10, 5000: 4 } } })
      .when('dispense', { amount: 2000, currency: 'EUR' })
      .gives({ events: [], refused: 'CURRENCY_MISMATCH', detail: { currencies: ['USD'] } });
  });

  test('a location that was emptied has too little, not another currency', () => {
    given(CashLocation, [LOADED, { type: 'Counted', currency: 'USD', notes: { 2000: 0, 5000: 0 }, difference: { 2000: -10, 5000: -4 } }])
      .when('dispense', ask)
      .gives({ refused: 'INSUFFICIENT_CASH', detail: { available: 0 } });
  });

  test('a closed location dispenses nothing until it is opened, but settles what is open', () => {
    intended()
      .when('close', { reason: 'paper jam' })
      .gives({ events: [{ type: 'Closed', reason: 'paper jam' }], reply: {} })
      .whenOutside({ status: 'confirmed', result: { status: 'dispensed', notes: { 2000: 3 } } })
      .gives({ events: [DISPENSED], reply: { amount: 6000, notes: { 2000: 3 }, partial: false } })
      .when('dispense', ask, { commandId: 'd-2' })
      .gives({ events: [], refused: 'OUT_OF_SERVICE' })
      .when('open', {})
      .gives({ events: [{ type: 'Opened' }], reply: {} })
      .when('dispense', ask, { commandId: 'd-3' })
      .gives({ performs: 'dispenseCash' });
  });

  const nonsense: readonly (readonly [string, messages.DispenseResult, RegExp])[] = [
    ['a note that was not ordered', { status: 'partial', notes: { 5000: 1 } }, /notes\[5000\] is 1: ordered were/],
    ['more than was ordered', { status: 'partial', notes: { 2000: 4 } }, /1 notes of 2000 more than the 3 ordered/],
    ['more in all than was ordered', { status: 'partial', notes: { 2000: 2 }, retracted: { 2000: 2 } }, /1 notes of 2000 more/],
    ['a negative count', { status: 'partial', notes: { 2000: -1 } }, /notes\[2000\] is -1/],
    ['a fraction', { status: 'partial', notes: { 2000: 0.5 } }, /notes\[2000\] is 0.5/],
    ['a key of every object', { status: 'partial', notes: { constructor: 1 } as never }, /notes\[constructor\]/],
    ['dispensed, but not all', { status: 'dispensed', notes: { 2000: 2 } }, /says dispensed, with 2 notes of 2000 for 3 ordered/],
  ];
  test.each(nonsense)('evidence that does not add up is not booked: %s', (_, result, message) => {
    intended()
      .whenOutside({ status: 'confirmed', result })
      .breaks(message)
      .state((state) => expect(state.dispense).toMatchObject({ commandId: 'd-1' }));
  });
});

describe('reverse', () => {
  const reverse = { commandId: 'd-1', reason: 'client asked' };

  test('books back what was taken, once, and adds no notes', () => {
    dispensed()
      .when('reverse', reverse)
      .gives({ events: [{ type: 'Reversed', commandId: 'd-1', currency: 'USD', amount: 6000 }], reply: { commandId: 'd-1', amount: 6000 } })
      .state(positionIs({ open: true, cash: { USD: 34_000 }, cassettes: { USD: { 2000: 7, 5000: 4 } }, inDoubt: [] }))
      .when('reverse', reverse, { commandId: 'another' })
      .gives({ events: [], refused: 'ALREADY_REVERSED' });
  });

  test('of a partial dispense is at most what was taken', () => {
    intended()
      .whenOutside({ status: 'confirmed', result: { status: 'partial', notes: { 2000: 1 } } })
      .gives({ reply: { amount: 2000, notes: { 2000: 1 }, partial: true } })
      .when('reverse', reverse)
      .gives({ reply: { commandId: 'd-1', amount: 2000 } });
  });

  test('of an open dispense is noted, and booked with what was taken', () => {
    intended()
      .when('reverse', reverse)
      .gives({ events: [{ type: 'ReversalNoted', commandId: 'd-1' }], reply: { commandId: 'd-1', amount: 0 } })
      .when('reverse', reverse, { commandId: 'another' })
      .gives({ refused: 'ALREADY_REVERSED' })
      .whenOutside({ status: 'unknown' })
      .gives({ inDoubt: true })
      .whenOutside({ status: 'confirmed', result: { status: 'partial', notes: { 2000: 2 } } })
      .gives({
        events: [
          { type: 'Dispensed', commandId: 'd-1', currency: 'USD', amount: 4000, notes: { 2000: 2 }, partial: true },
          { type: 'Reversed', commandId: 'd-1', currency: 'USD', amount: 4000 },
        ],
        reply: { amount: 4000, notes: { 2000: 2 }, partial: true },
      })
      .when('reverse', reverse, { commandId: 'a third' })
      .gives({ refused: 'ALREADY_REVERSED' });
  });

  test('of an open dispense that then fails is booked with nothing', () => {
    intended()
      .when('reverse', reverse)
      .gives({ reply: { commandId: 'd-1', amount: 0 } })
      .whenOutside({ status: 'failed', code: 'JAM' })
      .gives({
        events: [
          { type: 'DispenseFailed', commandId: 'd-1', code: 'JAM' },
          { type: 'Reversed', commandId: 'd-1', currency: 'USD', amount: 0 },
        ],
        refused: 'DEVICE_FAILED',
      });
  });

  test('that overtakes its original refuses it when it comes', () => {
    loaded()
      .when('reverse', reverse)
      .gives({ events: [{ type: 'ReversalNoted', commandId: 'd-1' }], reply: { commandId: 'd-1', amount: 0 } })
      .when('reverse', reverse, { commandId: 'another' })
      .gives({ refused: 'ALREADY_REVERSED' })
      .when('dispense', ask, d1)
      .gives({ events: [], refused: 'REVERSED_BEFORE_ARRIVAL' });
  });

  test.each(['inboxed', 'parked'] as const)('overtakes an original that is %s', (status) => {
    loaded()
      .when('reverse', reverse, { recalled: { 'd-1': { command: 'dispense', status } } })
      .gives({ events: [{ type: 'ReversalNoted', commandId: 'd-1' }], reply: { commandId: 'd-1', amount: 0 } });
  });

  test('of a dispense that was refused is booked with nothing', () => {
    loaded()
      .when('dispense', { amount: 3000, currency: 'USD' }, d1)
      .gives({ refused: 'NOT_DISPENSABLE' })
      .when('reverse', reverse)
      .gives({ events: [{ type: 'Reversed', commandId: 'd-1', amount: 0 }], reply: { commandId: 'd-1', amount: 0 } })
      .when('reverse', reverse, { commandId: 'another' })
      .gives({ refused: 'ALREADY_REVERSED' });
  });

  test('still finds its original by its record when the id itself is long forgotten', () => {
    given(CashLocation, [LOADED, INTENDED, DISPENSED])
      .when('reverse', reverse)
      .gives({ reply: { commandId: 'd-1', amount: 6000 } });
  });

  test('of another kind of command is refused', () => {
    loaded()
      .when('open', {}, d1)
      .gives({ reply: {} })
      .when('reverse', reverse)
      .gives({ events: [], refused: 'UNKNOWN_ORIGINAL', detail: { command: 'open' } })
      .when('reverse', { commandId: 'self' }, { commandId: 'self' })
      .gives({ events: [], refused: 'UNKNOWN_ORIGINAL' });
  });

  test.each(['open', 'done'] as const)('stops when an original that is %s has left no trace', (status) => {
    loaded()
      .when('reverse', reverse, { recalled: { 'd-1': { command: 'dispense', status } } })
      .breaks(/neither the state nor its record/);
  });

  test('ids that every object has as keys are ids like any other', () => {
    loaded()
      .when('dispense', ask, { commandId: '__proto__' })
      .gives({ performs: 'dispenseCash' })
      .whenOutside({ status: 'confirmed', result: { status: 'dispensed', notes: { 2000: 3 } } })
      .gives({ reply: { amount: 6000, notes: { 2000: 3 }, partial: false } })
      .when('reverse', { commandId: '__proto__' })
      .gives({ reply: { commandId: '__proto__', amount: 6000 } })
      .when('reverse', { commandId: 'constructor' })
      .gives({ reply: { commandId: 'constructor', amount: 0 } });
  });
});

describe('invariants', () => {
  const none = { denomination: 2000, held: 0, taken: 0, retracted: 0, rejected: 0, supplied: 0 };
  const hold = (state: object) =>
    Object.entries(CashLocation.invariants ?? {}).flatMap(([rule, holds]) => (holds({ ...emptyLocation(), ...state }) ? [] : [rule]));

  test('name what a broken state breaks', () => {
    expect(hold({})).toEqual([]);
    expect(hold({ cash: { USD: [{ ...none, held: -1, supplied: -1 }] } })).toEqual(['no cassette holds fewer than no notes']);
    const lost = ['what was supplied is in cassettes, taken, retracted, rejected or in doubt'];
    for (const place of ['held', 'taken', 'retracted', 'rejected', 'supplied'])
      expect(hold({ cash: { USD: [{ ...none, [place]: 1 }] } })).toEqual(lost);
    const dispense = { commandId: 'd-1', currency: 'USD', amount: 2000, notes: { 2000: 1 }, inDoubt: false, reversing: false };
    expect(hold({ dispense })).toEqual(lost);
    expect(hold({ cash: { USD: [{ ...none, supplied: 1 }] }, dispense })).toEqual([]);
    expect(hold({ cash: { USD: [{ ...none, supplied: 1 }] }, dispense: { ...dispense, currency: 'EUR' } })).toEqual(lost);
  });

  test('refuse a turn on a state that older events left broken', () => {
    givenState(CashLocation, { ...emptyLocation(), cash: { USD: [{ ...none, held: -1 }] } })
      .when('open', {})
      .breaks(/no cassette holds fewer than no notes/);
  });

  test('an event about another dispense than the open one is never folded', () => {
    expect(() => given(CashLocation, [LOADED, INTENDED, { ...DISPENSED, commandId: 'd-9' }])).toThrow(
      /Dispensed of d-9, but the open dispense is d-1/,
    );
    expect(() => given(CashLocation, [LOADED, DISPENSED])).toThrow(/the open dispense is none/);
  });
});

describe('inputs', () => {
  const cassette = { denomination: 2000, count: 1 };
  const bad: readonly (readonly [keyof typeof CashLocation.commands, unknown, string])[] = [
    ['dispense', { amount: -1, currency: 'USD' }, 'amount'],
    ['dispense', { amount: 0, currency: 'USD' }, 'amount'],
    ['dispense', { amount: 10.5, currency: 'USD' }, 'amount'],
    ['dispense', { amount: 2 ** 53, currency: 'USD' }, 'amount'],
    ['dispense', { amount: '10', currency: 'USD' }, 'amount'],
    ['dispense', { amount: Number.NaN, currency: 'USD' }, 'amount'],
    ['dispense', { amount: 10, currency: 'usd' }, 'currency'],
    ['dispense', { amount: 10, currency: 'USDX' }, 'currency'],
    ['dispense', { amount: 10 }, 'currency'],
    ['dispense', { amount: 10, currency: 'USD', tip: 1 }, ''],
    ['dispense', { amount: 10, currency: 'USD', card: '' }, 'card'],
    ['dispense', [], ''],
    ['load', { currency: 'USD', cassettes: [] }, 'cassettes'],
    ['load', { currency: 'USD', cassettes: [cassette, cassette] }, 'cassettes'],
    ['load', { currency: 'USD', cassettes: [...Array(21)].map((_, i) => ({ denomination: i + 1, count: 1 })) }, 'cassettes'],
    ['load', { currency: 'USD', cassettes: [{ denomination: 2000, count: -1 }] }, 'cassettes.0.count'],
    ['load', { currency: 'USD', cassettes: [{ denomination: 0, count: 1 }] }, 'cassettes.0.denomination'],
    ['load', { currency: 'USD', cassettes: [{ denomination: 2 ** 40, count: 2 ** 40 }] }, 'cassettes'],
    ['count', { currency: 'USD', cassettes: [{ ...cassette, note: 1 }] }, 'cassettes.0'],
    ['reverse', { commandId: 'a b' }, 'commandId'],
    ['reverse', {}, 'commandId'],
    ['open', { now: true }, ''],
    ['close', { reason: 5 }, 'reason'],
  ];
  test.each(bad)('%s refuses %j at %j', async (command, input, field) => {
    const found = await CashLocation.commands[command].input['~standard'].validate(input);
    expect(found.issues?.map((it) => it.path?.join('.') ?? '')).toContain(field);
  });

  test('every input and reply prints JSON Schema, as OpenAPI needs it', () => {
    for (const { input, reply } of Object.values(CashLocation.commands))
      for (const schema of [input, reply])
        expect(schema['~standard'].jsonSchema?.input({ target: 'draft-2020-12' })).toMatchObject({ type: 'object' });
  });
});
