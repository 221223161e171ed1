/** What a cash location is, as the fold of its events. */
import { booked, type Cash, type Cassette, NONE, type Notes, remaining } from './cassettes.ts';
import type { CashEvent } from './messages.ts';

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
  readonly cash: Cash;
  readonly dispense: OpenDispense | null;
};

export const emptyLocation = (): CashState => ({ open: true, cash: {}, dispense: null });

export function evolve(state: CashState, event: CashEvent): CashState {
  switch (event.type) {
    case 'Loaded':
      return { ...state, cash: booked(state.cash, event.currency, event.notes, loaded) };
    case 'Counted': {
      const cash = booked(state.cash, event.currency, event.notes, counted);
      return { ...state, cash: booked(cash, event.currency, event.difference, supplied) };
    }
    case 'DispenseIntended': {
      const { commandId, currency, amount, notes } = event;
      const cash = booked(state.cash, currency, notes, ordered);
      return { ...state, cash, dispense: { commandId, currency, amount, notes, inDoubt: false, reversing: false } };
    }
    case 'DispenseInDoubt':
      return { ...state, dispense: { ...openOf(state, event), inDoubt: true } };
    case 'DispenseFailed': {
      const { currency, notes } = openOf(state, event);
      return { ...state, cash: booked(state.cash, currency, notes, stayed), dispense: null };
    }
    case 'Dispensed': {
      const { currency, notes: all } = openOf(state, event);
      const { notes, retracted = NONE, rejected = NONE } = event;
      let cash = booked(state.cash, currency, notes, taken);
      cash = booked(cash, currency, retracted, cameBack);
      cash = booked(cash, currency, rejected, turnedAway);
      return { ...state, cash: booked(cash, currency, remaining(all, notes, retracted, rejected), stayed), dispense: null };
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

const loaded = (it: Cassette, count: number) => ({ ...it, held: it.held + count, supplied: it.supplied + count });
const counted = (it: Cassette, count: number) => ({ ...it, held: count });
const supplied = (it: Cassette, count: number) => ({ ...it, supplied: it.supplied + count });
const ordered = (it: Cassette, count: number) => ({ ...it, held: it.held - count });
const stayed = (it: Cassette, count: number) => ({ ...it, held: it.held + count });
const taken = (it: Cassette, count: number) => ({ ...it, taken: it.taken + count });
const cameBack = (it: Cassette, count: number) => ({ ...it, retracted: it.retracted + count });
const turnedAway = (it: Cassette, count: number) => ({ ...it, rejected: it.rejected + count });

type ByCurrency = Readonly<Record<string, Notes>>;
/** Version 1 kept the notes of each place by currency and denomination. */
type State1 = Pick<CashState, 'open' | 'dispense'> &
  Readonly<Record<'cassettes' | 'taken' | 'retracted' | 'rejected' | 'supplied', ByCurrency>>;

export function fromVersion1(state: unknown): CashState {
  const { open, dispense, ...places } = state as State1;
  let cash: Cash = {};
  const move = (where: ByCurrency, place: keyof Cassette) => {
    for (const [currency, notes] of Object.entries(where)) cash = booked(cash, currency, notes, (it, count) => ({ ...it, [place]: count }));
  };
  move(places.cassettes, 'held');
  for (const place of ['taken', 'retracted', 'rejected', 'supplied'] as const) move(places[place], place);
  return { open, cash, dispense };
}
