/** The cash of one location, folded anew from its events and held against its commands and the device's journal. */
import { type CommandFact, type EventFact, type Move, minus, type Notes, sameNotes, worth } from './books-records.ts';

/** Notes by where they are; names are `USD 2000`. */
export type Cash = Readonly<Record<(typeof PLACES)[number], Record<string, number>>>;
export const PLACES = ['supplied', 'cassettes', 'taken', 'retracted', 'rejected', 'inDoubt'] as const;
export const emptyCash = (): Cash => ({ supplied: {}, cassettes: {}, taken: {}, retracted: {}, rejected: {}, inDoubt: {} });

type Intent = { readonly currency: string; readonly notes: Notes };
type Fold = {
  readonly cash: Cash;
  readonly open: Map<string, Intent>;
  readonly takenBy: Map<string, number>;
  readonly reversed: Set<string>;
  readonly faults: string[];
};
/** What the location's commands asked for and the device did, by commandId. */
export type Sides = { readonly commands: ReadonlyMap<string, CommandFact>; readonly moves: ReadonlyMap<string, readonly Move[]> };

/** `events` are the first occurrences, in order of their seq. */
export function cashOf(events: readonly EventFact[], sides: Sides): { readonly cash: Cash; readonly faults: readonly string[] } {
  const fold: Fold = { cash: emptyCash(), open: new Map(), takenBy: new Map(), reversed: new Set(), faults: [] };
  for (const event of events) {
    steps[event.type]?.(fold, event, sides);
    const below = Object.entries(fold.cash.cassettes).find(([, count]) => count < 0);
    if (below) blame(fold, event, `cash made from nothing: ${below[1]} notes of ${below[0]} in the cassettes`);
    checkReply(fold, event);
  }
  for (const { currency, notes } of fold.open.values()) move(fold.cash.inDoubt, currency, notes, 1);
  return { cash: fold.cash, faults: [...fold.faults, ...unequal(fold, events[0]?.address ?? '', sides)] };
}

const blame = (fold: Fold, event: EventFact, what: string) => fold.faults.push(`${event.address}:${event.seq} ${event.type}: ${what}`);

const steps: Readonly<Record<string, (fold: Fold, event: EventFact, sides: Sides) => void>> = {
  Loaded(fold, event, { commands }) {
    const { currency, notes } = event.data as Intent;
    const asked = cassettesOf(commands.get(event.commandId), 'load');
    if (!sameNotes(asked, notes)) blame(fold, event, 'cash made from nothing: not what the load command brought');
    move(fold.cash.supplied, currency, asked, 1);
    move(fold.cash.cassettes, currency, notes, 1);
  },
  Counted(fold, event, { commands }) {
    const { currency, notes, difference } = event.data as Intent & { difference: Notes };
    if (!sameNotes(cassettesOf(commands.get(event.commandId), 'count'), notes)) blame(fold, event, 'not what was counted');
    const booked = Object.fromEntries(Object.keys(notes).map((it) => [it, fold.cash.cassettes[`${currency} ${it}`] ?? 0]));
    if (!sameNotes(minus(notes, booked), difference)) blame(fold, event, 'the difference is not counted less booked');
    move(fold.cash.supplied, currency, difference, 1);
    move(fold.cash.cassettes, currency, difference, 1);
  },
  DispenseIntended(fold, event, { commands }) {
    const { currency, notes, amount } = event.data as Intent & { amount: number };
    const input = commands.get(event.commandId)?.input;
    if (input?.amount !== amount || input.currency !== currency) blame(fold, event, 'not what the command asked for');
    if (worth(notes) !== amount) blame(fold, event, `the notes are worth ${worth(notes)}, not ${amount}`);
    if (fold.open.size > 0) blame(fold, event, 'a second effect is open');
    fold.open.set(event.commandId, { currency, notes });
    move(fold.cash.cassettes, currency, notes, -1);
  },
  Dispensed(fold, event) {
    const { currency, notes, retracted = {}, rejected = {} } = event.data as Intent & { retracted?: Notes; rejected?: Notes };
    const intent = closed(fold, event);
    if (intent === undefined) return;
    const left = minus(minus(minus(intent.notes, notes), retracted), rejected);
    if (Object.values(left).some((count) => count < 0)) blame(fold, event, 'cash made from nothing: more than was intended');
    move(fold.cash.taken, currency, notes, 1);
    move(fold.cash.retracted, currency, retracted, 1);
    move(fold.cash.rejected, currency, rejected, 1);
    move(fold.cash.cassettes, currency, left, 1);
    fold.takenBy.set(event.commandId, worth(notes));
  },
  DispenseFailed(fold, event) {
    const intent = closed(fold, event);
    if (intent !== undefined) move(fold.cash.cassettes, intent.currency, intent.notes, 1);
  },
  Reversed(fold, event) {
    const { commandId, amount } = event.data as { commandId: string; amount: number };
    if (fold.reversed.has(commandId)) blame(fold, event, `${commandId} is reversed a second time`);
    if (amount > (fold.takenBy.get(commandId) ?? 0)) blame(fold, event, `${commandId} is reversed by more than was taken`);
    fold.reversed.add(commandId);
  },
};

function closed(fold: Fold, event: EventFact): Intent | undefined {
  const intent = fold.open.get(event.commandId);
  if (intent === undefined) blame(fold, event, 'no intent is open');
  fold.open.delete(event.commandId);
  return intent;
}

/** The answers that callers got must agree with the events they stand on. */
function checkReply(fold: Fold, event: EventFact): void {
  if (event.outcome?.status !== 'done') return;
  const { reply = {} } = event.outcome;
  if (event.type === 'Loaded') {
    const currency = String(event.data.currency);
    const names = Object.entries(fold.cash.cassettes).filter(([name]) => name.startsWith(`${currency} `));
    const cash = names.reduce((sum, [name, count]) => sum + Number(name.split(' ')[1]) * count, 0);
    if (reply.cash !== cash) blame(fold, event, `the reply says ${String(reply.cash)}, the cassettes hold ${cash}`);
  }
  const taken = fold.takenBy.get(event.commandId);
  if (taken !== undefined && reply.notes !== undefined && (worth(reply.notes as Notes) !== taken || reply.amount !== taken)) {
    blame(fold, event, `the reply says ${String(reply.amount)}, taken was ${taken}`);
  }
}

/** What commands supplied must be where the events and the device say: in cassettes, out by the journal, or in doubt. */
function unequal(fold: Fold, address: string, { moves }: Sides): readonly string[] {
  const out: Record<string, number> = {};
  for (const [commandId, lines] of moves) {
    if (fold.open.has(commandId)) continue;
    for (const { currency, notes, retracted, rejected } of lines)
      for (const part of [notes, retracted, rejected]) move(out, currency, part, 1);
  }
  const { supplied, cassettes, inDoubt } = fold.cash;
  const names = new Set([supplied, cassettes, out, inDoubt].flatMap((it) => Object.keys(it)));
  return [...names].flatMap((name) => {
    const found = (cassettes[name] ?? 0) + (out[name] ?? 0) + (inDoubt[name] ?? 0);
    return found === (supplied[name] ?? 0)
      ? []
      : [`${address} cash is not conserved: ${supplied[name] ?? 0} notes of ${name} supplied, ${found} found`];
  });
}

function cassettesOf(command: CommandFact | undefined, name: string): Notes {
  if (command?.name !== name) return {};
  const cassettes = command.input.cassettes as readonly { denomination: number; count: number }[];
  return Object.fromEntries(cassettes.map(({ denomination, count }) => [String(denomination), count]));
}

function move(to: Record<string, number>, currency: string, notes: Notes, sign: 1 | -1): void {
  for (const [denomination, count] of Object.entries(notes)) {
    const name = `${currency} ${denomination}`;
    to[name] = (to[name] ?? 0) + sign * count;
  }
}
