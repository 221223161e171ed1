/** What must be true when a round is over: what was broken left nothing behind, what was sound has one outcome, and the books add up. */
import { CashLocation } from '../../actors/cash-location/actor.ts';
import type { CashEvent } from '../../actors/cash-location/messages.ts';
import { type CashState, emptyLocation } from '../../actors/cash-location/state.ts';
import type { Town } from '../http/town.ts';
import { COMMANDS, EVENTS, LETTERS } from '../runtime/fleet.ts';
import type { Dispenser } from './dispenser.ts';

/** What was handed in, for the end of the round. `sound`: it must come to an outcome, else it must leave nothing behind. */
export type Handed = {
  readonly commandId: string;
  readonly id: string;
  readonly sound: boolean;
  readonly at?: { readonly partition: number; readonly offset: number };
};
type Event = {
  readonly subject: string;
  readonly type: string;
  readonly locusseq: number;
  readonly locuscommand: string;
  readonly data: Record<string, unknown>;
};

export async function checkBooks(it: Town, handed: readonly Handed[], dispenser: Dispenser): Promise<void> {
  const { clock, front } = it;
  await clock.until(() => {
    const { live, ready } = front.health();
    if (live !== undefined || ready !== undefined) throw new Error(`the replica is not well: ${live ?? ready}`);
  });
  const sound = handed.filter((one) => one.sound);
  // In doubt is settled by probing, which takes its time.
  await clock.until(() => allFinal(it, sound), 600_000);
  letters(it, handed);
  commands(it, handed);

  const byLocation = eventsOf(it);
  const allowed = new Set([...sound.map(({ id, commandId }) => `${CashLocation.type}/${id} ${commandId}`)]);
  let taken = 0;
  for (const [address, events] of byLocation) {
    let state: CashState = emptyLocation();
    for (const [at, event] of events.entries()) {
      if (event.locusseq !== at + 1) throw new Error(`${address} has the event ${event.locusseq} after ${at}`);
      if (!allowed.has(`${address} ${event.locuscommand}`))
        throw new Error(`${event.type} at ${address} came of ${event.locuscommand}, which was broken`);
      state = CashLocation.evolve(state, { ...event.data, type: event.type.slice(CashLocation.type.length + 1) } as unknown as CashEvent);
    }
    const stored = await clock.run(front.query(address, undefined));
    if (stored === undefined || stored === 'no-such-query') throw new Error(`${address} has events and no state`);
    if (stored.seq !== events.length || sorted(stored.body) !== sorted(state)) throw new Error(`${address} is not the fold of its events`);
    for (const cassette of Object.values(state.cash).flat()) taken += cassette.denomination * cassette.taken;
  }
  if (taken !== dispenser.delivered) throw new Error(`${taken} booked as taken, ${dispenser.delivered} delivered`);
}

async function allFinal(it: Town, sound: readonly Handed[]): Promise<void> {
  for (const { id, commandId } of sound) {
    const entry = await it.entry(id, commandId);
    if (entry?.status !== 'done' && entry?.status !== 'refused') throw new Error(`${commandId} at ${id} is ${entry?.status ?? 'unknown'}`);
  }
}

/** Each broken record is a dead letter, and no sound one. */
function letters(it: Town, handed: readonly Handed[]): void {
  const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? '').toString();
  const found = new Map(
    it.log
      .records(LETTERS)
      .map(({ headers }) => [
        `${text(headers.dlq_partition)}/${text(headers.dlq_offset)}`,
        `${text(headers.dlq_reason)}: ${text(headers.dlq_error)}`,
      ]),
  );
  // What had been put where its key does not belong was produced again: some faults are seen only there.
  const records = it.log.records(COMMANDS);
  const whole = ({ key, value, headers }: (typeof records)[number]) =>
    [key, headers.ce_id, value].map((bytes) => text(bytes ?? undefined)).join('\n');
  const again = new Map(records.filter(({ headers }) => headers.locus_rerouted).map((record) => [whole(record), record]));
  const places = new Map(records.map((record) => [`${record.partition}/${record.offset}`, again.get(whole(record)) ?? record]));
  for (const { at, sound, commandId } of handed) {
    if (at === undefined) continue;
    const last = places.get(`${at.partition}/${at.offset}`) ?? at;
    const letter = found.get(`${at.partition}/${at.offset}`) ?? found.get(`${last.partition}/${last.offset}`);
    if (sound && letter !== undefined) throw new Error(`${commandId} is sound and a dead letter, ${letter}`);
    if (!sound && letter === undefined) throw new Error(`${commandId} is broken and no dead letter`);
  }
}

/** Of what the port refused nothing is in the log. */
function commands(it: Town, handed: readonly Handed[]): void {
  const refused = new Set(handed.filter(({ sound, at }) => !sound && at === undefined).map(({ commandId }) => commandId));
  for (const { value } of it.log.records(COMMANDS)) {
    const id = /"id":"(c-\d+)"/.exec(Buffer.from(value ?? '').toString())?.[1];
    if (id !== undefined && refused.has(id)) throw new Error(`${id} was refused and is in the log`);
  }
}

/** First occurrences, by location and in order. */
function eventsOf(it: Town): ReadonlyMap<string, readonly Event[]> {
  const found = new Map<string, Map<number, Event>>();
  for (const { value } of it.log.records(EVENTS)) {
    const event = JSON.parse(Buffer.from(value ?? '').toString()) as Event;
    const known = found.get(event.subject) ?? new Map<number, Event>();
    if (!known.has(event.locusseq)) known.set(event.locusseq, event);
    found.set(event.subject, known);
  }
  return new Map([...found].map(([address, events]) => [address, [...events.values()].sort((a, b) => a.locusseq - b.locusseq)]));
}

/** Objects with the same entries in another order are the same. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_key, it: unknown) =>
    typeof it === 'object' && it !== null && !Array.isArray(it)
      ? Object.fromEntries(Object.entries(it).sort(([a], [b]) => (a < b ? -1 : 1)))
      : it,
  );
}
