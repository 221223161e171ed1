/** A batch of turns on its way to one commit: events, entries and header fields pile up on a copy of the committed picture. */
import type { Recalled } from '../actor.ts';
import { EVENT_MAX_BYTES, type EventFrame, type EventText, eventText } from '../message/envelope.ts';
import type { Change, EntryStatus, Header } from '../ports.ts';
import type { Definition, EventData } from './definition.ts';
import {
  type EntryFacts,
  entryParts,
  entryText,
  type Frozen,
  type Ground,
  type Intent,
  type Parked,
  type Paused,
  recordOf,
  recordText,
  stateText,
} from './ground.ts';
import { isOwnEvent } from './history.ts';
import type { Verdict, Waiting } from './mailbox.ts';
import { armedAs, type Timers, timerOf, without } from './timers.ts';

/** Who writes: fixed for one claim. */
export type Pen = {
  readonly definition: Definition;
  readonly address: string;
  readonly id: string;
  readonly epoch: number;
  readonly source: string;
  readonly frame: EventFrame;
};
/** The command (or intent) an event belongs to. */
export type Cause = {
  readonly commandId: string;
  readonly name: string;
  readonly hash: string;
  readonly appendedMs: number;
  readonly traceparent?: string | undefined;
};
type Named = { readonly type: string; readonly data: unknown };
type Mark = {
  readonly state: unknown;
  readonly seq: number;
  readonly intent: Intent | undefined;
  readonly timers: Timers;
  readonly header: Header;
  readonly events: number;
  readonly entries: number;
  readonly records: number;
  readonly unrecorded: number;
};
/** What recall found in the store, by commandId. */
export type Found = ReadonlyMap<string, Recalled>;

const NOTHING: Recalled = {};

let lastMs = Number.NaN;
let lastText = '';
/** Many drafts are made in one millisecond. */
function iso(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}

/** An event's data as JSON: all but its type, which authors write first. */
function dataText(event: EventData): string {
  const text = JSON.stringify(event);
  const typed = `{"type":${JSON.stringify(event.type)}`;
  if (text.startsWith(`${typed},`)) return `{${text.slice(typed.length + 1)}`;
  const { type: _, ...data } = event;
  return JSON.stringify(data);
}

export class Draft {
  readonly pen: Pen;
  readonly nowMs: number;
  readonly from: number;
  state: unknown;
  seq: number;
  intent: Intent | undefined;
  parked: Parked | undefined;
  timers: Timers;
  readonly verdicts: { readonly waiting: Waiting; readonly verdict: Verdict }[] = [];
  readonly #time: string;
  readonly #events: EventText[] = [];
  readonly #entries: { commandId: string; status: EntryStatus; hash: string; text: string }[] = [];
  readonly #records: { commandId: string; text: string }[] = [];
  readonly #unrecorded: string[] = [];
  #header: Header = {};
  #stateChanged: boolean;

  constructor(pen: Pen, ground: Ground, nowMs: number) {
    this.pen = pen;
    this.nowMs = nowMs;
    this.#time = iso(nowMs);
    this.from = ground.seq;
    this.seq = ground.seq;
    this.state = ground.state;
    this.intent = ground.intent;
    this.parked = ground.parked;
    this.timers = ground.timers;
    // The first commit of a later version says so, events or not: an earlier one must not take up what it does not know.
    this.#stateChanged = ground.unreadable === undefined && ground.version < pen.definition.version;
  }

  get empty(): boolean {
    return this.#events.length === 0 && this.#entries.length === 0;
  }
  get events(): readonly EventText[] {
    return this.#events;
  }
  /** How many commands this draft moves on. */
  get turns(): number {
    return this.#entries.length;
  }
  /** Fields the commit will write: bounded by the store. */
  get fields(): number {
    return this.#events.length + this.#entries.length + this.#records.length + this.#unrecorded.length + 10;
  }

  mark(): Mark {
    return {
      state: this.state,
      seq: this.seq,
      intent: this.intent,
      timers: this.timers,
      header: this.#header,
      events: this.#events.length,
      entries: this.#entries.length,
      records: this.#records.length,
      unrecorded: this.#unrecorded.length,
    };
  }
  /** Takes back everything since the mark. */
  back(mark: Mark): void {
    this.state = mark.state;
    this.seq = mark.seq;
    this.intent = mark.intent;
    this.timers = mark.timers;
    this.#header = mark.header;
    this.#events.length = mark.events;
    this.#entries.length = mark.entries;
    this.#records.length = mark.records;
    this.#unrecorded.length = mark.unrecorded;
  }

  /** Books the actor's own events; they change the state. `outcome` stands on the last event of a turn. */
  book(cause: Cause, events: readonly EventData[], outcome?: string): void {
    const { definition } = this.pen;
    let left = events.length;
    for (const event of events) {
      if (isOwnEvent(event.type)) throw new Error(`the event ${event.type} has a name that the runtime keeps for its own`);
      this.state = definition.evolve(this.state, event);
      this.#stateChanged = true;
      for (const record of definition.records?.of(event) ?? [])
        this.#records.push({ commandId: record.commandId, text: recordText(this.nowMs, record.value) });
      this.#add(cause, event.type, dataText(event), --left === 0 ? outcome : undefined);
    }
  }

  /** Books events that leave the state alone: the runtime's own. */
  note(cause: Cause, events: readonly Named[], outcome?: string): void {
    let left = events.length;
    for (const { type, data } of events) this.#add(cause, type, JSON.stringify(data), --left === 0 ? outcome : undefined);
  }

  #add(cause: Cause, type: string, data: string, outcome: string | undefined): void {
    const { address, frame } = this.pen;
    this.seq++;
    const tail = outcome === undefined ? undefined : { reply: outcome, input: cause.hash };
    this.#events.push({ address, seq: this.seq, text: eventText(frame, cause, this.#time, this.seq, type, data, tail) });
  }

  enter(cause: Cause, status: EntryStatus, outcome: string, doubt = false): void {
    const newestMs = Math.max(this.nowMs, cause.appendedMs);
    const facts: EntryFacts = doubt ? { c: cause.name, t: newestMs, doubt } : { c: cause.name, t: newestMs };
    this.#entries.push({ commandId: cause.commandId, status, hash: cause.hash, text: entryText(facts, outcome) });
    // A timer is armed until its command has an outcome or an intent; while that is parked it stands.
    const timer = status === 'parked' || armedAs(this.timers, cause.commandId) === undefined ? undefined : timerOf(cause.commandId);
    if (timer !== undefined) this.setTimers(without(this.timers, timer.name));
  }

  /** Why an event that was booked since the mark can never be published, if there is one. */
  tooLarge({ events }: Mark): string | undefined {
    for (let at = events; at < this.#events.length; at++) {
      const { text } = this.#events[at] as EventText;
      // A character takes at most three bytes: hardly any text has to be measured.
      if (text.length * 3 <= EVENT_MAX_BYTES) continue;
      const bytes = Buffer.byteLength(text);
      if (bytes > EVENT_MAX_BYTES)
        return `an event of it has ${bytes} bytes, its reply included: at most ${EVENT_MAX_BYTES} can be published`;
    }
    return undefined;
  }

  /** Is this id written by an earlier turn of this batch? */
  holds(commandId: string): boolean {
    return this.#entries.some((entry) => entry.commandId === commandId);
  }

  /** What is known of an id: the store's knowledge under what this batch adds to it. */
  recalled(commandId: string, found: Found): Recalled {
    let known = found.get(commandId) ?? NOTHING;
    for (const entry of this.#entries)
      if (entry.commandId === commandId) known = { ...known, command: entryParts(entry.text).facts.c, status: entry.status };
    for (const record of this.#records) if (record.commandId === commandId) known = { ...known, record: recordOf(record.text) };
    return known;
  }
  /**
   * What is recorded under a command's own id. Hardly ever is there anything, so it is not read beforehand: nothing is assumed, and the
   * commit is refused with the record if there is one.
   */
  ownRecord(commandId: string, found: Found): Recalled {
    if (!found.has(commandId)) this.#unrecorded.push(commandId);
    const { record } = this.recalled(commandId, found);
    return record === undefined ? NOTHING : { record };
  }

  setIntent(intent: Intent | undefined): void {
    this.intent = intent;
    this.#header = { ...this.#header, intent: intent === undefined ? '' : JSON.stringify(intent) };
  }
  setParked(parked: Parked | undefined): void {
    this.parked = parked;
    this.#header = { ...this.#header, parked: parked === undefined ? '' : JSON.stringify(parked) };
  }
  setFrozen(frozen: Frozen | undefined): void {
    this.#header = { ...this.#header, frozen: frozen === undefined ? '' : JSON.stringify(frozen) };
  }
  setPaused(paused: Paused | undefined): void {
    this.#header = { ...this.#header, paused: paused === undefined ? '' : JSON.stringify(paused) };
  }

  setTimers(timers: Timers): void {
    this.timers = timers;
    this.#header = { ...this.#header, timers: Object.keys(timers).length === 0 ? '' : JSON.stringify(timers) };
  }

  change(published: number): Change {
    const state = this.#stateChanged ? { state: stateText(this.pen.definition, this.state) } : {};
    return {
      seq: this.from,
      unrecorded: this.#unrecorded,
      events: this.#events,
      entries: this.#entries,
      records: this.#records,
      header: { ...this.#header, ...state },
      published,
    };
  }

  /** The committed picture once the change is in. */
  ground(before: Ground): Ground {
    const header = this.#header;
    const pick = <T>(text: string | undefined, old: T | undefined): T | undefined =>
      text === undefined ? old : text === '' ? undefined : (JSON.parse(text) as T);
    const intent = this.intent;
    const parked = this.parked;
    const frozen = pick(header.frozen, before.frozen);
    const paused = pick(header.paused, before.paused);
    const version = this.#stateChanged ? this.pen.definition.version : before.version;
    // Not by spreading what may be absent: this is made for every commit.
    const ground: { -readonly [K in keyof Ground]: Ground[K] } = { state: this.state, version, seq: this.seq, timers: this.timers };
    if (before.unreadable !== undefined) ground.unreadable = before.unreadable;
    if (intent !== undefined) ground.intent = intent;
    if (parked !== undefined) ground.parked = parked;
    if (frozen !== undefined) ground.frozen = frozen;
    if (paused !== undefined) ground.paused = paused;
    return ground;
  }
}
