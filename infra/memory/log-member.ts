/** One replica's reading of a log in its own process: the same `CommandLog` as over Kafka, rule for rule. */
import { LocusError } from '../../src/errors.ts';
import type { Alarm, Clock, CommandLog, LogReader, LogRecord, TopicPartition } from '../../src/ports.ts';
import type { Group, GroupMember } from './log-group.ts';
import { nameOf } from './log-world.ts';

/** What is read: the memory twin's world, or a durable log of the same shape. */
export type Readable = {
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

export type MemberOptions = {
  readonly replicaId: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  /** Asked before joining; false ends in `onFatal`. */
  readonly mayJoin: () => Promise<boolean>;
  readonly onFatal: (why: string) => void;
};

const HEARTBEAT_MS = 300;
const BEGIN_AGAIN_MS = 500;
/** Records taken from one partition before the others have their turn. */
const BATCH = 100;

/** beginning: `begin` has not answered · full: waits for `resume` · refused: waits for `again`. */
type Cursor = {
  readonly at: TopicPartition;
  state: 'beginning' | 'reading' | 'full' | 'refused';
  position: number;
  /** The highest offset committed in this cursor's life: a late smaller one changes nothing. */
  committed: number;
};

export class Member implements CommandLog, GroupMember {
  readonly replicaId: string;
  readonly sessionTimeoutMs: number;
  readonly #world: Readable;
  readonly #group: Group;
  readonly #options: MemberOptions;
  readonly #cursors = new Map<string, Cursor>();
  readonly #wake = () => this.#readSoon();
  #reader: LogReader | undefined;
  #generation = -1;
  #state: 'new' | 'up' | 'held' | 'over' = 'new';
  #heartbeat: Alarm | undefined;
  #readingSoon = false;
  #rounds: Promise<void> = Promise.resolve();

  constructor(world: Readable, group: Group, options: MemberOptions) {
    this.#world = world;
    this.#options = options;
    this.#group = group;
    this.replicaId = options.replicaId;
    this.sessionTimeoutMs = options.sessionTimeoutMs;
    for (const topic of options.topics) world.shelves(topic);
  }

  get partitions(): number {
    return this.#world.partitions;
  }

  async start(reader: LogReader): Promise<void> {
    this.#reader = reader;
    if (!(await this.#options.mayJoin())) return this.#options.onFatal('this replica may not join its group');
    this.#state = 'up';
    this.#world.listeners.add(this.#wake);
    this.#beat();
    await this.#group.join(this);
  }

  hold(): void {
    if (this.#state === 'up') this.#state = 'held';
  }

  resume(at: readonly TopicPartition[]): void {
    for (const one of at) {
      const cursor = this.#cursors.get(nameOf(one));
      if (cursor?.state === 'full') cursor.state = 'reading';
    }
    this.#readSoon();
  }

  async again(at: TopicPartition): Promise<void> {
    const cursor = this.#cursors.get(nameOf(at));
    if (cursor !== undefined && cursor.state !== 'beginning') await this.#begin([cursor]);
  }

  async commit(offsets: readonly (TopicPartition & { readonly offset: number })[]): Promise<void> {
    await new Promise<void>((resolve) => this.#world.clock.soon(resolve));
    const answers = offsets.map((at) => this.#commitOne(at));
    const foreign = offsets.filter((_, n) => answers[n] === false);
    await Promise.all(answers);
    if (foreign.length > 0) throw new LocusError('PARTITION_REFUSED', `not committed, not held here: ${foreign.map(nameOf).join(', ')}`);
  }

  /** false: refused; else what the group answers. */
  #commitOne(at: TopicPartition & { readonly offset: number }): unknown {
    const cursor = this.#cursors.get(nameOf(at));
    if (cursor === undefined || at.offset < 0 || !this.#group.has(this) || this.#reader?.owns(at) !== true) return false;
    cursor.committed = Math.max(cursor.committed, at.offset);
    return this.#group.committed.set(nameOf(at), cursor.committed);
  }

  async stop(): Promise<void> {
    if (this.#state === 'over') return;
    this.#close();
    for (const cursor of [...this.#cursors.values()]) this.#end(cursor);
    await this.#group.leave(this);
  }

  /** A kill -9: the group hears nothing, and the reader nothing more. */
  vanish(): void {
    this.#close();
    this.#cursors.clear();
    this.#group.silent(this);
  }

  // ── What the group tells ──

  async settle(): Promise<void> {
    if (this.#state === 'over') return new Promise(() => {});
    if (this.#generation >= 0) await this.#reader?.rebalancing();
  }

  joined(generation: number, partitions: readonly number[]): void {
    if (this.#state === 'over' || this.#reader === undefined) return;
    // Across a missed generation somebody else may have held what is ours again: then nothing counts as kept.
    const unbroken = generation === this.#generation + 1;
    this.#generation = generation;
    const now = this.#options.topics.flatMap((topic) => partitions.map((partition) => ({ topic, partition })));
    const names = new Set(now.map(nameOf));
    for (const [name, cursor] of this.#cursors) if (!unbroken || !names.has(name)) this.#end(cursor);
    const gained = now.filter((at) => !this.#cursors.has(nameOf(at)));
    for (const cursor of this.#cursors.values()) if (cursor.state !== 'beginning') cursor.position = this.#reader.next(cursor.at);
    this.#reader.assigned(partitions);
    const cursors = gained.map((at): Cursor => ({ at, state: 'beginning', position: 0, committed: 0 }));
    for (const cursor of cursors) this.#cursors.set(nameOf(cursor.at), cursor);
    void this.#begin(cursors);
    this.#readSoon();
  }

  fenced(): void {
    if (this.#state === 'over') return;
    this.#close();
    for (const cursor of [...this.#cursors.values()]) this.#end(cursor);
    this.#options.onFatal(`another life of ${this.replicaId} joined the group`);
  }

  // ── Reading ──

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
    if (this.#state !== 'up' || !this.#stillHeld(cursor)) return;
    const begin = await this.#asked(cursor);
    // Lost while it was asked: what the answer set up must go again.
    if (!this.#stillHeld(cursor)) return this.#reader?.end(cursor.at);
    if (begin === undefined) return;
    if ('refused' in begin) {
      cursor.state = 'refused';
      return;
    }
    cursor.position = begin.offset;
    cursor.committed = begin.offset;
    cursor.state = 'reading';
    this.#readSoon();
  }

  async #asked(cursor: Cursor) {
    const { at } = cursor;
    const shelf = this.#world.shelf(at);
    const { committed } = this.#group;
    try {
      return await this.#reader?.begin(at, {
        committed: committed.get(nameOf(at)),
        low: shelf.low,
        high: shelf.high,
        fresh: committed.size === 0,
      });
    } catch {
      // The runtime could not judge it yet: it is asked again as long as the partition is held.
      this.#world.clock.after(BEGIN_AGAIN_MS, () => this.#stillHeld(cursor) && void this.#begin([cursor]), true);
      return undefined;
    }
  }

  #stillHeld(cursor: Cursor): boolean {
    return this.#state !== 'over' && this.#cursors.get(nameOf(cursor.at)) === cursor;
  }

  #readSoon(): void {
    if (this.#readingSoon || this.#state !== 'up') return;
    this.#readingSoon = true;
    this.#world.clock.soon(() => {
      this.#readingSoon = false;
      const more = [...this.#cursors.values()].map((cursor) => this.#read(cursor));
      if (more.some((one) => one)) this.#readSoon();
    });
  }

  /** true: there is more to read now. */
  #read(cursor: Cursor): boolean {
    const shelf = this.#world.shelf(cursor.at);
    for (let n = 0; n < BATCH; n++) {
      if (this.#state !== 'up' || cursor.state !== 'reading' || !this.#stillHeld(cursor)) return false;
      if (cursor.position < shelf.low) return this.#refuse(cursor, 'COMMANDS_EXPIRED', `the log begins at ${shelf.low}`);
      if (cursor.position > shelf.high) return this.#refuse(cursor, 'COMMANDS_RECREATED', `the log ends at ${shelf.high}`);
      if (cursor.position === shelf.high) return false;
      if (!this.#readOne(cursor)) cursor.state = 'full';
    }
    return true;
  }

  #readOne(cursor: Cursor): boolean {
    const shelf = this.#world.shelf(cursor.at);
    const record = shelf.at(cursor.position);
    if (this.#reader === undefined || record === undefined) return false;
    const unread = shelf.unreadable(cursor.position);
    const taken =
      unread === undefined ? this.#reader.take(record) : this.#reader.unreadable(cursor.at, cursor.position, unread.end, unread.codec);
    if (taken) cursor.position = (unread?.end ?? cursor.position) + 1;
    return taken;
  }

  #refuse(cursor: Cursor, code: 'COMMANDS_EXPIRED' | 'COMMANDS_RECREATED', found: string): false {
    cursor.state = 'refused';
    this.#reader?.refuse(cursor.at, code, `${nameOf(cursor.at)}: expected offset ${cursor.position}, but ${found}`);
    return false;
  }

  #end(cursor: Cursor): void {
    this.#cursors.delete(nameOf(cursor.at));
    this.#reader?.end(cursor.at);
  }

  #beat(): void {
    this.#heartbeat = this.#world.clock.after(
      HEARTBEAT_MS,
      () => {
        if (this.#group.has(this)) this.#reader?.alive();
        this.#beat();
      },
      true,
    );
  }

  #close(): void {
    this.#state = 'over';
    this.#heartbeat?.cancel();
    this.#world.listeners.delete(this.#wake);
  }
}
