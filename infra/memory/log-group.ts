/** A consumer group of the memory log: who is in it, what each holds, what was committed, and how it shares anew. */
import type { Clock } from '../../src/ports.ts';

/** What the group asks of one member. */
export type GroupMember = {
  readonly replicaId: string;
  readonly sessionTimeoutMs: number;
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

type Seat = { readonly member: GroupMember; partitions: readonly number[]; readonly gone: Promise<void>; leave(): void };

/** Static membership: a member that returns under its replicaId within its session takes its old seat without a rebalance. */
export class Group<O extends Offsets = Offsets> {
  generation = 0;
  readonly committed: O;
  readonly #partitions: number;
  readonly #clock: Clock;
  #seats = new Map<string, Seat>();
  #sharing: Promise<void> | undefined;
  #changed = false;

  constructor(partitions: number, clock: Clock, committed: O) {
    this.#partitions = partitions;
    this.#clock = clock;
    this.committed = committed;
  }

  has(member: GroupMember): boolean {
    return this.#seats.get(member.replicaId)?.member === member;
  }

  /** Resolves once the member was told what it holds. */
  async join(member: GroupMember): Promise<void> {
    const old = this.#seats.get(member.replicaId);
    const seat = seatOf(member, old?.partitions ?? []);
    this.#seats.set(member.replicaId, seat);
    if (old === undefined) return this.#share();
    old.leave();
    old.member.fenced();
    if (this.#sharing !== undefined) return this.#share();
    member.joined(this.generation, seat.partitions);
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
      await Promise.all(seats.map((seat) => Promise.race([seat.member.settle(), seat.gone])));
      if (this.#changed) continue;
      this.generation++;
      const shares = shareOut(seats, this.#partitions);
      for (const [n, seat] of seats.entries()) {
        seat.partitions = shares[n] ?? [];
        seat.member.joined(this.generation, seat.partitions);
      }
    }
  }
}

function seatOf(member: GroupMember, partitions: readonly number[]): Seat {
  let leave = () => {};
  const gone = new Promise<void>((resolve) => {
    leave = resolve;
  });
  return { member, partitions, gone, leave };
}

/** Everyone keeps what they had up to a fair share; the rest goes to whoever has least. */
function shareOut(seats: readonly Seat[], partitions: number): number[][] {
  const fair = Math.floor(partitions / Math.max(1, seats.length));
  let larger = partitions - fair * seats.length;
  const shares = seats.map(({ partitions: had }) => {
    const keeps = had.length > fair && larger > 0 ? fair + 1 : fair;
    if (keeps > fair) larger--;
    return had.slice(0, keeps);
  });
  const kept = new Set(shares.flat());
  for (let partition = 0; partition < partitions; partition++) {
    if (kept.has(partition)) continue;
    const least = shares.reduce((a, b) => (b.length < a.length ? b : a), shares[0] ?? []);
    least.push(partition);
  }
  return shares;
}
