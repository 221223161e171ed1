/** A consumer group of the memory log, as a coordinator sees it: who is in it, what each holds, what was committed, and how it shares anew. */
import type { Clock } from '../../src/ports.ts';
import { type Owned, shareOut } from './log-shares.ts';

/** What the group tells one member. A member hears it in its own time, or never. */
export type GroupMember = {
  readonly replicaId: string;
  readonly sessionTimeoutMs: number;
  /** It runs by a clock of its own and may stop beating: then its session ends. */
  readonly mayFallSilent: boolean;
  /** Told that the group shares anew; resolves when it is ready to. */
  settle(): Promise<void>;
  joined(generation: number, partitions: readonly number[]): void;
  /** Another life joined under its replicaId. */
  fenced(): void;
};

/** What the group committed, by `topic/partition`. A durable one answers when it is on disk. */
export type Offsets = {
  get(name: string): number | undefined;
  set(name: string, offset: number): unknown;
  readonly size: number;
};

type Seat = {
  readonly member: GroupMember;
  owned: Owned;
  /** It waits to be told what it holds; nobody waits for its heartbeats meanwhile. */
  isReady: boolean;
  heardMs: number;
  readonly gone: Promise<void>;
  leave(): void;
};

/** Static membership: a member that returns under its replicaId within its session takes its old seat without a rebalance. */
export class Group<O extends Offsets = Offsets> {
  generation = 0;
  readonly committed: O;
  readonly #partitions: number;
  readonly #clock: Clock;
  /** Are the brokers gone? No session ends then. */
  readonly #isAway: () => boolean;
  #seats = new Map<string, Seat>();
  #sharing: Promise<void> | undefined;
  #changed = false;

  constructor(partitions: number, clock: Clock, committed: O, isAway: () => boolean = () => false) {
    this.#partitions = partitions;
    this.#clock = clock;
    this.committed = committed;
    this.#isAway = isAway;
  }

  has(member: GroupMember): boolean {
    return this.#seats.get(member.replicaId)?.member === member;
  }

  /** The member is told what it holds once all others are ready, or gone. `owned` is what it believes to hold: it only decides who keeps what. */
  join(member: GroupMember, owned: Owned): void {
    const old = this.#seats.get(member.replicaId);
    const seat = seatOf(member, old?.owned ?? owned, this.#clock.monotonic());
    this.#seats.set(member.replicaId, seat);
    if (member.mayFallSilent) this.#watch(seat);
    if (old === undefined) return void this.#share();
    old.leave();
    if (old.member !== member) old.member.fenced();
    if (this.#sharing !== undefined) return void this.#share();
    member.joined(this.generation, seat.owned.partitions);
  }

  async leave(member: GroupMember): Promise<void> {
    if (!this.has(member)) return;
    this.#seats.get(member.replicaId)?.leave();
    this.#seats.delete(member.replicaId);
    // Whoever leaves does not wait for the others to share what it held.
    void this.#share();
  }

  /** The member fell silent: its seat is kept until its session is over. */
  silent(member: GroupMember): void {
    this.#clock.after(member.sessionTimeoutMs, () => void this.leave(member), true);
  }

  /** A heartbeat. unknown: its session had ended · fenced: another life has its seat. */
  beat(member: GroupMember): 'known' | 'unknown' | 'fenced' {
    const seat = this.#seats.get(member.replicaId);
    if (seat === undefined) return 'unknown';
    if (seat.member !== member) return 'fenced';
    seat.heardMs = this.#clock.monotonic();
    return 'known';
  }

  /** Looks at member and generation, never at who holds the partition: that is the member's to know. false: refused. */
  commit(member: GroupMember, generation: number, name: string, offset: number): unknown {
    if (!this.has(member) || generation !== this.generation) return false;
    return this.committed.set(name, offset);
  }

  #watch(seat: Seat): void {
    const { sessionTimeoutMs } = seat.member;
    const nowMs = this.#clock.monotonic();
    if (seat.isReady || this.#isAway()) seat.heardMs = nowMs;
    if (nowMs - seat.heardMs >= sessionTimeoutMs) return void this.leave(seat.member);
    const wake = () => this.#seats.get(seat.member.replicaId) === seat && this.#watch(seat);
    // What is left of it may round to nothing.
    this.#clock.after(Math.max(1, seat.heardMs + sessionTimeoutMs - nowMs), wake, true);
  }

  #share(): Promise<void> {
    this.#changed = true;
    this.#sharing ??= this.#shareUntilStill().finally(() => {
      this.#sharing = undefined;
    });
    return this.#sharing;
  }

  async #shareUntilStill(): Promise<void> {
    while (this.#changed) {
      this.#changed = false;
      const seats = [...this.#seats.values()];
      // A silent member holds everybody up until its session ends, as it does in Kafka.
      await Promise.all(seats.map((seat) => Promise.race([settled(seat), seat.gone])));
      if (this.#changed) continue;
      this.generation++;
      const claims = seats.map(({ member, owned }) => ({ id: member.replicaId, owned }));
      const shares = shareOut(claims, this.#partitions);
      for (const seat of seats) {
        const partitions = shares.get(seat.member.replicaId) ?? [];
        seat.owned = { generation: this.generation, partitions };
        seat.isReady = false;
        seat.heardMs = this.#clock.monotonic();
        seat.member.joined(this.generation, partitions);
      }
    }
  }
}

async function settled(seat: Seat): Promise<void> {
  if (!seat.isReady) await seat.member.settle();
  seat.isReady = true;
}

function seatOf(member: GroupMember, owned: Owned, heardMs: number): Seat {
  let leave = () => {};
  const gone = new Promise<void>((resolve) => {
    leave = resolve;
  });
  return { member, owned, isReady: false, heardMs, gone, leave };
}
