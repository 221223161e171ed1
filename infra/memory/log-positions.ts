/** Which partitions a member holds and where reading stands in each: begun by the reader's word, read in turns, refused when the log broke off. */
import type { Clock, LogReader, LogRecord, TopicPartition } from '../../src/ports.ts';
import { drawnMs, type Faulty, happens } from './log-faults.ts';
import type { Offsets } from './log-group.ts';
import { nameOf } from './log-world.ts';

/** What is read: the memory twin's world, or a durable log of the same shape. */
export type Readable = Faulty & {
  readonly clock: Clock;
  readonly partitions: number;
  /** Called after each record that was added. */
  readonly listeners: Set<() => void>;
  /** Throws when there is no such topic. */
  shelves(topic: string): unknown;
  /** Records [low, high) of one partition; `unreadable`: the run of one codec that begins at an offset. */
  shelf(at: TopicPartition): {
    readonly low: number;
    readonly high: number;
    at(offset: number): LogRecord | undefined;
    unreadable(offset: number): { readonly codec: string; readonly end: number } | undefined;
  };
};

const BEGIN_AGAIN_MS = 500;
/** Records taken from one partition before the others have their turn. */
const BATCH = 100;
/** By how many records a repeated fetch begins early, at most. */
const REPEAT_MAX = 8;

/** beginning: `begin` has not answered · full: waits for `resume` · refused: waits for `again`. */
type Cursor = {
  readonly at: TopicPartition;
  readonly name: string;
  state: 'beginning' | 'reading' | 'full' | 'refused';
  position: number;
  begunAt: number;
  /** The highest offset sent to the group in this cursor's life: a late smaller one changes nothing. */
  sent: number;
};
export type PositionsOptions = {
  readonly world: Readable;
  readonly clock: Clock;
  readonly committed: Offsets;
  /** Do the brokers answer? */
  readonly isReachable: () => boolean;
  /** The same, and the member does not wait for its share. */
  readonly mayFetch: () => boolean;
};

export class Positions {
  readonly #it: PositionsOptions;
  readonly #reader: LogReader;
  readonly #cursors = new Map<string, Cursor>();
  #isHeld = false;
  #isReadingSoon = false;
  #rounds: Promise<void> = Promise.resolve();

  constructor(options: PositionsOptions, reader: LogReader) {
    this.#it = options;
    this.#reader = reader;
  }

  /** The partitions held, over all topics. */
  get partitions(): readonly number[] {
    return [...new Set([...this.#cursors.values()].map((cursor) => cursor.at.partition))].sort((a, b) => a - b);
  }
  owns(at: TopicPartition): boolean {
    return this.#cursors.has(nameOf(at)) && this.#reader.owns(at);
  }
  /** What to send of a commit, asked at the moment of sending; undefined: nothing. */
  sendable(at: TopicPartition & { readonly offset: number }): number | undefined {
    const cursor = this.#cursors.get(nameOf(at));
    if (cursor === undefined || at.offset < cursor.sent || !this.owns(at)) return undefined;
    cursor.sent = at.offset;
    return at.offset;
  }

  assign(held: readonly TopicPartition[], unbroken: boolean): void {
    const names = new Set(held.map(nameOf));
    for (const [name, cursor] of this.#cursors) if (!unbroken || !names.has(name)) this.#end(cursor);
    const gained = held.filter((at) => !this.#cursors.has(nameOf(at)));
    for (const cursor of this.#cursors.values())
      if (cursor.state === 'reading' || cursor.state === 'full') cursor.position = this.#reader.next(cursor.at);
    const cursors = gained.map((at): Cursor => ({ at, name: nameOf(at), state: 'beginning', position: 0, begunAt: 0, sent: 0 }));
    for (const cursor of cursors) this.#cursors.set(cursor.name, cursor);
    this.#reader.assigned(this.partitions);
    void this.#begin(cursors);
    this.readSoon();
  }
  endAll(): void {
    for (const cursor of [...this.#cursors.values()]) this.#end(cursor);
  }
  /** A kill -9: the reader hears nothing more. */
  forget(): void {
    this.#cursors.clear();
  }

  hold(): void {
    this.#isHeld = true;
  }
  resume(at: readonly TopicPartition[]): void {
    for (const one of at) {
      const cursor = this.#cursors.get(nameOf(one));
      if (cursor?.state === 'full') cursor.state = 'reading';
    }
    this.readSoon();
  }
  async again(at: TopicPartition): Promise<void> {
    const cursor = this.#cursors.get(nameOf(at));
    if (cursor !== undefined && cursor.state !== 'beginning') await this.#begin([cursor]);
  }

  readSoon(): void {
    if (this.#isReadingSoon || this.#isHeld) return;
    this.#isReadingSoon = true;
    const { world, clock, mayFetch } = this.#it;
    const round = () => {
      this.#isReadingSoon = false;
      if (mayFetch() && this.read()) this.readSoon();
    };
    const ms = drawnMs(world, world.faults?.fetchMs);
    if (ms > 0) clock.after(ms, round, true);
    else clock.soon(round);
  }
  /** One turn of every partition; true: there is more to read now. */
  read(): boolean {
    let more = false;
    // Those that stand there now: a turn may end with partitions lost.
    for (const cursor of [...this.#cursors.values()]) if (this.#readFrom(cursor)) more = true;
    return more;
  }

  // ── Beginning ──

  /** One round at a time: a partition that was lost and is back is not begun before its former beginning has answered. */
  #begin(cursors: readonly Cursor[]): Promise<void> {
    for (const cursor of cursors) cursor.state = 'beginning';
    this.#rounds = this.#rounds.then(async () => {
      await Promise.all(cursors.map((cursor) => this.#beginOne(cursor)));
    });
    return this.#rounds;
  }

  async #beginOne(cursor: Cursor): Promise<void> {
    // Whoever drains takes nothing up any more.
    if (this.#isHeld || !this.#stillHeld(cursor)) return;
    const begin = await this.#asked(cursor);
    // Lost while it was asked: what the answer set up must go again.
    if (!this.#stillHeld(cursor)) return this.#reader.end(cursor.at);
    if (begin === undefined) return;
    if ('refused' in begin) {
      cursor.state = 'refused';
      return;
    }
    cursor.position = begin.offset;
    cursor.begunAt = begin.offset;
    cursor.sent = begin.offset;
    cursor.state = 'reading';
    this.readSoon();
  }

  async #asked(cursor: Cursor) {
    const { at } = cursor;
    const { world, clock, committed, isReachable } = this.#it;
    try {
      if (!isReachable()) throw new Error('the brokers do not answer');
      const { low, high } = world.shelf(at);
      const bounds = { committed: committed.get(nameOf(at)), low, high, fresh: committed.size === 0 };
      const ms = drawnMs(world, world.faults?.fetchMs);
      if (ms > 0) await new Promise<void>((resolve) => clock.after(ms, resolve, true));
      return this.#stillHeld(cursor) ? await this.#reader.begin(at, bounds) : undefined;
    } catch {
      // It could not be judged yet: asked again as long as the partition is held.
      clock.after(BEGIN_AGAIN_MS, () => this.#stillHeld(cursor) && void this.#begin([cursor]), true);
      return undefined;
    }
  }

  #stillHeld(cursor: Cursor): boolean {
    return this.#cursors.get(cursor.name) === cursor;
  }

  // ── Reading ──

  #readFrom(cursor: Cursor): boolean {
    const { world } = this.#it;
    const shelf = world.shelf(cursor.at);
    if (cursor.state === 'reading' && happens(world, world.faults?.repeatRate)) {
      const back = Math.ceil(drawnMs(world, REPEAT_MAX));
      cursor.position = Math.min(cursor.position, Math.max(shelf.low, cursor.begunAt, cursor.position - back));
    }
    for (let n = 0; n < BATCH; n++) {
      if (this.#isHeld || cursor.state !== 'reading' || !this.#stillHeld(cursor)) return false;
      if (cursor.position < shelf.low) return this.#refuse(cursor, 'COMMANDS_EXPIRED', `the log begins at ${shelf.low}`);
      if (cursor.position > shelf.high) return this.#refuse(cursor, 'COMMANDS_RECREATED', `the log ends at ${shelf.high}`);
      if (cursor.position === shelf.high) return false;
      if (!this.#readOne(cursor)) cursor.state = 'full';
    }
    return true;
  }

  #readOne(cursor: Cursor): boolean {
    const shelf = this.#it.world.shelf(cursor.at);
    const record = shelf.at(cursor.position);
    if (record === undefined) return false;
    const unread = shelf.unreadable(cursor.position);
    const taken =
      unread === undefined ? this.#reader.take(record) : this.#reader.unreadable(cursor.at, cursor.position, unread.end, unread.codec);
    if (taken) cursor.position = (unread?.end ?? cursor.position) + 1;
    return taken;
  }

  #refuse(cursor: Cursor, code: 'COMMANDS_EXPIRED' | 'COMMANDS_RECREATED', found: string): false {
    cursor.state = 'refused';
    this.#reader.refuse(cursor.at, code, `${nameOf(cursor.at)}: expected offset ${cursor.position}, but ${found}`);
    return false;
  }

  #end(cursor: Cursor): void {
    this.#cursors.delete(cursor.name);
    this.#reader.end(cursor.at);
  }
}
