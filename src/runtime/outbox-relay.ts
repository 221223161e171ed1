/** Carries committed events to the events topic: in order per location, in large batches, again until they are acknowledged. */
import { pause } from '../clock.ts';
import { why } from '../errors.ts';
import type { EventText } from '../message/envelope.ts';
import type { Clock, Log, LogWriter, Random } from '../ports.ts';
import { jitter } from '../random.ts';

const BATCH_MAX = 2_000;
/** A send costs as much for each partition in it as for each event, here and at the broker. */
const LINGER_MS = 10;
/** All of a send may be one partition's, and a broker takes no more than about 1 MB for one (message.max.bytes): key and frame included. */
const SEND_MAX_BYTES = 800_000;
const FRAME_BYTES = 150;
const RETRY_FIRST_MS = 100;
const RETRY_LONGEST_MS = 5_000;

type Parcel = { readonly events: readonly EventText[]; readonly acknowledged: (seq: number) => void };

export class OutboxRelay {
  readonly #writer: LogWriter;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  #parcels: Parcel[] = [];
  #depth = 0;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(writer: LogWriter, clock: Clock, random: Random, log: Log) {
    this.#writer = writer;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
  }

  /** Events waiting for their acknowledgement. */
  get depth(): number {
    return this.#depth;
  }

  /** Events of one location, already committed; the same ones may come again from its next owner. */
  push(events: readonly EventText[], acknowledged: (seq: number) => void): void {
    if (events.length === 0) return;
    this.#parcels.push({ events, acknowledged });
    this.#depth += events.length;
    this.#running ??= this.#run();
  }

  /** Resolves when all that was pushed so far is acknowledged, or publishing was stopped. */
  async flushed(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }
  /** Gives up; what is not published stays in the store for the next owner. */
  stop(): void {
    this.#stopped = true;
  }

  async #run(): Promise<void> {
    // Not before what is running now is done: turns that commit together are published together.
    await new Promise<void>((resolve) => this.#clock.soon(resolve));
    while (this.#parcels.length > 0 && !this.#stopped) {
      const batch = this.#take();
      for (const send of sends(batch.flatMap((parcel) => parcel.events))) await this.#publish(send);
      if (this.#stopped) break;
      for (const { events, acknowledged } of batch) {
        this.#depth -= events.length;
        acknowledged(events.at(-1)?.seq ?? 0);
      }
      // Whoever publishes one send after the other waits for company; a single event is never late.
      if (this.#depth > 0 && this.#depth < BATCH_MAX) await pause(this.#clock, LINGER_MS);
    }
    // In the tick of the last look: what is pushed after it must find nobody running.
    this.#running = undefined;
  }

  #take(): readonly Parcel[] {
    let count = 0;
    let size = 0;
    for (const { events } of this.#parcels) {
      if (count > 0 && size + events.length > BATCH_MAX) break;
      size += events.length;
      count++;
    }
    return this.#parcels.splice(0, count);
  }

  async #publish(events: readonly EventText[]): Promise<void> {
    for (let retryMs = RETRY_FIRST_MS; !this.#stopped; retryMs = Math.min(RETRY_LONGEST_MS, retryMs * 2)) {
      try {
        return await this.#writer.events(events);
      } catch (error) {
        this.#log.warn({ why: why(error), events: events.length }, 'events not acknowledged, sent again');
        await pause(this.#clock, jitter(this.#random, retryMs));
      }
    }
  }
}

/** In order, cut where the next event would make a send too large; an event alone may be. */
function sends(events: readonly EventText[]): readonly (readonly EventText[])[] {
  // A character takes at most three bytes: hardly any send has to be measured.
  let most = 0;
  for (const { text } of events) most += text.length * 3 + FRAME_BYTES;
  if (most <= SEND_MAX_BYTES) return [events];
  const cut: EventText[][] = [];
  let bytes = SEND_MAX_BYTES;
  for (const event of events) {
    const size = Buffer.byteLength(event.text) + FRAME_BYTES;
    bytes += size;
    if (bytes > SEND_MAX_BYTES) {
      cut.push([]);
      bytes = size;
    }
    cut.at(-1)?.push(event);
  }
  return cut;
}
