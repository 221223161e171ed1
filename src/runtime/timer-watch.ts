/** Sends what the timers of this replica's locations ask for once it is due: a record like any other, judged where it takes effect. */
import { why } from '../errors.ts';
import type { Address } from '../message/address.ts';
import type { Clock, Log, LogWriter, StateStore } from '../ports.ts';
import { recordOf, type Timers, timersIn } from './timers.ts';

export type TimerWatchOptions = {
  readonly store: StateStore;
  readonly writer: LogWriter;
  readonly clock: Clock;
  readonly log: Log;
  readonly source: string;
  readonly partitionOf: (address: Address) => number;
  readonly assigned: (partition: number) => boolean;
  /** The topic of a command's lane. */
  readonly topicOf: (type: string, command: string) => string;
};

/** Locations whose timers are sent at the same time. */
const LOT = 64;
/** After a failure, and after a record was sent: a timer that is still armed then has lost its record, with a topic for instance. */
const RETRY_MS = 1_000;
const AGAIN_MS = 600_000;

/**
 * Knows of every location of the held partitions when its next timer may be due: too early does no harm, since the
 * store is read before anything is sent. About 100 bytes for each location with a timer, resident or not.
 */
export class TimerWatch {
  readonly #it: TimerWatchOptions;
  readonly #due = new Map<number, Map<Address, number>>();
  #soonestMs = Number.POSITIVE_INFINITY;
  #sending = false;

  constructor(options: TimerWatchOptions) {
    this.#it = options;
  }

  /** The timers of a location as they were committed or found. */
  know(address: Address, timers: Timers): void {
    const partition = this.#it.partitionOf(address);
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { at } of Object.values(timers)) nextMs = Math.min(nextMs, at);
    if (nextMs === Number.POSITIVE_INFINITY) this.#due.get(partition)?.delete(address);
    else this.#set(partition, address, nextMs);
  }
  lost(partition: number): void {
    this.#due.delete(partition);
  }

  /** Sends what is due; cheap when nothing is. */
  sweep(): void {
    const nowMs = this.#it.clock.now();
    if (this.#sending || nowMs < this.#soonestMs) return;
    const due: Address[] = [];
    this.#soonestMs = Number.POSITIVE_INFINITY;
    for (const [partition, locations] of this.#due)
      for (const [address, atMs] of locations) {
        if (atMs <= nowMs) due.push(address);
        this.#set(partition, address, atMs <= nowMs ? nowMs + AGAIN_MS : atMs);
      }
    this.#sending = true;
    void this.#send(due).finally(() => {
      this.#sending = false;
    });
  }

  async #send(due: readonly Address[]): Promise<void> {
    for (let from = 0; from < due.length; from += LOT) await Promise.all(due.slice(from, from + LOT).map((address) => this.#fire(address)));
  }
  /** Never throws. */
  async #fire(address: Address): Promise<void> {
    const { store, writer, clock, log, source, topicOf } = this.#it;
    const type = address.slice(0, address.indexOf('/'));
    try {
      const timers = timersIn((await store.read(address))?.header.timers);
      for (const [name, armed] of Object.entries(timers).sort(([, a], [, b]) => a.at - b.at))
        if (armed.at > clock.now()) this.#sooner(address, armed.at);
        else await writer.command(topicOf(type, armed.command), recordOf(address, name, armed, source));
    } catch (error) {
      log.warn({ address, why: why(error) }, 'a due timer was not sent, tried again');
      this.#sooner(address, clock.now() + RETRY_MS);
    }
  }

  #sooner(address: Address, atMs: number): void {
    const partition = this.#it.partitionOf(address);
    this.#set(partition, address, Math.min(atMs, this.#due.get(partition)?.get(address) ?? atMs));
  }
  #set(partition: number, address: Address, atMs: number): void {
    if (!this.#it.assigned(partition)) return;
    const locations = this.#due.get(partition) ?? new Map<Address, number>();
    this.#due.set(partition, locations.set(address, atMs));
    if (atMs < this.#soonestMs) this.#soonestMs = atMs;
  }
}
