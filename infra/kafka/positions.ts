/** Which partitions are held and where reading stands in each: keeps kafkajs's positions and pauses in step with the runtime. */
import type { Admin, Batch, Consumer } from 'kafkajs';
import { why } from '../../src/errors.ts';
import type { Bounds, Clock, Log, LogReader, TopicPartition } from '../../src/ports.ts';
import { boundsOf } from './bounds.ts';
import { type Cursor, nameOf, newCursor, startOf, takeSlice } from './cursor.ts';

export type PositionsOptions = {
  readonly consumer: Pick<Consumer, 'seek' | 'pause' | 'resume'>;
  readonly admin: Admin;
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
};
/** A batch as kafkajs hands it over. */
export type Delivery = { readonly batch: Batch; resolveOffset(offset: string): void; isStale(): boolean };

const AGAIN_MS = 500;

export class Positions {
  readonly #it: PositionsOptions;
  readonly #reader: LogReader;
  readonly #cursors = new Map<string, Cursor>();
  #held = false;
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

  /** Asked at the moment of sending. */
  maySend(at: TopicPartition, offset: number): boolean {
    const cursor = this.#cursors.get(nameOf(at));
    if (cursor === undefined) return false;
    // This is how kafkajs meets an offset out of range: it would go on from the earliest record without a word.
    if (offset < 0 && cursor.state === 'reading') void this.#judge(cursor, cursor.position);
    if (offset < cursor.sent || !this.owns(at)) return false;
    cursor.sent = offset;
    return true;
  }

  /** What is held from now on. Must not wait: what is not paused when it returns is fetched. */
  assign(held: readonly TopicPartition[], unbroken: boolean): void {
    const names = new Set(held.map(nameOf));
    for (const cursor of [...this.#cursors.values()]) if (!unbroken || !names.has(nameOf(cursor.at))) this.#end(cursor);
    const gained = held.filter((at) => !this.#cursors.has(nameOf(at))).map(newCursor);
    for (const cursor of this.#cursors.values()) this.#keep(cursor);
    for (const cursor of gained) this.#cursors.set(nameOf(cursor.at), cursor);
    this.#reader.assigned(this.partitions);
    void this.#begin(gained);
  }

  /** kafkajs went back to the committed offset; pauses are set again, lest it forgot them. */
  #keep(cursor: Cursor): void {
    if (cursor.state === 'reading' || cursor.state === 'full') this.#seek(cursor, this.#reader.next(cursor.at));
    if (cursor.state !== 'reading' || this.#held) this.#pause(cursor);
  }

  endAll(): void {
    for (const cursor of [...this.#cursors.values()]) this.#end(cursor);
  }

  #end(cursor: Cursor): void {
    this.#cursors.delete(nameOf(cursor.at));
    this.#reader.end(cursor.at);
  }

  hold(): void {
    this.#held = true;
    for (const cursor of this.#cursors.values()) this.#pause(cursor);
  }

  resume(at: readonly TopicPartition[]): void {
    for (const one of at) {
      const cursor = this.#cursors.get(nameOf(one));
      if (cursor?.state === 'full') this.#goOn(cursor);
    }
  }

  async again(at: TopicPartition): Promise<void> {
    const cursor = this.#cursors.get(nameOf(at));
    if (cursor !== undefined && cursor.state !== 'beginning') await this.#begin([cursor]);
  }

  /** A slice at a time: what is under way here does not wait until a whole batch is taken. */
  async read({ batch, resolveOffset, isStale }: Delivery): Promise<void> {
    const cursor = this.#cursors.get(nameOf(batch));
    const first = batch.messages[0];
    if (cursor === undefined || first === undefined) return;
    for (let at = 0; this.#stands(cursor, 'reading') && !this.#held && !isStale(); ) {
      if (at === 0 && startOf(first) > cursor.position) return void this.#judge(cursor, startOf(first));
      const before = cursor.position;
      const next = takeSlice(cursor, batch, at, this.#reader);
      if (next === 'no room') {
        cursor.state = 'full';
        this.#pause(cursor);
      }
      if (cursor.position > before) resolveOffset(String(cursor.position - 1));
      if (typeof next !== 'number') return;
      at = next;
      const left = cursor.position;
      await new Promise<void>((resolve) => this.#it.clock.soon(resolve));
      // Sent elsewhere meanwhile: what it wants now comes in another batch, and the rest of this one may lie behind a gap.
      if (cursor.position !== left) return;
    }
  }

  /** One round at a time: a partition that was lost and is back is not begun before its former beginning has answered. */
  #begin(cursors: readonly Cursor[]): Promise<void> {
    for (const cursor of cursors) {
      cursor.state = 'beginning';
      this.#pause(cursor);
    }
    this.#rounds = this.#rounds.then(() => this.#beginRound(cursors));
    return this.#rounds;
  }

  async #beginRound(cursors: readonly Cursor[]): Promise<void> {
    for (;;) {
      const due = cursors.filter((cursor) => this.#stands(cursor, 'beginning'));
      // Whoever drains takes nothing up any more.
      if (due.length === 0 || this.#held) return;
      try {
        const bounds = await boundsOf(this.#it.admin, this.#it.groupId, this.#it.topics);
        const begun = await Promise.allSettled(due.map((cursor) => this.#beginOne(cursor, bounds(cursor.at))));
        for (const one of begun) if (one.status === 'rejected') throw one.reason;
      } catch (error) {
        await this.#pauseBeforeAgain(error);
      }
    }
  }

  async #beginOne(cursor: Cursor, bounds: Bounds): Promise<void> {
    if (!this.#stands(cursor, 'beginning')) return;
    const begin = await this.#reader.begin(cursor.at, bounds);
    // Lost while it was asked: what the answer set up must go again.
    if (!this.#stands(cursor, 'beginning')) return this.#reader.end(cursor.at);
    if ('refused' in begin) {
      cursor.state = 'refused';
      return;
    }
    cursor.sent = begin.offset;
    this.#seek(cursor, begin.offset);
    this.#goOn(cursor);
  }

  /** The log went on at `found`, not where it should: compacted and aborted records leave gaps, but what expired is lost. */
  async #judge(cursor: Cursor, found: number): Promise<void> {
    cursor.state = 'judging';
    this.#pause(cursor);
    while (this.#stands(cursor, 'judging')) {
      try {
        const { low, high } = (await boundsOf(this.#it.admin, this.#it.groupId, [cursor.at.topic]))(cursor.at);
        if (this.#stands(cursor, 'judging')) this.#goOnWithin(cursor, found, low, high);
      } catch (error) {
        await this.#pauseBeforeAgain(error);
      }
    }
  }

  #goOnWithin(cursor: Cursor, found: number, low: number, high: number): void {
    const { position } = cursor;
    if (position < low) this.#refuse(cursor, 'COMMANDS_EXPIRED', `the log begins at ${low}`);
    else if (position > high) this.#refuse(cursor, 'COMMANDS_RECREATED', `the log ends at ${high}`);
    else {
      this.#seek(cursor, Math.max(position, found));
      this.#goOn(cursor);
    }
  }

  #refuse(cursor: Cursor, code: 'COMMANDS_EXPIRED' | 'COMMANDS_RECREATED', found: string): void {
    cursor.state = 'refused';
    this.#reader.refuse(cursor.at, code, `${nameOf(cursor.at)}: expected offset ${cursor.position}, but ${found}`);
  }

  async #pauseBeforeAgain(error: unknown): Promise<void> {
    this.#it.log.warn({ why: why(error) }, 'a partition cannot begin yet');
    await new Promise<void>((resolve) => this.#it.clock.after(AGAIN_MS, resolve, true));
  }

  /** The same cursor is still held, and nobody else changed its state meanwhile. */
  #stands(cursor: Cursor, state: Cursor['state']): boolean {
    return cursor.state === state && this.#cursors.get(nameOf(cursor.at)) === cursor;
  }

  #seek(cursor: Cursor, position: number): void {
    cursor.position = position;
    this.#it.consumer.seek({ ...cursor.at, offset: String(position) });
  }

  #pause({ at }: Cursor): void {
    this.#it.consumer.pause([{ topic: at.topic, partitions: [at.partition] }]);
  }

  #goOn(cursor: Cursor): void {
    cursor.state = 'reading';
    if (!this.#held) this.#it.consumer.resume([{ topic: cursor.at.topic, partitions: [cursor.at.partition] }]);
  }
}
