/** The dispense: what may be ordered from the device, and what its evidence is allowed to say. */
import type { z } from 'zod';
import { accept, doubt, type Effect, type Outcome, perform, refuse, refuseWith, type Turn } from '../../src/actor.ts';
import { cashIn, NONE, type Notes, notesFor, notesIn, remaining, worth } from './cassettes.ts';
import type { CashEvent, DispenseInput, DispenseOrder, DispenseResult, OriginalRecord } from './messages.ts';
import type { CashState, OpenDispense } from './state.ts';

type Evidence = Outcome<{ readonly dispenseCash: Effect<DispenseOrder, DispenseResult> }>;

export function decideDispense(state: CashState, { amount, currency }: z.output<typeof DispenseInput>, turn: Turn) {
  const { commandId } = turn;
  const record = turn.recalled.get(commandId)?.record as OriginalRecord | undefined;
  if (record?.reversed) return refuse('REVERSED_BEFORE_ARRIVAL');
  if (!state.open) return refuse('OUT_OF_SERVICE');
  if (state.dispense) return refuse('IN_DOUBT_OPEN', { commandId: state.dispense.commandId });
  const cassettes = state.cash[currency];
  if (!cassettes) return refuse('CURRENCY_MISMATCH', { currencies: Object.keys(state.cash) });
  const available = cashIn(cassettes);
  if (amount > available) return refuse('INSUFFICIENT_CASH', { available });
  const notes = notesFor(amount, cassettes);
  if (!notes) return refuse('NOT_DISPENSABLE', { cassettes: notesIn(cassettes) });
  return perform([{ type: 'DispenseIntended', commandId, currency, amount, notes }], 'dispenseCash', { currency, notes });
}

export function settleDispense(state: CashState, outcome: Evidence, turn: Turn) {
  const { commandId } = turn;
  const intent = state.dispense;
  if (intent?.commandId !== commandId)
    throw new Error(`evidence for ${commandId}, but the open dispense is ${intent?.commandId ?? 'none'}`);
  switch (outcome.status) {
    case 'unknown':
      return doubt(intent.inDoubt ? [] : [{ type: 'DispenseInDoubt', commandId }]);
    case 'failed':
      return refuseWith([{ type: 'DispenseFailed', commandId, code: outcome.code }, ...reversalOf(intent, 0)], 'DEVICE_FAILED', {
        code: outcome.code,
      });
    case 'confirmed': {
      const { notes, retracted, rejected } = checked(outcome.result, intent.notes);
      const amount = worth(notes);
      const partial = amount < intent.amount;
      const { currency } = intent;
      const moved = { ...(worth(retracted) > 0 && { retracted }), ...(worth(rejected) > 0 && { rejected }) };
      return accept([{ type: 'Dispensed', commandId, currency, amount, notes, partial, ...moved }, ...reversalOf(intent, amount)], {
        amount,
        notes,
        partial,
      });
    }
  }
}

/** A reversal that was noted while this was open is booked with what was taken. */
function reversalOf({ commandId, currency, reversing }: OpenDispense, amount: number): readonly CashEvent[] {
  return reversing ? [{ type: 'Reversed', commandId, currency, amount }] : [];
}

/** Evidence that does not add up is not booked: a throw here keeps it as it is, for a person to look at. */
function checked(result: DispenseResult, ordered: Notes): { readonly notes: Notes; readonly retracted: Notes; readonly rejected: Notes } {
  const { notes, retracted = NONE, rejected = NONE } = result;
  const places = { notes, retracted, rejected };
  for (const where in places) {
    const some = places[where as keyof typeof places];
    for (const denomination in some) {
      const count = some[denomination] as number;
      if (!Object.hasOwn(ordered, denomination) || !Number.isSafeInteger(count) || count < 0)
        throw new Error(`evidence ${where}[${denomination}] is ${count}: ordered were ${JSON.stringify(ordered)}`);
    }
  }
  const stayed = remaining(ordered, notes, retracted, rejected);
  for (const denomination in ordered) {
    const count = stayed[denomination] ?? 0;
    if (count < 0)
      throw new Error(`evidence accounts for ${-count} notes of ${denomination} more than the ${ordered[denomination]} ordered`);
    if (result.status === 'dispensed' && notes[denomination] !== ordered[denomination])
      throw new Error(
        `evidence says dispensed, with ${notes[denomination] ?? 0} notes of ${denomination} for ${ordered[denomination]} ordered`,
      );
  }
  return { notes: present(notes), retracted: present(retracted), rejected: present(rejected) };
}

function present(notes: Notes): Notes {
  for (const denomination in notes)
    if (notes[denomination] === 0) return Object.fromEntries(Object.entries(notes).filter(([, count]) => count > 0));
  return notes;
}
