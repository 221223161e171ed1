/** The kit itself: it holds an actor to what the runtime will hold it to. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { CashLocation } from '../../actors/cash-location/actor.ts';
import { accept, bind, defineActor, doubt, effect, perform, refuse } from '../../src/actor.ts';
import { inMemory } from './at.ts';
import { given } from './given.ts';

type State = { readonly n: number };
const Counter = defineActor<State, { readonly type: 'Added'; readonly n: number }>()({
  type: 'counter',
  version: 1,
  initial: () => ({ n: 0 }),
  evolve: (state, event) => ({ n: state.n + event.n }),
  refusals: ['TOO_MUCH'],
  effects: { call: effect<{ readonly n: number }, number>({ timeoutMs: 1 }) },
  invariants: { 'n stays below 10': (state) => state.n < 10 },
  commands: {
    add: {
      input: z.strictObject({ n: z.int() }),
      reply: z.strictObject({ n: z.int() }),
      decide: (state, { n }) => (n > 100 ? refuse('TOO_MUCH', { n }) : accept([{ type: 'Added', n }], { n: state.n + n })),
    },
    mutate: {
      input: z.strictObject({}),
      reply: z.strictObject({}),
      decide: (state) => {
        (state as { n: number }).n = 5;
        return accept([], {});
      },
    },
    call: {
      input: z.strictObject({}),
      reply: z.strictObject({ n: z.int() }),
      decide: () => perform([], 'call', { n: 1 }),
      settle: (_state, outcome) => (outcome.status === 'confirmed' ? accept([], { n: outcome.result }) : doubt([])),
    },
  },
});

test('tells a wrong expectation apart, and says how it came to it', () => {
  const story = given(Counter, [{ type: 'Added', n: 1 }]).when('add', { n: 2 });
  story.gives({ events: [{ type: 'Added', n: 2 }], reply: { n: 3 } });
  expect(() => story.gives({ reply: { n: 4 } })).toThrow(/given Added\s+when add {"n":2}/);
  expect(() => story.gives({ events: [], reply: { n: 3 } })).toThrow();
  expect(() => story.gives({ refused: 'TOO_MUCH' })).toThrow();
  expect(() =>
    given(Counter)
      .when('add', { n: 101 })
      .gives({ reply: { n: 101 } }),
  ).toThrow(/TOO_MUCH/);
});

test('refuses what breaks an invariant, an input that fits no schema, and a state that is changed in place', () => {
  given(Counter)
    .when('add', { n: 10 })
    .breaks(/broke the invariant "n stays below 10"/);
  given(Counter)
    .when('add', { n: 1.5 })
    .breaks(/the input of add {"n":1.5} does not fit its schema: n: /);
  given(Counter)
    .when('mutate', {})
    .breaks(/decide of mutate threw: Cannot assign to read only property/);
});

test('holds settle to doubt for unknown, and only for it', () => {
  const open = given(Counter)
    .when('call', {})
    .gives({ performs: 'call', order: { n: 1 } });
  open.whenOutside({ status: 'failed', code: 'X' }).breaks(/answered doubt to failed/);
  open
    .whenOutside({ status: 'unknown' })
    .gives({ inDoubt: true })
    .whenOutside({ status: 'confirmed', result: 7 })
    .gives({ reply: { n: 7 } });
  open.when('call', {}).gives({ refused: 'IN_DOUBT_OPEN' });
});

test('hands out an At: the same calls that a client of the fleet makes', async () => {
  let says: 'dispensed' | 'nothing' = 'dispensed';
  const run = async (order: { readonly notes: Readonly<Record<string, number>> }) => {
    if (says === 'nothing') throw new Error('no answer');
    return { status: 'confirmed', result: { status: 'dispensed', notes: order.notes } } as const;
  };
  const { at } = inMemory(bind(CashLocation, { dispenseCash: { run, probe: async () => ({ status: 'unknown' }) } }));
  const atm = at(CashLocation, 'ATM-1');
  await atm.load({ currency: 'USD', cassettes: [{ denomination: 2000, count: 2 }] });
  const first = await atm.dispense({ amount: 2000, currency: 'USD' }, { commandId: 'd-1' });
  expect(first).toMatchObject({ status: 'done', reply: { amount: 2000, notes: { 2000: 1 }, partial: false } });
  expect(await atm.dispense({ amount: 2000, currency: 'USD' }, { commandId: 'd-1' })).toEqual(first);
  expect(await atm.dispense({ amount: 4000, currency: 'USD' }, { commandId: 'd-1' })).toEqual({ status: 'id-reused' });
  expect(await at(CashLocation, 'ATM-2').dispense({ amount: 1, currency: 'USD' })).toMatchObject({ code: 'CURRENCY_MISMATCH' });
  says = 'nothing';
  expect(await atm.dispense({ amount: 2000, currency: 'USD' }, { commandId: 'd-2' })).toEqual({ status: 'in-doubt', commandId: 'd-2' });
});
