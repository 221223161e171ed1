/** This replica among the others: its number of life, its beat, and the wait of a newcomer while a dead one's session still runs. */
import { every, pause } from '../clock.ts';
import { LocusError, why } from '../errors.ts';
import type { Alarm, Clock, Log, Registry, Replica } from '../ports.ts';

export type MembershipOptions = {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
  readonly replicaId: string;
  readonly url: string;
  readonly sessionMs: number;
  readonly generation: () => string;
  readonly held: () => readonly number[];
  /** Another process runs under our REPLICA_ID with a higher life. */
  readonly superseded: (why: string) => void;
};

const BEAT_MS = 1_000;
/** A member whose session is over is out of the group a little later. */
const GRACE_MS = 2_000;
const LOOK_MS = 200;

/** Who may still be a member of the group although silent: whoever joins meanwhile would stop all until its session ends. */
export function silent(replicas: readonly Replica[], nowMs: number, sessionMs: number): readonly Replica[] {
  return replicas.filter(({ seenMs }) => nowMs - seenMs > 2 * BEAT_MS && nowMs - seenMs < sessionMs + GRACE_MS);
}

export class Membership {
  readonly #it: MembershipOptions;
  #life = 0;
  #before: readonly number[] = [];
  #timer: Alarm | undefined;

  constructor(options: MembershipOptions) {
    this.#it = options;
  }

  get life(): number {
    return this.#life;
  }
  /** What the life before this one held when it died: offered to the group, it comes back to it even if the group shares anew meanwhile. */
  get before(): readonly number[] {
    return this.#before;
  }
  get owner(): string {
    return `${this.#it.replicaId}/${this.#life}`;
  }

  /** Registers, after the wait that a new REPLICA_ID owes the others: a known one comes back to what it had. */
  async join(): Promise<void> {
    const { registry, clock, replicaId, url, sessionMs, log } = this.#it;
    const untilMs = clock.monotonic() + 2 * sessionMs;
    for (;;) {
      const { nowMs, replicas } = await registry.list();
      const own = replicas.filter((replica) => replica.replicaId === replicaId);
      const known = own.some((replica) => nowMs - replica.seenMs < sessionMs);
      this.#before = own.reduce<Replica | undefined>((a, b) => (a !== undefined && a.life > b.life ? a : b), undefined)?.partitions ?? [];
      const waitsFor = known ? [] : silent(replicas, nowMs, sessionMs);
      if (waitsFor.length === 0 || clock.monotonic() >= untilMs) break;
      log.info({ silent: waitsFor.map((replica) => replica.replicaId) }, 'waits until the session of a silent replica is over');
      await pause(clock, LOOK_MS);
    }
    this.#life = await registry.register(replicaId, url);
    this.#timer = every(
      clock,
      BEAT_MS,
      () => this.#beat(),
      (error) => log.warn({ why: why(error) }, 'no beat'),
    );
  }

  /** Asked before each joining of the group: Kafka would fence the life that joined earlier, not the older one. */
  async mayJoin(): Promise<boolean> {
    return (await this.#it.registry.highestLife(this.#it.replicaId)) <= this.#life;
  }

  async leave(): Promise<void> {
    this.#timer?.cancel();
    await this.#it.registry.remove(this.#it.replicaId, this.#life);
  }
  stop(): void {
    this.#timer?.cancel();
  }

  async #beat(): Promise<void> {
    const { registry, replicaId, url, generation, held } = this.#it;
    await registry.beat({ replicaId, life: this.#life, url, generation: generation(), partitions: held() });
    if (!(await this.mayJoin()))
      this.#it.superseded(new LocusError('SUPERSEDED', `another process has taken over as ${replicaId}`).message);
  }
}
