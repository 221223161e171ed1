/** Which offsets of one partition are final: opened in order, closed out of order, committed up to the first that is not closed. */
import type { Applied, Begin, Bounds } from '../ports.ts';

/** One opened offset. Closing it twice is a bug of ours, not an event of the world. */
export type Slot = { readonly tracker: OffsetTracker; readonly offset: number; closed: boolean };

export class OffsetTracker {
  /** The highest offset opened in this tracker's life; whatever is at or below it is a repeat. */
  highest: number;
  /** What the group has acknowledged. */
  committed: number;
  /** Set when the partition was lost: a late close touches nothing that counts. */
  forgotten = false;
  /** Known applied by the store: every offset below it has a durable outcome. */
  applied: number | undefined;
  /** Append time of the newest record seen, ms: ages are judged by it, so that lag forgets nothing. */
  newestMs = 0;
  /** Records taken that have no verdict yet; whoever delivers them counts. */
  inflight = 0;
  #open: Slot[] = [];
  #head = 0;

  constructor(start: number, applied?: Applied) {
    const newestMs = applied?.newestMs ?? 0;
    this.applied = applied?.offset;
    this.highest = start - 1;
    this.committed = start;
    this.newestMs = newestMs;
  }

  /** Undefined: a repeat. It touches nothing, its first delivery closes the offset. `last` ends a run of offsets that closes as one. */
  open(offset: number, appendedMs: number, last = offset): Slot | undefined {
    if (offset <= this.highest) return undefined;
    this.highest = last;
    if (appendedMs > this.newestMs) this.newestMs = appendedMs;
    const slot = { tracker: this, offset, closed: false };
    this.#open.push(slot);
    return slot;
  }

  /** Takes back the latest opening, of a record that nobody was told of. */
  unopen(slot: Slot, highest: number): void {
    if (this.#open.at(-1) !== slot) throw new Error(`offset ${slot.offset} was not the last opened`);
    this.#open.pop();
    this.highest = highest;
  }

  close(slot: Slot): void {
    if (slot.closed) throw new Error(`offset ${slot.offset} closed twice`);
    slot.closed = true;
    while (this.#head < this.#open.length && this.#open[this.#head]?.closed) this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#open.length) {
      this.#open = this.#open.slice(this.#head);
      this.#head = 0;
    }
  }

  /** The first offset that is not final: what may be committed. */
  get watermark(): number {
    return this.#open[this.#head]?.offset ?? this.highest + 1;
  }

  get openCount(): number {
    return this.#open.length - this.#head;
  }
}

/**
 * Where to begin on a gained partition. `applied` was written before the offset it covers was committed, so a committed
 * offset above it means that the store lost something or that somebody moved the offsets.
 */
export function startPosition(bounds: Bounds, applied: Applied | undefined, life: string): Begin & { readonly moved?: true } {
  const { committed, low, high } = bounds;
  if (applied === undefined && committed !== undefined)
    return {
      refused: 'CANARY',
      why: `offset ${committed} is committed but the store has no trace of this partition: it is empty, another store, or lost its data. If that is as meant, accept the partition.`,
    };
  const lost = committed === undefined || committed < 0;
  const ahead = !lost && applied !== undefined && committed > applied.offset;
  if (ahead && applied.life !== life)
    return {
      refused: 'CANARY',
      why: `offset ${committed} is committed but the store, restarted since, has applied only ${applied.offset}: it lost what it had acknowledged. If that is as meant, accept the partition.`,
    };
  const start = applied === undefined ? low : lost || ahead ? applied.offset : committed;
  if (applied !== undefined && start < low)
    return { refused: 'COMMANDS_EXPIRED', why: `the log begins at ${low}, but ${start} was not applied yet: commands were deleted unread` };
  const applies = Math.max(start, applied?.offset ?? 0);
  if (applies > high)
    return {
      refused: 'COMMANDS_RECREATED',
      why: `the log ends at ${high}, but ${applies} was applied already: the topic was deleted and made again`,
    };
  return ahead ? { offset: start, moved: true } : { offset: start };
}
