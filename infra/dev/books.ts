/** Whether everything adds up: the topics and the device's journal, each recomputed from its bytes and held against the others. */
import { type Cash, cashOf, emptyCash, PLACES, type Sides } from './books-cash.ts';
import { type Gaps, gapsOf } from './books-gaps.ts';
import type { CommandFact, EventFact, Move, Notes, Raw } from './books-records.ts';
import * as records from './books-records.ts';

export type History = {
  readonly commands: readonly Raw[];
  readonly events: readonly Raw[];
  readonly deadLetters: readonly Raw[];
  /** The text of the device's journal. */
  readonly journal: string;
  /** Records that replicas took a second time, as they count it themselves. */
  readonly redelivered: number;
};
export type Books = Gaps & {
  readonly accepted: number;
  readonly deadLetters: number;
  readonly done: number;
  readonly refused: number;
  readonly inDoubt: number;
  /** Commands whose cash the device moved. */
  readonly delivered: number;
  /** Commands whose cash the events book as moved. */
  readonly booked: number;
  /** Intents whose outcome was booked under a higher epoch than theirs. */
  readonly recovered: number;
  readonly redelivered: number;
  /** Over all locations. */
  readonly cash: Cash;
  /** What does not add up, one sentence each. */
  readonly faults: readonly string[];
};

const ADMITTED = new Set(['ID_REUSED']);
const nameOf = (it: { readonly address: string; readonly commandId: string }): string => `${it.address} ${it.commandId}`;

export function booksOf(history: History): Books {
  const faults: string[] = [];
  const { accepted, letters } = acceptedOf(history, faults);
  const byLocation = firstOccurrences(history.events, faults);
  const events = [...byLocation.values()].flat();
  const { done, refused, inDoubt } = outcomesOf(accepted, events, faults);
  const moves = movesBy(records.movesOf(history.journal), faults);
  checkDelivered(moves, events, inDoubt, faults);
  const cash = emptyCash();
  for (const [address, own] of byLocation) {
    const of = cashOf(own, sidesOf(address, accepted, moves));
    faults.push(...of.faults);
    for (const place of PLACES)
      for (const [name, count] of Object.entries(of.cash[place])) cash[place][name] = (cash[place][name] ?? 0) + count;
  }
  return {
    accepted: accepted.size,
    deadLetters: letters.size,
    done: done.size,
    refused: refused.size,
    inDoubt: inDoubt.size,
    delivered: [...moves.values()].filter((lines) => lines.some(hasMoved)).length,
    booked: events.filter((event) => event.type === 'Dispensed').length,
    recovered: recoveredOf(byLocation),
    redelivered: history.redelivered,
    ...gapsOf(byLocation, accepted),
    cash,
    faults,
  };
}

/** Good records whose commands must come to an outcome, by address and id; every other record must be a dead letter. */
function acceptedOf(history: History, faults: string[]) {
  const letters = new Map(history.deadLetters.map((raw) => [records.originOf(raw), raw.headers.dlq_reason ?? 'no reason']));
  const accepted = new Map<string, CommandFact>();
  const known = new Set<string>();
  for (const raw of history.commands) {
    const place = records.placeOf(raw);
    known.add(place);
    const fact = records.commandFact(raw);
    const reason = letters.get(place);
    if ('bad' in fact) {
      if (reason === undefined) faults.push(`${place} is no command (${fact.bad}) and no dead letter`);
    } else if (reason === undefined) {
      const earlier = accepted.get(nameOf(fact));
      if (earlier === undefined) accepted.set(nameOf(fact), fact);
      else if (earlier.hash !== fact.hash) faults.push(`${place} repeats ${nameOf(fact)} with another payload and is no dead letter`);
    } else if (!ADMITTED.has(reason)) faults.push(`${place} is a good command but a dead letter: ${reason}`);
  }
  for (const place of letters.keys()) if (!known.has(place)) faults.push(`a dead letter came from ${place}, where no record is`);
  return { accepted, letters };
}

/** Events of each location by first occurrence of their seq, gapless and in order; later ones must be the same byte for byte. */
function firstOccurrences(raws: readonly Raw[], faults: string[]): ReadonlyMap<string, readonly EventFact[]> {
  const byLocation = new Map<string, EventFact[]>();
  const torn = new Set<string>();
  for (const raw of raws) {
    const fact = records.eventFact(raw);
    if ('bad' in fact) {
      faults.push(`${records.placeOf(raw)} is no event: ${fact.bad}`);
      continue;
    }
    const own = byLocation.get(fact.address) ?? [];
    byLocation.set(fact.address, own);
    const last = own.at(-1);
    if (fact.seq <= own.length) {
      if (own[fact.seq - 1]?.text !== fact.text) faults.push(`${fact.address}:${fact.seq} stands there twice and differs`);
    } else if (fact.seq > own.length + 1) {
      if (!torn.has(fact.address)) faults.push(`${fact.address}: a gap, ${fact.seq} comes after ${own.length}`);
      torn.add(fact.address);
    } else {
      if (last !== undefined && fact.epoch < last.epoch)
        faults.push(`${fact.address}:${fact.seq} has a lower epoch than the event before it`);
      own.push(fact);
    }
  }
  return byLocation;
}

function outcomesOf(accepted: ReadonlyMap<string, CommandFact>, events: readonly EventFact[], faults: string[]) {
  const done = new Set<string>();
  const refused = new Set<string>();
  const doubted = new Set<string>();
  for (const event of events) {
    const name = nameOf(event);
    if (/InDoubt$/.test(event.type)) doubted.add(name);
    const status = event.outcome?.status;
    if (status !== 'done' && status !== 'refused') continue;
    if (done.has(name) || refused.has(name)) faults.push(`${name} has a second outcome at seq ${event.seq}`);
    (status === 'done' ? done : refused).add(name);
    const command = accepted.get(name);
    if (command === undefined) faults.push(`${name} has an outcome, but nobody sent it`);
    else if (command.hash !== event.inputHash) faults.push(`${name} has the outcome of another payload`);
  }
  const open = [...accepted.keys()].filter((name) => !done.has(name) && !refused.has(name));
  for (const name of open) if (!doubted.has(name)) faults.push(`${name} is lost: accepted, and neither an outcome nor in doubt`);
  return { done, refused, inDoubt: new Set(open.filter((name) => doubted.has(name))) };
}

const hasMoved = (move: Move): boolean =>
  [move.notes, move.retracted, move.rejected].some((notes) => Object.values(notes).some((count) => count > 0));

function movesBy(moves: readonly Move[], faults: string[]): ReadonlyMap<string, readonly Move[]> {
  const byName = new Map<string, Move[]>();
  for (const move of moves) {
    const name = nameOf(move);
    const before = byName.get(name) ?? [];
    if (hasMoved(move) && before.some(hasMoved)) faults.push(`${name} was dispensed twice`);
    byName.set(name, [...before, move]);
  }
  return byName;
}

/** What left a cassette was intended as it left, and is booked as it left, or is in doubt. */
function checkDelivered(
  moves: ReadonlyMap<string, readonly Move[]>,
  events: readonly EventFact[],
  inDoubt: ReadonlySet<string>,
  faults: string[],
): void {
  const intents = new Map(
    events.filter(({ type }) => type === 'DispenseIntended').map((event) => [nameOf(event), event.data.notes as Notes]),
  );
  const bookings = new Map(events.filter(({ type }) => type === 'Dispensed').map((event) => [nameOf(event), event.data]));
  for (const [name, lines] of moves) {
    const intended = intents.get(name);
    if (intended === undefined || lines.some(({ ordered }) => !records.sameNotes(ordered, intended)))
      faults.push(`${name} was ordered from the device without an intent for those notes`);
    if (lines.some(hasMoved) && !bookings.has(name) && !inDoubt.has(name)) faults.push(`${name} was delivered and is not booked`);
  }
  for (const [name, data] of bookings) {
    const move = moves.get(name)?.find(hasMoved);
    if (move === undefined) faults.push(`${name} is booked, but the device moved nothing`);
    else if (!(['notes', 'retracted', 'rejected'] as const).every((part) => records.sameNotes((data[part] ?? {}) as Notes, move[part])))
      faults.push(`${name} is booked otherwise than the device moved it`);
  }
}

function sidesOf(address: string, accepted: ReadonlyMap<string, CommandFact>, moves: ReadonlyMap<string, readonly Move[]>): Sides {
  const own = <T>(all: ReadonlyMap<string, T>) =>
    new Map([...all].filter(([name]) => name.startsWith(`${address} `)).map(([name, value]) => [name.slice(address.length + 1), value]));
  return { commands: own(accepted), moves: own(moves) };
}

function recoveredOf(byLocation: ReadonlyMap<string, readonly EventFact[]>): number {
  let recovered = 0;
  for (const events of byLocation.values()) {
    const intended = new Map<string, number>();
    for (const { type, commandId, epoch } of events) {
      if (type === 'DispenseIntended') intended.set(commandId, epoch);
      if ((type === 'Dispensed' || type === 'DispenseFailed') && epoch > (intended.get(commandId) ?? epoch)) recovered++;
    }
  }
  return recovered;
}
