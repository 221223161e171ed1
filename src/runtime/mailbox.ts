/** What waits for one location, in memory: three lanes, bounded, oldest first. */
import type { Command, Lane } from '../message/envelope.ts';
import type { TopicPartition } from '../ports.ts';
import type { Checked } from './definition.ts';

/**
 * The final word on one record. `intended`: a durable intent stands for it. `unarmed`: the timer it speaks of is not
 * armed. `abandoned`: nothing was decided, nobody may close anything.
 */
export type Verdict =
  | 'done'
  | 'refused'
  | 'duplicate'
  | 'intended'
  | 'in-doubt'
  | 'parked'
  | 'inboxed'
  | 'id-reused'
  | 'unarmed'
  | 'abandoned';

/** A command that waits, and who is told what became of it. */
export type Waiting = {
  readonly command: Command;
  /** Its input as the actor's schema sees it, once somebody has looked. */
  checked?: Checked;
  /** The log it came from. */
  readonly origin: TopicPartition;
  /** Position in its lane's log: the order of the lane. */
  readonly offset: number;
  /** Monotonic ms when it began to wait here. */
  readonly sinceMs: number;
  conclude(verdict: Verdict): void;
};

/** A batch ends with such a command. */
export type Ends = (waiting: Waiting) => boolean;
const never: Ends = () => false;

/** From `start` on, at most `limit`, ending with the first for which `ends` holds. */
export function upTo(items: readonly Waiting[], start: number, limit: number, ends: Ends): Waiting[] {
  const stop = Math.min(items.length, start + limit);
  for (let at = start; at < stop; at++) if (ends(items[at] as Waiting)) return items.slice(start, at + 1);
  return items.slice(start, stop);
}

/** First in, first out, with a way back to the front. */
class Line {
  #items: Waiting[] = [];
  #head = 0;
  get length(): number {
    return this.#items.length - this.#head;
  }
  get first(): Waiting | undefined {
    return this.#items[this.#head];
  }
  push(item: Waiting): void {
    this.#items.push(item);
  }
  /** At most `limit`, ending with the first for which `ends` holds. */
  take(limit: number, ends: Ends): Waiting[] {
    const taken = upTo(this.#items, this.#head, limit, ends);
    this.#head += taken.length;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    }
    return taken;
  }
  putBack(items: readonly Waiting[]): void {
    this.#items = [...items, ...this.#items.slice(this.#head)];
    this.#head = 0;
  }
}

export class Mailbox {
  // Made on first use: a resident location that has nothing waiting costs nothing here.
  #lines: { customer: Line; bulk: Line } | undefined;

  get length(): number {
    return this.#lines === undefined ? 0 : this.#lines.customer.length + this.#lines.bulk.length;
  }
  depth(lane: Exclude<Lane, 'control'>): number {
    return this.#lines?.[lane].length ?? 0;
  }
  /** Monotonic ms since when the oldest of a lane waits. */
  oldestMs(lane: Exclude<Lane, 'control'>): number | undefined {
    return this.#lines?.[lane].first?.sinceMs;
  }
  push(item: Waiting): void {
    this.#line(item).push(item);
  }
  take(lane: Exclude<Lane, 'control'>, limit: number, ends: Ends = never): Waiting[] {
    return this.#lines?.[lane].take(limit, ends) ?? [];
  }
  takeAll(): Waiting[] {
    return [...this.take('customer', Number.MAX_SAFE_INTEGER), ...this.take('bulk', Number.MAX_SAFE_INTEGER)];
  }
  /** Back to the front of their lane, in the order given. */
  putBack(items: readonly Waiting[]): void {
    for (const lane of ['customer', 'bulk'] as const) {
      const mine = items.filter((item) => laneOf(item) === lane);
      if (mine.length > 0 && mine[0] !== undefined) this.#line(mine[0]).putBack(mine);
    }
  }
  #line(item: Waiting): Line {
    this.#lines ??= { customer: new Line(), bulk: new Line() };
    return this.#lines[laneOf(item)];
  }
}

const laneOf = (item: Waiting): 'customer' | 'bulk' => (item.command.lane === 'bulk' ? 'bulk' : 'customer');
