/** Whatever is asked in whatever order, and whatever the device says: no note is lost, and the books balance. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CashLocation } from '../../actors/cash-location/actor.ts';
import { type Cassette, type Notes, notesIn, worth } from '../../actors/cash-location/cassettes.ts';
import { ACCOUNTS, emptyLedger, type Ledger, post } from '../../actors/cash-location/ledger.ts';
import type { CashEvent } from '../../actors/cash-location/messages.ts';
import { type CashState, emptyLocation, evolve } from '../../actors/cash-location/state.ts';
import { type AnyActor, begin, type Evidence, settle, take, type World } from '../kit/world.ts';

const actor = CashLocation as unknown as AnyActor;
type Step =
  | { readonly command: string; readonly input: unknown; readonly commandId: string }
  | { readonly evidence: 'all' | 'some' | 'failed' | 'unknown'; readonly shares: readonly number[] };

const currency = fc.constantFrom('USD', 'EUR');
const commandId = fc.integer({ min: 1, max: 12 }).map((n) => `c-${n}`);
const cassettes = fc
  .dictionary(fc.constantFrom('500', '1000', '2000', '5000'), fc.integer({ min: 0, max: 9 }), { minKeys: 1 })
  .map((all) => Object.entries(all).map(([denomination, count]) => ({ denomination: Number(denomination), count })));
const commands = fc.oneof(
  { weight: 2, arbitrary: fc.record({ command: fc.constant('load'), input: fc.record({ currency, cassettes }), commandId: fc.uuid() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      command: fc.constant('dispense'),
      input: fc.record({ amount: fc.integer({ min: 1, max: 40 }).map((n) => n * 500), currency }),
      commandId,
    }),
  },
  { weight: 3, arbitrary: fc.record({ command: fc.constant('reverse'), input: fc.record({ commandId }), commandId: fc.uuid() }) },
  { weight: 1, arbitrary: fc.record({ command: fc.constant('count'), input: fc.record({ currency, cassettes }), commandId: fc.uuid() }) },
  { weight: 1, arbitrary: fc.record({ command: fc.constantFrom('open', 'close', 'open'), input: fc.constant({}), commandId: fc.uuid() }) },
);
const evidence = fc.record({
  evidence: fc.constantFrom('all', 'some', 'failed', 'unknown'),
  shares: fc.array(fc.nat({ max: 3 }), { minLength: 12, maxLength: 12 }),
});
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof({ weight: 3, arbitrary: commands as fc.Arbitrary<Step> }, { weight: 2, arbitrary: evidence as fc.Arbitrary<Step> }),
  { maxLength: 60 },
);

/** Deals each denomination's notes to taken, retracted, rejected or nowhere (it stayed). */
function evidenceOf(step: Extract<Step, { readonly evidence: string }>, ordered: Notes): Evidence {
  if (step.evidence === 'failed') return { status: 'failed', code: 'JAM' };
  if (step.evidence === 'unknown') return { status: 'unknown' };
  if (step.evidence === 'all') return { status: 'confirmed', result: { status: 'dispensed', notes: ordered } };
  const dealt: [Record<string, number>, Record<string, number>, Record<string, number>] = [{}, {}, {}];
  let at = 0;
  for (const [denomination, count] of Object.entries(ordered))
    for (let note = 0; note < count; note += 1) {
      const share = step.shares[at % step.shares.length] ?? 0;
      at += 1;
      const pile = dealt[share];
      if (pile) pile[denomination] = (pile[denomination] ?? 0) + 1;
    }
  return { status: 'confirmed', result: { status: 'partial', notes: dealt[0], retracted: dealt[1], rejected: dealt[2] } };
}

function run(all: readonly Step[]): World<CashState> {
  let world: World = begin(CashLocation);
  for (const step of all) {
    if ('evidence' in step) {
      const notes = (world.state as CashState).dispense?.notes;
      if (notes) [world] = settle(actor, world, evidenceOf(step, notes));
      continue;
    }
    // The id may be known with another payload, which the runtime refuses before the actor sees it.
    const known = world.known.get(step.commandId);
    if (!known || known.input === JSON.stringify([step.command, step.input])) [world] = take(actor, world, step.command, step.input, step);
  }
  return world as World<CashState>;
}

test('cash is conserved per currency and denomination, counted from the events alone', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const { events, state } = run(all);
      const net = new Map<string, number>();
      const add = (currency: string, notes: Notes, sign: number) => {
        for (const [denomination, count] of Object.entries(notes)) {
          const key = `${currency} ${denomination}`;
          net.set(key, (net.get(key) ?? 0) + sign * count);
        }
      };
      for (const event of events as readonly CashEvent[]) {
        if (event.type === 'Loaded') add(event.currency, event.notes, 1);
        if (event.type === 'Counted') add(event.currency, event.difference, 1);
        if (event.type === 'Dispensed')
          for (const notes of [event.notes, event.retracted ?? {}, event.rejected ?? {}]) add(event.currency, notes, -1);
      }
      for (const [currency, cassettes] of Object.entries(state.cash)) add(currency, notesIn(cassettes), -1);
      if (state.dispense) add(state.dispense.currency, state.dispense.notes, -1);
      expect([...net].filter(([, left]) => left !== 0)).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test('the ledger balances at every event and agrees with the state', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const { events, state } = run(all);
      let ledger: Ledger = emptyLedger;
      for (const event of events as readonly CashEvent[]) {
        ledger = post(ledger, event);
        for (const balances of Object.values(ledger.byCurrency)) expect(ACCOUNTS.reduce((sum, it) => sum + balances[it], 0)).toBe(0);
      }
      for (const [currency, balances] of Object.entries(ledger.byCurrency)) {
        const inDoubt = state.dispense?.currency === currency ? worth(state.dispense.notes) : 0;
        const worthOf = (place: Exclude<keyof Cassette, 'denomination'>) =>
          (state.cash[currency] ?? []).reduce((sum, it) => sum + it.denomination * it[place], 0);
        expect(balances).toMatchObject({
          vault: worthOf('held'),
          taken: worthOf('taken'),
          retracted: worthOf('retracted'),
          rejected: worthOf('rejected'),
          inDoubt,
        });
        expect(balances.receivable + balances.reversed).toBe(balances.taken);
        expect(Math.min(balances.receivable, balances.reversed)).toBeGreaterThanOrEqual(0);
      }
    }),
    { numRuns: 500 },
  );
});

test('the state is the fold of its events, and survives being written as JSON', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const { events, state } = run(all);
      const events2 = JSON.parse(JSON.stringify(events)) as readonly CashEvent[];
      expect(events2.reduce<CashState>((it, event) => JSON.parse(JSON.stringify(evolve(it, event))), emptyLocation())).toEqual(state);
    }),
  );
});

test('no dispense is reversed twice, nor beyond what was taken', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const events = run(all).events as readonly CashEvent[];
      for (const reversed of events.filter((it) => it.type === 'Reversed')) {
        expect(events.filter((it) => it.type === 'Reversed' && it.commandId === reversed.commandId)).toHaveLength(1);
        const original = events.find((it) => it.type === 'Dispensed' && it.commandId === reversed.commandId);
        expect(reversed.amount).toBe(original?.type === 'Dispensed' ? original.amount : 0);
      }
    }),
    { numRuns: 500 },
  );
});

test('an entry that does not balance, or evidence without an intent, is a fault', () => {
  expect(() => post(emptyLedger, { type: 'DispenseFailed', commandId: 'd', code: 'JAM' })).toThrow(/no open intent/);
});
