/** The cash location folded anew from its events: state, money and who may take back what. Imports nothing from what it checks. */

/** Counts by denomination (minor units). */
export type Notes = Readonly<Record<string, number>>;
export type OpenDispense = {
  readonly commandId: string;
  readonly currency: string;
  readonly amount: number;
  readonly notes: Notes;
  readonly inDoubt: boolean;
  readonly reversing: boolean;
};
/**
 * Where the notes of one denomination (minor units) are; those of an open dispense are in doubt. Rows, and not counts by denomination: V8 makes of
 * keys such as 100, 1000 and 2500 an array with a hole for each number between them, and looks at every one of them to list the keys.
 */
export type Row = {
  readonly denomination: number;
  readonly held: number;
  readonly taken: number;
  readonly retracted: number;
  readonly rejected: number;
  readonly supplied: number;
};
export type Rows = Readonly<Record<string, readonly Row[]>>;
/** As the actor's second version writes it: a row for each denomination, the largest first. */
export type Cash = { readonly open: boolean; readonly cash: Rows; readonly dispense: OpenDispense | null };
export type CashEvent = { readonly type: string } & Readonly<Record<string, unknown>>;

const EMPTY: Cash = { open: true, cash: {}, dispense: null };
export const emptyCash = (): Cash => EMPTY;

/** What `change` makes of the rows of these notes; a denomination that has none begins with nothing. */
function changed(cash: Rows, currency: string, notes: Notes, change: (row: Row, count: number) => Row): Rows {
  const names = Object.keys(notes);
  if (names.length === 0) return cash;
  let rows = cash[currency] ?? [];
  for (const name of names) {
    const denomination = Number(name);
    if (!rows.some((row) => row.denomination === denomination))
      rows = [...rows, { denomination, held: 0, taken: 0, retracted: 0, rejected: 0, supplied: 0 }].sort(
        (a, b) => b.denomination - a.denomination,
      );
    rows = rows.map((row) => (row.denomination === denomination ? change(row, notes[name] as number) : row));
  }
  return { ...cash, [currency]: rows };
}
const of = (notes: Notes, { denomination }: Row): number => notes[denomination] ?? 0;

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
function folded(before: Cash, event: CashEvent): Cash {
  const { open, cash, dispense } = before;
  const { type, currency, notes, commandId } = event as CashEvent & { currency: string; notes: Notes; commandId: string };
  switch (type) {
    case 'Loaded': {
      const loaded = changed(cash, currency, notes, (row, n) => ({ ...row, held: row.held + n, supplied: row.supplied + n }));
      return { open, cash: loaded, dispense };
    }
    case 'Counted': {
      const known = { ...cash, [currency]: cash[currency] ?? [] };
      const counted = changed(known, currency, notes, (row, held) => ({ ...row, held }));
      const supplied = changed(counted, currency, event.difference as Notes, (row, n) => ({ ...row, supplied: row.supplied + n }));
      return { open, cash: supplied, dispense };
    }
    case 'DispenseIntended': {
      if (dispense !== null) throw new Error(`${commandId} is intended while ${dispense.commandId} is open`);
      const intended = { commandId, currency, amount: event.amount as number, notes, inDoubt: false, reversing: false };
      return { open, cash: changed(cash, currency, notes, (row, n) => ({ ...row, held: row.held - n })), dispense: intended };
    }
    case 'DispenseInDoubt':
      return { open, cash, dispense: { ...openOne(before, commandId), inDoubt: true } };
    case 'DispenseFailed': {
      const ordered = openOne(before, commandId);
      const stayed = changed(cash, ordered.currency, ordered.notes, (row, n) => ({ ...row, held: row.held + n }));
      return { open, cash: stayed, dispense: null };
    }
    case 'Dispensed':
      return { open, cash: dispensed(cash, openOne(before, commandId), event), dispense: null };
    case 'ReversalNoted':
      return dispense?.commandId === commandId ? { open, cash, dispense: { ...dispense, reversing: true } } : before;
    case 'Opened':
    case 'Closed':
      return { open: type === 'Opened', cash, dispense };
    case 'Reversed':
      return before;
    default:
      throw new Error(`a cash location has no event ${type}`);
  }
}

function dispensed(cash: Rows, { currency, notes: ordered }: OpenDispense, event: CashEvent): Rows {
  const { notes, retracted = {}, rejected = {} } = event as unknown as { notes: Notes; retracted?: Notes; rejected?: Notes };
  const stayed = (row: Row, n: number) => ({ ...row, held: row.held + n - of(notes, row) - of(retracted, row) - of(rejected, row) });
  let after = changed(cash, currency, ordered, stayed);
  after = changed(after, currency, notes, (row, n) => ({ ...row, taken: row.taken + n }));
  after = changed(after, currency, retracted, (row, n) => ({ ...row, retracted: row.retracted + n }));
  return changed(after, currency, rejected, (row, n) => ({ ...row, rejected: row.rejected + n }));
}
function openOne({ dispense }: Cash, commandId: string): OpenDispense {
  if (dispense?.commandId !== commandId) throw new Error(`${commandId} is settled, open is ${dispense?.commandId ?? 'none'}`);
  return dispense;
}

/** What the cassettes of a currency hold; undefined: nobody ever brought or counted any. */
export const heldIn = ({ cash }: Cash, currency: string): readonly Row[] | undefined => cash[currency];
export const worthOf = (rows: readonly Row[]): number => rows.reduce((sum, { denomination, held }) => sum + denomination * held, 0);
export function worth(notes: Notes): number {
  let sum = 0;
  for (const denomination of Object.keys(notes)) sum += Number(denomination) * (notes[denomination] as number);
  return sum;
}
export function sameNotes(a: Notes, b: Notes): boolean {
  const agree = (denomination: string) => (a[denomination] ?? 0) === (b[denomination] ?? 0);
  return Object.keys(a).every(agree) && Object.keys(b).every(agree);
}

/** Which notes of which currency and denomination are not where they must be: supplied = held + taken + retracted + rejected + in doubt. */
export function missing({ cash, dispense }: Cash): string | undefined {
  for (const currency of Object.keys(cash))
    for (const row of cash[currency] as readonly Row[]) {
      const { denomination, held, taken, retracted, rejected, supplied } = row;
      const inDoubt = dispense?.currency === currency ? of(dispense.notes, row) : 0;
      const found = held + taken + retracted + rejected + inDoubt;
      if (found !== supplied) return `${supplied} notes of ${currency} ${denomination} were supplied, ${found} are found`;
      if (held < 0) return `${held} notes of ${currency} ${denomination} are in the cassettes`;
    }
  return undefined;
}
