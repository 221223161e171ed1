/** What a cash location is, as the fold of its events. */
import { NONE, type Notes, plus, remaining, replaced } from './cassettes.ts';
import type { CashEvent } from './messages.ts';

type ByCurrency = Readonly<Record<string, Notes>>;

/** Its notes left the cassettes, and nothing is known yet of where they went. */
export type OpenDispense = {
  readonly commandId: string;
  readonly currency: string;
  readonly amount: number;
  readonly notes: Notes;
  /** The device was asked and did not answer in time. */
  readonly inDoubt: boolean;
  /** It is to be reversed as soon as it is known what was taken. */
  readonly reversing: boolean;
};

export type CashState = {
  readonly open: boolean;
  readonly cassettes: ByCurrency;
  readonly taken: ByCurrency;
  readonly retracted: ByCurrency;
  readonly rejected: ByCurrency;
  /** Loaded, and found or missed when counted: what all the others must add up to. */
  readonly supplied: ByCurrency;
  readonly dispense: OpenDispense | null;
};

export const emptyLocation = (): CashState => ({
  open: true,
  cassettes: {},
  taken: {},
  retracted: {},
  rejected: {},
  supplied: {},
  dispense: null,
});

export function evolve(state: CashState, event: CashEvent): CashState {
  switch (event.type) {
    case 'Loaded':
      return {
        ...state,
        cassettes: into(state.cassettes, event.currency, event.notes),
        supplied: into(state.supplied, event.currency, event.notes),
      };
    case 'Counted':
      return {
        ...state,
        cassettes: { ...state.cassettes, [event.currency]: replaced(state.cassettes[event.currency] ?? {}, event.notes) },
        supplied: into(state.supplied, event.currency, event.difference),
      };
    case 'DispenseIntended': {
      const { commandId, currency, amount, notes } = event;
      const cassettes = into(state.cassettes, currency, notes, -1);
      return { ...state, cassettes, dispense: { commandId, currency, amount, notes, inDoubt: false, reversing: false } };
    }
    case 'DispenseInDoubt':
      return { ...state, dispense: { ...openOf(state, event), inDoubt: true } };
    case 'DispenseFailed': {
      const { currency, notes } = openOf(state, event);
      return { ...state, cassettes: into(state.cassettes, currency, notes), dispense: null };
    }
    case 'Dispensed': {
      const { currency, notes: ordered } = openOf(state, event);
      const { notes, retracted = NONE, rejected = NONE } = event;
      const stayed = remaining(ordered, notes, retracted, rejected);
      return {
        ...state,
        cassettes: into(state.cassettes, currency, stayed),
        taken: into(state.taken, currency, notes),
        retracted: into(state.retracted, currency, retracted),
        rejected: into(state.rejected, currency, rejected),
        dispense: null,
      };
    }
    case 'ReversalNoted':
      return state.dispense?.commandId === event.commandId ? { ...state, dispense: { ...state.dispense, reversing: true } } : state;
    case 'Opened':
      return { ...state, open: true };
    case 'Closed':
      return { ...state, open: false };
    default:
      // Reversed touches what the holder owes, never a note; the runtime's own events touch nothing here.
      return state;
  }
}

function openOf(state: CashState, event: { readonly type: string; readonly commandId: string }): OpenDispense {
  if (state.dispense?.commandId === event.commandId) return state.dispense;
  throw new Error(`${event.type} of ${event.commandId}, but the open dispense is ${state.dispense?.commandId ?? 'none'}`);
}

function into(where: ByCurrency, currency: string, notes: Notes, sign: 1 | -1 = 1): ByCurrency {
  const before = where[currency] ?? {};
  const after = plus(before, notes, sign);
  return after === before ? where : { ...where, [currency]: after };
}
