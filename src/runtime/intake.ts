/** How much may be under way of each lane, and when reading goes on: a backlog of bulk gives way to customers. */
import type { Lane } from '../message/envelope.ts';
import type { Clock, LogRecord } from '../ports.ts';
import type { OffsetTracker } from './offset-tracker.ts';

type Lanes = Exclude<Lane, 'control'>;
export type IntakeOptions = {
  readonly clock: Clock;
  /** Records of one lane that may be under way, and over how many partitions. */
  readonly inflightMax: number;
  readonly partitions: () => number;
  /** Events waiting to be published. */
  readonly outbox: () => number;
  readonly resume: (at: readonly LogRecord[]) => void;
};

/** Events waiting for Kafka before intake pauses: what memory they may take is bounded. Bulk leaves most of it to customers. */
const OUTBOX_MAX: Readonly<Record<Lanes, number>> = { customer: 20_000, bulk: 5_000 };
const RESUME_MS = 10;
/**
 * This long after a customer's command, bulk is taken by the handful and from one partition at a time. A trip of a customer
 * passes the event loop about six times and may meet a handful each time: 64 doubled what they wait, 16 cannot be seen.
 */
const GIVE_WAY_MS = 1_000;
const HANDFUL = 16;

export class Intake {
  readonly #it: IntakeOptions;
  readonly #inflight = { customer: 0, bulk: 0 };
  /** What each partition of a lane offers again once it has room; who waits longest is first. */
  readonly #paused = new Map<OffsetTracker, { readonly lane: Lanes; readonly record: LogRecord }>();
  #customerMs = Number.NEGATIVE_INFINITY;
  #resuming = false;

  constructor(options: IntakeOptions) {
    this.#it = options;
  }

  /** Records that were taken and have no verdict yet. */
  get inflight(): number {
    return this.#inflight.customer + this.#inflight.bulk;
  }
  get outboxFull(): boolean {
    return this.#it.outbox() > OUTBOX_MAX.customer;
  }
  /** Partitions share what may be under way: one that is far ahead would leave the locations of the others without work. */
  hasRoom(tracker: OffsetTracker, lane: Lanes): boolean {
    if (this.#it.outbox() > OUTBOX_MAX[lane] || this.#inflight[lane] >= this.#it.inflightMax) return false;
    return this.#givesWay(lane) ? this.#inflight.bulk < HANDFUL : tracker.inflight < this.#share();
  }
  opened(tracker: OffsetTracker, lane: Lanes): void {
    tracker.inflight++;
    this.#inflight[lane]++;
    if (lane === 'customer') this.#customerMs = this.#it.clock.monotonic();
  }
  closed(tracker: OffsetTracker, lane: Lanes): void {
    tracker.inflight--;
    this.#inflight[lane]--;
  }

  /** Its partition waits for room. */
  hold(tracker: OffsetTracker, lane: Lanes, record: LogRecord): void {
    this.#paused.set(tracker, { lane, record });
  }
  /** Room was made: what was paused for want of it is asked again, at most once in a short while. */
  freed(): void {
    if (this.#paused.size === 0 || this.#resuming) return;
    this.#resuming = true;
    this.#it.clock.after(RESUME_MS, () => {
      this.#resuming = false;
      const ready = this.#takeReady();
      if (ready.length > 0) this.#it.resume(ready);
    });
  }

  #takeReady(): readonly LogRecord[] {
    const ready: LogRecord[] = [];
    let handed = false;
    for (const [tracker, { lane, record }] of this.#paused) {
      const givesWay = this.#givesWay(lane);
      if (this.#it.outbox() > OUTBOX_MAX[lane] / 2 || this.#inflight[lane] >= this.#it.inflightMax) continue;
      // Not for a few: a fetch brings many, and what finds no room is fetched again.
      const inflight = givesWay ? this.#inflight.bulk / HANDFUL : tracker.inflight / this.#share();
      if (!tracker.forgotten && (inflight > 0.5 || (givesWay && handed))) continue;
      handed ||= givesWay;
      this.#paused.delete(tracker);
      ready.push(record);
    }
    return ready;
  }

  #givesWay(lane: Lanes): boolean {
    return lane === 'bulk' && this.#it.clock.monotonic() - this.#customerMs < GIVE_WAY_MS;
  }
  #share(): number {
    return Math.max(1, Math.floor(this.#it.inflightMax / Math.max(1, this.#it.partitions())));
  }
}
