/** One replica's reading of a log in its own process: the same `CommandLog` as over Kafka, rule for rule. */
import { LocusError } from '../../src/errors.ts';
import type { Alarm, Clock, CommandLog, LogReader, TopicPartition } from '../../src/ports.ts';
import { drawnMs, happens } from './log-faults.ts';
import type { Group, GroupMember } from './log-group.ts';
import { Positions, type Readable } from './log-positions.ts';
import type { Owned } from './log-shares.ts';
import { nameOf } from './log-world.ts';

export type MemberOptions = {
  readonly replicaId: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  /**
   * The replica's own, where it is not the brokers': what the group says is then heard in an event of this clock, and a replica whose clock
   * stands still falls silent, loses its session and finds out when it wakes.
   */
  readonly clock?: Clock;
  /** What an earlier life under this name held: it claims that again when it joins, behind whoever holds it by now. */
  readonly before?: readonly number[];
  /** Asked before joining; false ends in `onFatal`. */
  readonly mayJoin: () => Promise<boolean>;
  readonly onFatal: (why: string) => void;
  /** Told of each offset that the group took, when it takes it. */
  readonly committed?: (at: TopicPartition & { readonly offset: number }) => void;
};

const HEARTBEAT_MS = 300;
const JOIN_AGAIN_MS = 500;
/** How long the others wait for us to commit before they share anew. */
const LAST_COMMIT_MS = 1_000;
/** A member that the group does not know, or knows no more. */
const NO_GENERATION = -2;

export class Member implements CommandLog, GroupMember {
  readonly replicaId: string;
  readonly sessionTimeoutMs: number;
  readonly mayFallSilent: boolean;
  readonly #world: Readable;
  readonly #clock: Clock;
  readonly #group: Group;
  readonly #options: MemberOptions;
  readonly #wake = () => this.#positions?.readSoon();
  #reader: LogReader | undefined;
  #positions: Positions | undefined;
  #generation = NO_GENERATION;
  #state: 'new' | 'up' | 'over' = 'new';
  /** Ready to share, or not yet told what it holds: nothing is read meanwhile. */
  #isWaiting = true;
  #isJoining = false;
  #isCut = false;
  /** Something was not read, or not heard, for want of a connection. */
  #missed = false;
  /** What the group said while it could not be heard. */
  readonly #unheard: (() => void)[] = [];
  #toldFirst = () => {};
  #heartbeat: Alarm | undefined;

  constructor(world: Readable, group: Group, options: MemberOptions) {
    this.#world = world;
    this.#options = options;
    this.#group = group;
    this.#clock = options.clock ?? world.clock;
    this.mayFallSilent = options.clock !== undefined;
    this.replicaId = options.replicaId;
    this.sessionTimeoutMs = options.sessionTimeoutMs;
    for (const topic of options.topics) world.shelves(topic);
  }

  get partitions(): number {
    return this.#world.partitions;
  }

  async start(reader: LogReader): Promise<void> {
    this.#reader = reader;
    this.#positions = new Positions(
      {
        world: this.#world,
        clock: this.#clock,
        committed: this.#group.committed,
        isReachable: () => this.#isReachable(),
        mayFetch: () => this.#state === 'up' && this.#isReachable() && !this.#isWaiting,
      },
      reader,
    );
    this.#state = 'up';
    this.#world.listeners.add(this.#wake);
    const told = new Promise<void>((resolve) => {
      this.#toldFirst = resolve;
    });
    this.#beat();
    await this.#join();
    await told;
  }

  hold(): void {
    this.#positions?.hold();
  }
  resume(at: readonly TopicPartition[]): void {
    this.#positions?.resume(at);
  }
  async again(at: TopicPartition): Promise<void> {
    await this.#positions?.again(at);
  }

  async commit(offsets: readonly (TopicPartition & { readonly offset: number })[]): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.soon(resolve));
    const generation = this.#generation;
    const positions = this.#positions;
    if (positions === undefined || generation === NO_GENERATION) throw new LocusError('LOG_DOWN', 'not committed: not in the group');
    if (!this.#isReachable()) throw new LocusError('LOG_UNACKNOWLEDGED', 'the group did not take the offsets');
    const sent = offsets.map((at) => ({ ...at, offset: positions.sendable(at) }));
    const answers = await this.#arrives(() =>
      sent.map(({ offset, ...at }) => {
        if (offset === undefined) return true;
        const answer = this.#group.commit(this, generation, nameOf(at), offset);
        if (answer !== false) this.#options.committed?.({ ...at, offset });
        return answer;
      }),
    );
    await Promise.all(answers);
    if (answers.includes(false)) throw new LocusError('PARTITION_REFUSED', 'the group did not take the offsets');
    const foreign = offsets.filter((at) => !positions.owns(at));
    if (foreign.length > 0) throw new LocusError('PARTITION_REFUSED', `not committed, not held here: ${foreign.map(nameOf).join(', ')}`);
  }

  async stop(): Promise<void> {
    if (this.#state === 'over') return;
    this.#close();
    this.#positions?.endAll();
    this.#toldFirst();
    if (this.#isReachable()) await this.#group.leave(this);
    else this.#group.silent(this);
  }

  // ── What befalls it ──

  /** A kill -9: the group hears nothing, and the reader nothing more. */
  vanish(): void {
    this.#close();
    this.#positions?.forget();
    this.#group.silent(this);
  }
  /** Between it and the brokers nothing arrives any more, until this is taken back. */
  cut(isCut: boolean): void {
    this.#isCut = isCut;
  }
  /** The client gives its connections up and begins anew by itself, as kafkajs does after an error: all is forgotten, then joined again. */
  restart(): void {
    this.#tell(() => {
      this.#positions?.endAll();
      void this.#join();
    });
  }

  // ── What the group tells ──

  settle(): Promise<void> {
    const late = drawnMs(this.#world, this.#world.faults?.noticeMs);
    return new Promise((ready) => {
      this.#tell(async () => {
        const generation = this.#generation;
        if (late > 0) await this.#pause(late);
        // It joined anew meanwhile: it is not this sharing that it waits for.
        if (generation !== this.#generation) return ready();
        this.#isWaiting = true;
        await this.#lastCommits();
        if (this.#state === 'up' && happens(this.#world, this.#world.faults?.lateBatchRate)) this.#positions?.read();
        ready();
      });
    });
  }

  joined(generation: number, partitions: readonly number[]): void {
    this.#tell(() => {
      this.#isWaiting = false;
      this.#reader?.alive();
      // Across a missed generation somebody else may have held what is ours again: then nothing counts as kept.
      const unbroken = generation === this.#generation + 1;
      this.#generation = generation;
      const held = this.#options.topics.flatMap((topic) => partitions.map((partition) => ({ topic, partition })));
      this.#positions?.assign(held, unbroken);
      this.#toldFirst();
    });
  }

  fenced(): void {
    this.#tell(() => this.#fatal(`another life of ${this.replicaId} joined the group`));
  }

  /** Heard in an event of the replica's own, in the order in which it was said. */
  #tell(work: () => void): void {
    const hear = () => {
      if (this.#state !== 'up') return;
      if (this.#isReachable() && this.#unheard.length === 0) work();
      else this.#unheard.push(work);
    };
    if (this.mayFallSilent) this.#clock.soon(hear);
    else hear();
  }

  // ── Membership ──

  #isReachable(): boolean {
    if (!this.#isCut && this.#world.faults?.away !== true) return true;
    this.#missed = true;
    return false;
  }

  async #join(): Promise<void> {
    if (this.#isJoining) return;
    this.#isJoining = true;
    this.#isWaiting = true;
    for (;;) {
      const may = await this.#options.mayJoin().catch(() => undefined);
      if (this.#state !== 'up') return;
      if (may === false) return this.#fatal('this replica may not join its group');
      if (may && this.#isReachable()) break;
      await this.#pause(JOIN_AGAIN_MS);
    }
    this.#isJoining = false;
    const owned = this.#owned();
    // Under another member id nothing counts as kept.
    this.#generation = NO_GENERATION;
    this.#group.join(this, owned);
  }
  #owned(): Owned {
    const { before } = this.#options;
    if (this.#generation === NO_GENERATION && before !== undefined) return { generation: 0, partitions: before };
    return { generation: this.#generation, partitions: this.#positions?.partitions ?? [] };
  }

  async #lastCommits(): Promise<void> {
    if (this.#generation === NO_GENERATION) return;
    const told = Promise.resolve(this.#reader?.rebalancing()).catch(() => {});
    await new Promise<void>((resolve) => {
      const alarm = this.#clock.after(LAST_COMMIT_MS, resolve, true);
      void told.then(() => {
        alarm.cancel();
        resolve();
      });
    });
  }

  #beat(): void {
    this.#heartbeat = this.#clock.after(
      HEARTBEAT_MS,
      () => {
        this.#beat();
        if (this.#isReachable() && !this.#isJoining) this.#beatOnce();
      },
      true,
    );
  }
  #beatOnce(): void {
    if (this.#missed) this.#catchUp();
    const known = this.#group.beat(this);
    if (known === 'fenced') this.#fatal(`another life of ${this.replicaId} joined the group`);
    else if (known === 'unknown') void this.#join();
    else if (!this.#isWaiting) this.#reader?.alive();
  }
  #catchUp(): void {
    this.#missed = false;
    for (const heard of this.#unheard.splice(0)) heard();
    this.#positions?.readSoon();
  }

  #fatal(why: string): void {
    this.#close();
    this.#positions?.endAll();
    this.#toldFirst();
    this.#options.onFatal(why);
  }
  #close(): void {
    this.#state = 'over';
    this.#heartbeat?.cancel();
    this.#world.listeners.delete(this.#wake);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(ms, resolve, true));
  }
  /** Done by the group once it is there, whatever has become of the member meanwhile. */
  async #arrives<T>(work: () => T): Promise<T> {
    const ms = drawnMs(this.#world, this.#world.faults?.commitMs);
    if (ms === 0) return work();
    return new Promise((resolve) =>
      this.#world.clock.after(ms, () => {
        const answer = work();
        this.#clock.soon(() => resolve(answer));
      }),
    );
  }
}
