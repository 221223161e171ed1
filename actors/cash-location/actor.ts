/** A place that holds and hands out cash: a cash machine, a teller's till, a branch vault. */
import type { z } from 'zod';
import { accept, defineActor, effect, refuse, type Turn } from '../../src/actor.ts';
import { DENOMINATIONS_MAX, type Notes, plus, replaced, worth } from './cassettes.ts';
import { decideDispense, settleDispense } from './dispense.ts';
import type { CashEvent, DispenseOrder, DispenseResult, OriginalRecord } from './messages.ts';
import * as messages from './messages.ts';
import { type CashState, emptyLocation, evolve } from './state.ts';

const DAY_MS = 86_400_000;
const REVERSAL_WINDOW_MS = 180 * DAY_MS;
const CURRENCIES_MAX = 20;

export const CashLocation = defineActor<CashState, CashEvent>()({
  type: 'cash-location',
  version: 1,
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
  records: { keepMs: REVERSAL_WINDOW_MS, of: recordsOf },
  invariants: {
    'no cassette holds fewer than no notes': (state) => all(state.cassettes, (count) => count >= 0),
    'what was supplied is in cassettes, taken, retracted, rejected or in doubt': isConserved,
    'an open dispense is worth what it is for': ({ dispense }) => dispense === null || worth(dispense.notes) === dispense.amount,
  },
});

function decideLoad(state: CashState, input: z.output<typeof messages.LoadInput>) {
  const notes = byDenomination(input.cassettes);
  const after = plus(state.cassettes[input.currency] ?? {}, notes);
  const limit = limitPassed(state, input.currency, after);
  if (limit) return refuse('CASSETTES_FULL', limit);
  return accept([{ type: 'Loaded', currency: input.currency, notes }], { cash: worth(after) });
}

function decideCount(state: CashState, input: z.output<typeof messages.CountInput>) {
  if (state.dispense) return refuse('IN_DOUBT_OPEN', { commandId: state.dispense.commandId });
  const { currency } = input;
  const notes = byDenomination(input.cassettes);
  const booked = state.cassettes[currency] ?? {};
  const limit = limitPassed(state, currency, replaced(booked, notes));
  if (limit) return refuse('CASSETTES_FULL', limit);
  const difference = Object.fromEntries(
    Object.entries(notes)
      .map(([denomination, count]) => [denomination, count - (booked[denomination] ?? 0)] as const)
      .filter(([, off]) => off !== 0),
  );
  return accept([{ type: 'Counted', currency, notes, difference }], { difference });
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
function position({ open, cassettes, dispense }: CashState) {
  const cash = Object.fromEntries(Object.entries(cassettes).map(([currency, notes]) => [currency, worth(notes)]));
  return { open, cash, cassettes, inDoubt: dispense ? [{ commandId: dispense.commandId, notes: dispense.notes }] : [] };
}

function isConserved({ supplied, cassettes, taken, retracted, rejected, dispense }: CashState): boolean {
  const places = [cassettes, taken, retracted, rejected];
  const isSupplied = (count: number, currency: string, denomination: string) =>
    count === 0 || supplied[currency]?.[denomination] !== undefined;
  if (!places.every((it) => all(it, isSupplied))) return false;
  if (dispense && !all({ [dispense.currency]: dispense.notes }, isSupplied)) return false;
  return all(supplied, (count, currency, denomination) => {
    let found = dispense?.currency === currency ? (dispense.notes[denomination] ?? 0) : 0;
    for (const it of places) found += it[currency]?.[denomination] ?? 0;
    return count === found;
  });
}

/** `for … in`, since this runs after every turn: entries would be made for each note of each place. */
function all(
  byCurrency: Readonly<Record<string, Notes>>,
  holds: (count: number, currency: string, denomination: string) => boolean,
): boolean {
  for (const currency in byCurrency) {
    const notes = byCurrency[currency] ?? {};
    for (const denomination in notes) if (!holds(notes[denomination] ?? 0, currency, denomination)) return false;
  }
  return true;
}

function limitPassed(state: CashState, currency: string, after: Notes): object | undefined {
  if (Object.keys(after).length > DENOMINATIONS_MAX) return { denominationsMax: DENOMINATIONS_MAX };
  if (!Number.isSafeInteger(worth(after))) return { worthMax: Number.MAX_SAFE_INTEGER };
  const isNew = state.cassettes[currency] === undefined;
  return isNew && Object.keys(state.cassettes).length >= CURRENCIES_MAX ? { currenciesMax: CURRENCIES_MAX } : undefined;
}

function byDenomination(cassettes: readonly { readonly denomination: number; readonly count: number }[]): Notes {
  const largestFirst = [...cassettes].sort((a, b) => b.denomination - a.denomination);
  return Object.fromEntries(largestFirst.map(({ denomination, count }) => [String(denomination), count]));
}
