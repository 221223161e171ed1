/** A place that holds and hands out cash: a cash machine, a teller's till, a branch vault. */
import type { z } from 'zod';
import { accept, defineActor, effect, refuse, type Turn } from '../../src/actor.ts';
import { type Cassette, cashIn, DENOMINATIONS_MAX, NONE, type Notes, notesIn, worth } from './cassettes.ts';
import { decideDispense, settleDispense } from './dispense.ts';
import type { CashEvent, DispenseOrder, DispenseResult, OriginalRecord } from './messages.ts';
import * as messages from './messages.ts';
import { type CashState, emptyLocation, evolve, fromVersion1 } from './state.ts';

const DAY_MS = 86_400_000;
const REVERSAL_WINDOW_MS = 180 * DAY_MS;
const CURRENCIES_MAX = 20;

export const CashLocation = defineActor<CashState, CashEvent>()({
  type: 'cash-location',
  version: 2,
  initial: () => emptyLocation(),
  evolve,
  refusals: [
    'INSUFFICIENT_CASH',
    'NOT_DISPENSABLE',
    'CURRENCY_MISMATCH',
    'OUT_OF_SERVICE',
    'IN_DOUBT_OPEN',
    'DEVICE_FAILED',
    'UNKNOWN_ORIGINAL',
    'ALREADY_REVERSED',
    'REVERSED_BEFORE_ARRIVAL',
    'CASSETTES_FULL',
  ],
  effects: { dispenseCash: effect<DispenseOrder, DispenseResult>({ timeoutMs: 20_000 }) },
  commands: {
    load: { input: messages.LoadInput, reply: messages.LoadReply, lane: 'customer', decide: decideLoad },
    dispense: {
      input: messages.DispenseInput,
      reply: messages.DispenseReply,
      lane: 'customer',
      present: true,
      // Its own id: a reversal that overtook it left its mark there.
      recall: (_input, commandId) => [commandId],
      decide: decideDispense,
      settle: settleDispense,
    },
    reverse: {
      input: messages.ReverseInput,
      reply: messages.ReverseReply,
      lane: 'customer',
      recall: (input) => [input.commandId],
      decide: decideReverse,
    },
    count: { input: messages.CountInput, reply: messages.CountReply, lane: 'customer', decide: decideCount },
    open: { input: messages.OpenInput, reply: messages.Nothing, lane: 'customer', decide: () => accept([{ type: 'Opened' }], {}) },
    close: {
      input: messages.CloseInput,
      reply: messages.Nothing,
      lane: 'customer',
      decide: (_state, { reason }) => accept([{ type: 'Closed', ...(reason !== undefined && { reason }) }], {}),
    },
  },
  queries: { position },
  migrate: { 1: fromVersion1 },
  records: { keepMs: REVERSAL_WINDOW_MS, of: recordsOf },
  invariants: {
    'no cassette holds fewer than no notes': isNowhereNegative,
    'what was supplied is in cassettes, taken, retracted, rejected or in doubt': isConserved,
    'an open dispense is worth what it is for': ({ dispense }) => dispense === null || worth(dispense.notes) === dispense.amount,
  },
});

function decideLoad(state: CashState, input: z.output<typeof messages.LoadInput>) {
  const { currency } = input;
  const event = { type: 'Loaded', currency, notes: byDenomination(input.cassettes) } as const;
  const after = evolve(state, event);
  const limit = limitPassed(after, currency);
  return limit ? refuse('CASSETTES_FULL', limit) : accept([event], { cash: cashIn(after.cash[currency] ?? []) });
}

function decideCount(state: CashState, input: z.output<typeof messages.CountInput>) {
  if (state.dispense) return refuse('IN_DOUBT_OPEN', { commandId: state.dispense.commandId });
  const { currency } = input;
  const notes = byDenomination(input.cassettes);
  const held = notesIn(state.cash[currency] ?? []);
  const difference = Object.fromEntries(
    Object.entries(notes)
      .map(([denomination, count]) => [denomination, count - (held[denomination] ?? 0)] as const)
      .filter(([, off]) => off !== 0),
  );
  const event = { type: 'Counted', currency, notes, difference } as const;
  const limit = limitPassed(evolve(state, event), currency);
  return limit ? refuse('CASSETTES_FULL', limit) : accept([event], { difference });
}

/** Touches what the holder owes, never the notes. At most once per original, and at most what was taken. */
function decideReverse(state: CashState, { commandId }: z.output<typeof messages.ReverseInput>, turn: Turn) {
  if (commandId === turn.commandId) return refuse('UNKNOWN_ORIGINAL', { command: 'reverse' });
  if (state.dispense?.commandId === commandId)
    return state.dispense.reversing ? refuse('ALREADY_REVERSED') : accept([{ type: 'ReversalNoted', commandId }], { commandId, amount: 0 });

  const original = turn.recalled.get(commandId) ?? {};
  const record = original.record as OriginalRecord | undefined;
  if (record?.reversed) return refuse('ALREADY_REVERSED');
  if (record) {
    const { currency, amount } = record;
    return accept([{ type: 'Reversed', commandId, currency, amount }], { commandId, amount });
  }
  if (original.command !== undefined && original.command !== 'dispense') return refuse('UNKNOWN_ORIGINAL', { command: original.command });
  // Refused, so nothing was taken; else not decided yet or never heard of, and the mark refuses it when it comes.
  if (original.status === 'refused') return accept([{ type: 'Reversed', commandId, amount: 0 }], { commandId, amount: 0 });
  if (original.status === 'open' || original.status === 'done')
    throw new Error(`the dispense ${commandId} is ${original.status}, but neither the state nor its record knows it`);
  return accept([{ type: 'ReversalNoted', commandId }], { commandId, amount: 0 });
}

function recordsOf(event: CashEvent): readonly { readonly commandId: string; readonly value: OriginalRecord }[] {
  switch (event.type) {
    case 'Dispensed':
      return [{ commandId: event.commandId, value: { reversed: false, currency: event.currency, amount: event.amount } }];
    case 'Reversed':
    case 'ReversalNoted':
      return [{ commandId: event.commandId, value: { reversed: true } }];
    default:
      return [];
  }
}

/** Cash and cassettes leave out what is in doubt, and that is every dispense without evidence, even one that is under way. */
function position({ open, cash, dispense }: CashState) {
  const each = <T>(of: (cassettes: readonly Cassette[]) => T) =>
    Object.fromEntries(Object.entries(cash).map(([currency, cassettes]) => [currency, of(cassettes)]));
  const inDoubt = dispense ? [{ commandId: dispense.commandId, notes: dispense.notes }] : [];
  return { open, cash: each(cashIn), cassettes: each(notesIn), inDoubt };
}

function isNowhereNegative({ cash }: CashState): boolean {
  for (const currency in cash) for (const { held } of cash[currency] ?? []) if (held < 0) return false;
  return true;
}

function isConserved({ cash, dispense }: CashState): boolean {
  for (const currency in cash) {
    const inDoubt = dispense?.currency === currency ? dispense.notes : NONE;
    for (const { denomination, held, taken, retracted, rejected, supplied } of cash[currency] ?? [])
      if (held + taken + retracted + rejected + (inDoubt[denomination] ?? 0) !== supplied) return false;
  }
  if (dispense === null) return true;
  const cassettes = cash[dispense.currency] ?? [];
  for (const name in dispense.notes) if (!cassettes.some(({ denomination }) => denomination === Number(name))) return false;
  return true;
}

/** Of the state as it would be. */
function limitPassed({ cash }: CashState, currency: string): object | undefined {
  const cassettes = cash[currency] ?? [];
  if (cassettes.length > DENOMINATIONS_MAX) return { denominationsMax: DENOMINATIONS_MAX };
  if (!Number.isSafeInteger(cashIn(cassettes))) return { worthMax: Number.MAX_SAFE_INTEGER };
  return Object.keys(cash).length > CURRENCIES_MAX ? { currenciesMax: CURRENCIES_MAX } : undefined;
}

function byDenomination(cassettes: readonly { readonly denomination: number; readonly count: number }[]): Notes {
  const largestFirst = [...cassettes].sort((a, b) => b.denomination - a.denomination);
  return Object.fromEntries(largestFirst.map(({ denomination, count }) => [String(denomination), count]));
}
