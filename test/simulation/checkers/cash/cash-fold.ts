/** The cash location folded anew from its events: state, money and who may take back what. Imports nothing from what it checks. */

/** Counts by denomination (minor units). */
export type Notes = Readonly<Record<string, number>>;
export type ByCurrency = Readonly<Record<string, Notes>>;
export type OpenDispense = {
  readonly commandId: string;
  readonly currency: string;
  readonly amount: number;
  readonly notes: Notes;
  readonly inDoubt: boolean;
  readonly reversing: boolean;
};
export type Cash = {
  readonly open: boolean;
  readonly cassettes: ByCurrency;
  readonly taken: ByCurrency;
  readonly retracted: ByCurrency;
  readonly rejected: ByCurrency;
  readonly supplied: ByCurrency;
  readonly dispense: OpenDispense | null;
};
export type CashEvent = { readonly type: string } & Readonly<Record<string, unknown>>;

const EMPTY: Cash = { open: true, cassettes: {}, taken: {}, retracted: {}, rejected: {}, supplied: {}, dispense: null };
export const emptyCash = (): Cash => EMPTY;

const moved = (where: ByCurrency, currency: string, notes: Notes, sign: 1 | -1 = 1): ByCurrency => {
  const entries = Object.entries(notes);
  if (entries.length === 0) return where;
  const sum: Record<string, number> = { ...where[currency] };
  for (const [denomination, count] of entries) sum[denomination] = (sum[denomination] ?? 0) + sign * count;
  return { ...where, [currency]: sum };
};
const less = (notes: Notes, ...gone: readonly Notes[]): Notes =>
  Object.fromEntries(
    Object.entries(notes)
      .map(([denomination, count]) => [denomination, gone.reduce((left, some) => left - (some[denomination] ?? 0), count)] as const)
      .filter(([, count]) => count !== 0),
  );

/** As the actor's second version writes it: a row for each denomination, the largest first. */
export function storedCash({ open, dispense, ...places }: Cash): unknown {
  const cash: Record<string, Record<string, number>[]> = {};
  for (const currency of new Set(Object.values(places).flatMap((place) => Object.keys(place)))) {
    const names = new Set(Object.values(places).flatMap((place) => Object.keys(place[currency] ?? {})));
    const count = (place: keyof typeof places, name: string) => places[place][currency]?.[name] ?? 0;
    cash[currency] = [...names]
      .sort((a, b) => Number(b) - Number(a))
      .map((name) => ({
        denomination: Number(name),
        held: count('cassettes', name),
        taken: count('taken', name),
        retracted: count('retracted', name),
        rejected: count('rejected', name),
        supplied: count('supplied', name),
      }));
  }
  return { open, cash, dispense };
}

const KEPT_MAX = 64;
const kept = new Map<CashEvent, { readonly before: Cash; readonly after: Cash }>();
/**
 * What each event makes of the cash. An event that cannot be is a bug of whoever wrote it: it throws. Several checkers fold the same events of a
 * commit one after the other: what an event made of the same cash is known.
 */
export function foldCash(before: Cash, event: CashEvent): Cash {
  const known = kept.get(event);
  if (known?.before === before) return known.after;
  const after = folded(before, event);
  if (kept.size >= KEPT_MAX) kept.clear();
  kept.set(event, { before, after });
  return after;
}
function folded(cash: Cash, event: CashEvent): Cash {
  const { type, currency, notes, commandId } = event as CashEvent & { currency: string; notes: Notes; commandId: string };
  switch (type) {
    case 'Loaded':
      return { ...cash, cassettes: moved(cash.cassettes, currency, notes), supplied: moved(cash.supplied, currency, notes) };
    case 'Counted':
      return {
        ...cash,
        cassettes: { ...cash.cassettes, [currency]: { ...cash.cassettes[currency], ...notes } },
        supplied: moved(cash.supplied, currency, event.difference as Notes),
      };
    case 'DispenseIntended': {
      if (cash.dispense !== null) throw new Error(`${commandId} is intended while ${cash.dispense.commandId} is open`);
      const dispense = { commandId, currency, amount: event.amount as number, notes, inDoubt: false, reversing: false };
      return { ...cash, cassettes: moved(cash.cassettes, currency, notes, -1), dispense };
    }
    case 'DispenseInDoubt':
      return { ...cash, dispense: { ...openOne(cash, commandId), inDoubt: true } };
    case 'DispenseFailed': {
      const ordered = openOne(cash, commandId);
      return { ...cash, cassettes: moved(cash.cassettes, ordered.currency, ordered.notes), dispense: null };
    }
    case 'Dispensed':
      return dispensed(cash, openOne(cash, commandId), event);
    case 'ReversalNoted':
      return cash.dispense?.commandId === commandId ? { ...cash, dispense: { ...cash.dispense, reversing: true } } : cash;
    case 'Opened':
    case 'Closed':
      return { ...cash, open: type === 'Opened' };
    case 'Reversed':
      return cash;
    default:
      throw new Error(`a cash location has no event ${type}`);
  }
}

function dispensed(cash: Cash, { currency, notes: ordered }: OpenDispense, event: CashEvent): Cash {
  const { notes, retracted = {}, rejected = {} } = event as unknown as { notes: Notes; retracted?: Notes; rejected?: Notes };
  return {
    ...cash,
    cassettes: moved(cash.cassettes, currency, less(ordered, notes, retracted, rejected)),
    taken: moved(cash.taken, currency, notes),
    retracted: moved(cash.retracted, currency, retracted),
    rejected: moved(cash.rejected, currency, rejected),
    dispense: null,
  };
}
function openOne({ dispense }: Cash, commandId: string): OpenDispense {
  if (dispense?.commandId !== commandId) throw new Error(`${commandId} is settled, open is ${dispense?.commandId ?? 'none'}`);
  return dispense;
}

export function worth(notes: Notes): number {
  let sum = 0;
  for (const denomination of Object.keys(notes)) sum += Number(denomination) * (notes[denomination] as number);
  return sum;
}
export function sameNotes(a: Notes, b: Notes): boolean {
  const agree = (denomination: string) => (a[denomination] ?? 0) === (b[denomination] ?? 0);
  return Object.keys(a).every(agree) && Object.keys(b).every(agree);
}

/** Which notes of which currency and denomination are not where they must be: supplied = in cassettes + taken + retracted + rejected + in doubt. */
export function missing(cash: Cash): string | undefined {
  const { supplied, cassettes, taken, retracted, rejected, dispense } = cash;
  const inDoubt: ByCurrency = dispense === null ? NONE : { [dispense.currency]: dispense.notes };
  const wrong = (currency: string, name: string): string | undefined => {
    const count = (place: ByCurrency) => place[currency]?.[name] ?? 0;
    const found = count(cassettes) + count(taken) + count(retracted) + count(rejected) + count(inDoubt);
    if (found !== count(supplied)) return `${count(supplied)} notes of ${currency} ${name} were supplied, ${found} are found`;
    return count(cassettes) < 0 ? `${count(cassettes)} notes of ${currency} ${name} are in the cassettes` : undefined;
  };
  for (const place of [supplied, cassettes, taken, retracted, rejected, inDoubt])
    for (const currency of Object.keys(place))
      for (const name of Object.keys(place[currency] as Notes)) {
        // Looked at already where it was supplied.
        if (place !== supplied && supplied[currency]?.[name] !== undefined) continue;
        const said = wrong(currency, name);
        if (said !== undefined) return said;
      }
  return undefined;
}
const NONE: ByCurrency = {};
