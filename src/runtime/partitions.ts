/** The partitions held now: where each begins, how far it is applied, and whether the store can be trusted for it. */
import { every, pause } from '../clock.ts';
import { LocusError, why } from '../errors.ts';
import type { Alarm, Begin, Bounds, Clock, CommandLog, Log, Registry, StateStore, TopicPartition } from '../ports.ts';
import { OffsetTracker, startPosition } from './offset-tracker.ts';

export type Refused = TopicPartition & { readonly code: string; readonly why: string };
export type PartitionsOptions = {
  readonly store: StateStore;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
  readonly group: string;
  /** The topic whose partitions stand for ownership. */
  readonly topic: string;
  /** All lane topics, that one among them. */
  readonly lanes: readonly string[];
  readonly count: number;
  readonly gained: (partition: number) => void;
  readonly lost: (partition: number) => void;
};

const CHECKPOINT_MS = 200;
const RETRY_MS = 200;
const nameOf = (at: TopicPartition): string => `${at.topic}/${at.partition}`;
const numberOf = (generation: string | undefined): number => Number(generation?.slice(0, generation.indexOf(':')) ?? 0);

export class Partitions {
  readonly #it: PartitionsOptions;
  readonly #trackers = new Map<string, (OffsetTracker | undefined)[]>();
  #heldCount = 0;
  readonly #refused = new Map<string, Refused>();
  /** Refused partitions of which an operator said that they are as they should be: why each was refused. */
  readonly #accepted = new Map<string, string>();
  /** Partitions whose log seemed to end too early: how far they were applied or committed by then. */
  readonly #reached = new Map<string, number>();
  #log: Pick<CommandLog, 'commit' | 'again'> | undefined;
  #generation: string | undefined;
  /** The latest that the store had, kept when the store has lost it: the next one must be above it. */
  #known: string | undefined;
  #checking: Promise<void> | undefined;
  #committing: Promise<void> | undefined;
  #timer: Alarm | undefined;

  constructor(options: PartitionsOptions) {
    this.#it = options;
  }

  get count(): number {
    return this.#it.count;
  }
  /** The latest one seen here. */
  get generation(): string {
    return this.#known ?? '';
  }
  start(log: Pick<CommandLog, 'commit' | 'again'>): void {
    this.#log = log;
    this.#timer = every(
      this.#it.clock,
      CHECKPOINT_MS,
      () => (this.#isDue() ? this.checkpoint() : undefined),
      (error) => this.#it.log.warn({ why: why(error) }, 'offsets not committed'),
    );
  }
  stop(): void {
    this.#timer?.cancel();
  }

  tracker(at: TopicPartition): OffsetTracker | undefined {
    return this.#trackers.get(at.topic)?.[at.partition];
  }
  held(partition: number): boolean {
    return this.#trackers.get(this.#it.topic)?.[partition] !== undefined;
  }
  /** Over its lanes: what one of them has forgotten no other may run. */
  newestMs(partition: number): number {
    let newestMs = 0;
    for (const row of this.#trackers.values()) newestMs = Math.max(newestMs, row[partition]?.newestMs ?? 0);
    return newestMs;
  }
  /** Records taken and not yet covered by a committed offset. */
  get lag(): number {
    return this.#all().reduce((sum, [, tracker]) => sum + Math.max(0, tracker.highest + 1 - tracker.committed), 0);
  }
  get refused(): readonly Refused[] {
    return [...this.#refused.values()];
  }
  get heldCount(): number {
    return this.#heldCount;
  }
  get heldPartitions(): readonly number[] {
    return (this.#trackers.get(this.#it.topic) ?? []).flatMap((tracker, partition) => (tracker === undefined ? [] : [partition]));
  }

  /** Gained: where to begin, once the store has answered. */
  async begin(at: TopicPartition, bounds: Bounds): Promise<Begin> {
    const { reached, ...begin } = await this.#decide(at, bounds);
    if ('refused' in begin) {
      if (begin.refused === 'COMMANDS_RECREATED') this.#checkEnd(at, bounds.high, reached ?? 0);
      this.#refused.set(nameOf(at), { ...at, code: begin.refused, why: begin.why });
      this.#it.log.error({ ...at, code: begin.refused, why: begin.why }, 'partition refused');
    }
    return begin;
  }
  /**
   * The log's end was looked at before the store was: whoever held the partition then may have gone on since, and it only seems to end too early.
   * Judged again by a later look: below what was reached before that look, it is another log.
   */
  #checkEnd(at: TopicPartition, high: number, reached: number): void {
    const before = this.#reached.get(nameOf(at));
    this.#reached.set(nameOf(at), reached);
    if (before === undefined || high >= before)
      throw new LocusError('LOG_DOWN', `${nameOf(at)} ended at ${high} when ${reached} was applied: its end is looked at again`);
  }
  async #decide(at: TopicPartition, bounds: Bounds): Promise<Begin & { readonly reached?: number }> {
    const { store, log, clock } = this.#it;
    for (;;) {
      try {
        const generation = (await store.generation()) ?? (bounds.fresh ? await store.setGeneration(1, undefined) : undefined);
        if (generation === undefined)
          return {
            refused: 'CANARY',
            why: 'offsets are committed but the store has no generation: it is empty or another one. If that is as meant, accept the partition.',
          };
        if (this.#generation !== undefined && generation !== this.#generation) this.recheck();
        this.#adopt(this.#generation ?? generation);
        const accepted = await this.#accept(at, bounds, generation);
        const applied = await store.applied(this.#key(at));
        const begin = accepted === undefined ? startPosition(bounds, applied, store.life() ?? '') : { offset: accepted };
        if ('refused' in begin) return { ...begin, reached: Math.max(bounds.committed ?? 0, applied?.offset ?? 0) };
        if ('moved' in begin)
          log.warn(
            { ...at, committed: bounds.committed, applied: applied?.offset },
            'offsets were moved from outside: goes on where the store is',
          );
        this.#accepted.delete(nameOf(at));
        this.#refused.delete(nameOf(at));
        this.#reached.delete(nameOf(at));
        this.#set(at, new OffsetTracker(begin.offset, applied));
        if (at.topic === this.#it.topic) this.#gained(at.partition);
        return { offset: begin.offset };
      } catch (error) {
        log.warn({ ...at, why: why(error) }, 'cannot begin yet');
        await pause(clock, RETRY_MS);
      }
    }
  }

  /** Where an accepted partition goes on. The store knows it from then on, so that the next owner is not refused. */
  async #accept(at: TopicPartition, { committed, low, high }: Bounds, generation: string): Promise<number | undefined> {
    const code = this.#accepted.get(nameOf(at));
    if (code === undefined) return undefined;
    const offset = code === 'CANARY' && committed !== undefined && committed >= low && committed <= high ? committed : low;
    const written = await this.#it.store.setApplied(this.#key(at), offset, 0, generation, true);
    if (written.kind !== 'ok') throw new LocusError('STORE_DOWN', `where it goes on was not written down: ${written.kind}`);
    return offset;
  }

  /** Lost: forgotten whole; late closes and commits of it have no effect. */
  end(at: TopicPartition): void {
    this.#refused.delete(nameOf(at));
    this.#accepted.delete(nameOf(at));
    this.#reached.delete(nameOf(at));
    this.#forget(at);
  }
  refuse(at: TopicPartition, code: string, reason: string): void {
    this.#refused.set(nameOf(at), { topic: at.topic, partition: at.partition, code, why: reason });
    this.#it.log.error({ ...plain(at), code, why: reason }, 'partition refused');
    this.#forget(at);
  }
  #gained(partition: number): void {
    this.#it.gained(partition);
    // Lanes that were forgotten with this one; those that begin just now are not disturbed.
    for (const at of this.#others(partition)) if (this.tracker(at) === undefined) void this.#log?.again(at);
  }
  #forget(at: TopicPartition): void {
    const tracker = this.tracker(at);
    if (tracker === undefined) return;
    tracker.forgotten = true;
    this.#set(at, undefined);
    if (at.topic !== this.#it.topic) return;
    // Its locations go, and with them what waits there from the other lanes: those are read again from what is final.
    for (const other of this.#others(at.partition)) this.#forget(other);
    this.#it.lost(at.partition);
  }
  #others(partition: number): readonly TopicPartition[] {
    return this.#it.lanes.filter((topic) => topic !== this.#it.topic).map((topic) => ({ topic, partition }));
  }

  /** For claims: the generation that was checked in the store's present life; undefined: this partition is not ours to serve. */
  async checked(partition: number): Promise<string | undefined> {
    while (this.#checking !== undefined) await this.#checking;
    return this.held(partition) ? this.#generation : undefined;
  }
  /** The store showed another life or generation: before anything else is claimed, it must still hold what it acknowledged. */
  recheck(): void {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
  }
  async #check(): Promise<void> {
    const { store, clock, log } = this.#it;
    for (;;) {
      try {
        const generation = await store.generation();
        for (const [at, tracker] of this.#all()) {
          // As of before the question: a checkpoint may go through while its answer is on the way.
          const before = tracker.applied;
          const applied = await store.applied(this.#key(at));
          if (generation === undefined || (before !== undefined && (applied?.offset ?? -1) < before))
            this.refuse(
              at,
              'CANARY',
              `the store had applied ${before ?? 'nothing'} of it and now knows ${applied?.offset ?? 'nothing'}: it lost what it had acknowledged`,
            );
        }
        this.#adopt(generation);
        log.warn({ generation: numberOf(generation), life: store.life() }, 'the store was checked anew');
        return;
      } catch (error) {
        log.warn({ why: why(error) }, 'the store cannot be checked yet');
        await pause(clock, RETRY_MS);
      }
    }
  }

  /** Cheap, for it is asked all the time and hardly ever so. */
  #isDue(): boolean {
    for (const row of this.#trackers.values()) if (row.some((it) => it !== undefined && it.watermark > it.committed)) return true;
    return this.#committing !== undefined;
  }
  /** Writes down in the store how far each partition is final, then commits that to the group. One at a time. */
  checkpoint(): Promise<void> {
    this.#committing ??= this.#checkpoint().finally(() => {
      this.#committing = undefined;
    });
    return this.#committing;
  }
  async #checkpoint(): Promise<void> {
    const generation = this.#generation;
    if (generation === undefined) return;
    const due = this.#all().flatMap(([at, tracker]) =>
      tracker.watermark > tracker.committed ? [{ at, tracker, offset: tracker.watermark }] : [],
    );
    const written = await Promise.all(
      due.map(async (it) => {
        const answer = await this.#it.store.setApplied(this.#key(it.at), it.offset, it.tracker.newestMs, generation);
        if (answer.kind === 'generation' || answer.kind === 'new-life') this.recheck();
        if (answer.kind !== 'ok' || it.tracker.forgotten) return undefined;
        it.tracker.applied = Math.max(it.tracker.applied ?? 0, it.offset);
        return it;
      }),
    );
    const ready = written.filter((it) => it !== undefined);
    if (ready.length === 0) return;
    await this.#log?.commit(ready.map(({ at, offset }) => ({ ...at, offset })));
    for (const { tracker, offset } of ready) tracker.committed = Math.max(tracker.committed, offset);
  }

  /** An operator says that a refused partition is as it should be. The generation rises, so that no epoch is issued twice. */
  async accept(at: TopicPartition): Promise<string | undefined> {
    const refused = this.#refused.get(nameOf(at));
    if (refused === undefined) return undefined;
    const generation = await this.raise();
    this.#accepted.set(nameOf(at), refused.code);
    await this.#log?.again(at);
    return generation;
  }
  /** A new generation above every one that the store or any replica has seen. */
  async raise(): Promise<string> {
    const { store, registry } = this.#it;
    const standing = await store.generation();
    const seen = (await registry.list()).replicas.map((replica) => numberOf(replica.generation));
    const number = Math.max(numberOf(standing), numberOf(this.#known), ...seen) + 1;
    const raised = await store.setGeneration(number, standing);
    this.#adopt(raised);
    return raised;
  }
  #adopt(generation: string | undefined): void {
    this.#generation = generation;
    this.#known = generation ?? this.#known;
  }

  #key(at: TopicPartition) {
    return { group: this.#it.group, topic: at.topic, partition: at.partition };
  }
  #set(at: TopicPartition, tracker: OffsetTracker | undefined): void {
    const row = this.#trackers.get(at.topic) ?? [];
    row[at.partition] = tracker;
    this.#trackers.set(at.topic, row);
    this.#heldCount = this.heldPartitions.length;
  }
  #all(): readonly (readonly [TopicPartition, OffsetTracker])[] {
    return [...this.#trackers].flatMap(([topic, row]) =>
      row.flatMap((tracker, partition) => (tracker === undefined ? [] : [[{ topic, partition }, tracker] as const])),
    );
  }
}

const plain = ({ topic, partition }: TopicPartition) => ({ topic, partition });
