/** Permission to try: one lease per location, acquired singly, renewed in one batch by one timer, trusted for less long than it lasts. */
import { every, pause } from '../clock.ts';
import type { Address } from '../message/address.ts';
import type { Alarm, Clock, Holder, LeaseStore, Log, Random } from '../ports.ts';
import { jitter } from '../random.ts';

type Held = { readonly holder: Holder; deadlineMs: number; readonly real: boolean };
export type LeaseKeeperOptions = {
  readonly store: LeaseStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly replicaId: string;
  readonly ttlMs: number;
  /** How long to wait for a lease before going on without it: TTL + longest effect + 5 s. The epoch keeps that safe. */
  readonly giveUpMs: number;
  /** May leases be renewed: did the group acknowledge a heartbeat lately? */
  readonly alive: () => boolean;
  readonly without: () => void;
  readonly marginMs: (ms: number) => void;
};

const RETRY_FIRST_MS = 40;
const RETRY_LONGEST_MS = 400;
const padded = (value: number, digits: number) => String(value).padStart(digits, '0');

export class LeaseKeeper {
  readonly #it: LeaseKeeperOptions;
  readonly #held = new Map<Address, Held>();
  #life = 0;
  #count = 0;
  #timer: Alarm | undefined;
  #lost: (address: Address) => void = () => {};

  constructor(options: LeaseKeeperOptions) {
    this.#it = options;
  }

  /** `lost` is told of a lease that somebody else has now. */
  start(life: number, lost: (address: Address) => void): void {
    this.#life = life;
    this.#lost = lost;
    const { clock, log, ttlMs } = this.#it;
    this.#timer = every(
      clock,
      ttlMs / 3,
      () => this.#renewAll(),
      (error) => log.error({ err: error }, 'leases not renewed'),
    );
  }
  stop(): void {
    this.#timer?.cancel();
  }

  /** Waits until this replica may try. `without`: the wait was given up; safe, because the epoch decides, and counted. */
  async hold(address: Address, wanted: () => boolean): Promise<'held' | 'without' | 'unwanted'> {
    const { clock, random, giveUpMs, ttlMs } = this.#it;
    if (this.#trusted(address) > 0) return 'held';
    const sinceMs = clock.monotonic();
    for (let retryMs = RETRY_FIRST_MS; wanted(); retryMs = Math.min(RETRY_LONGEST_MS, retryMs * 2)) {
      const answer = await this.#acquire(address);
      if (answer === 'granted') {
        if (wanted()) return 'held';
        await this.release([address]);
        return 'unwanted';
      }
      if (clock.monotonic() - sinceMs > giveUpMs) {
        this.#it.without();
        this.#held.set(address, { holder: '', deadlineMs: clock.monotonic(), real: false });
        return 'without';
      }
      await pause(clock, jitter(random, Math.min(retryMs, ttlMs / 4)));
    }
    return 'unwanted';
  }

  /** Before an effect: more than half of the lease is left, or it is renewed now. False: commit no intent. */
  async fresh(address: Address): Promise<boolean> {
    const held = this.#held.get(address);
    if (held === undefined) return false;
    if (this.isFresh(address)) return true;
    if (!this.#it.alive()) return false;
    const startedMs = this.#it.clock.monotonic();
    const [answer] = await this.#it.store.renew([{ address, holder: held.holder }], this.#it.ttlMs);
    this.#note(address, held, answer ?? 'no-quorum', startedMs);
    if (answer === 'no-quorum' && this.#it.clock.monotonic() - held.deadlineMs > this.#it.giveUpMs) {
      this.#held.set(address, { holder: '', deadlineMs: held.deadlineMs, real: false });
      this.#it.without();
      return true;
    }
    return answer === 'renewed';
  }
  /** Can an effect begin without asking first? Only while more than half of a lease is left, or after the wait for one was given up. */
  isFresh(address: Address): boolean {
    const held = this.#held.get(address);
    return held !== undefined && (!held.real || this.#trusted(address) > this.#it.ttlMs / 2);
  }
  /** What does not serve of what leases are kept in, and what follows from it. */
  get trouble(): string | undefined {
    const { store, giveUpMs } = this.#it;
    const trouble = store.trouble?.();
    if (trouble === undefined) return undefined;
    const without = `no leases can be had: after ${Math.ceil(giveUpMs / 1_000)} s locations go on without them, as safely but with slower changes of hands`;
    return `${trouble.majority ? 'leases go on, though not all lock nodes serve' : without}: ${trouble.why}`;
  }
  /** What is left of the trust in a lease, ms; 0 and less: none. */
  leftMs(address: Address): number {
    return this.#trusted(address);
  }

  async release(addresses: readonly Address[]): Promise<void> {
    const mine: { address: Address; holder: Holder }[] = [];
    for (const address of addresses) {
      const held = this.#held.get(address);
      this.#held.delete(address);
      if (held?.real) mine.push({ address, holder: held.holder });
    }
    if (mine.length > 0) await this.#it.store.release(mine);
  }

  #trusted(address: Address): number {
    const held = this.#held.get(address);
    return held === undefined ? 0 : held.deadlineMs - this.#it.clock.monotonic();
  }
  /** Counted from when the attempt began; less clock drift (1 % and 2 ms, as Redlock has it) and a margin for the turn it lets begin. */
  #deadlineMs(startedMs: number): number {
    const { ttlMs } = this.#it;
    return startedMs + ttlMs - (ttlMs * 0.01 + 2) - ttlMs * 0.1;
  }
  async #acquire(address: Address): Promise<'granted' | 'held' | 'no-quorum'> {
    const startedMs = this.#it.clock.monotonic();
    // Numbered, so that the late release of an earlier acquisition cannot delete this one.
    const holder = `${this.#it.replicaId}/${padded(this.#life, 16)}/${padded(++this.#count, 10)}`;
    const answer = await this.#it.store.acquire({ address, holder }, this.#it.ttlMs);
    if (answer === 'granted') this.#held.set(address, { holder, deadlineMs: this.#deadlineMs(startedMs), real: true });
    return answer;
  }
  #note(address: Address, held: Held, answer: 'renewed' | 'lost' | 'no-quorum', startedMs: number): void {
    if (this.#held.get(address) !== held) return;
    if (answer === 'renewed') held.deadlineMs = this.#deadlineMs(startedMs);
    if (answer !== 'lost') return;
    this.#held.delete(address);
    this.#lost(address);
  }
  async #renewAll(): Promise<void> {
    if (!this.#it.alive()) return;
    const leases = [...this.#held].filter(([, held]) => held.real);
    const missing = [...this.#held].filter(([, held]) => !held.real);
    const startedMs = this.#it.clock.monotonic();
    const answers = await this.#it.store.renew(
      leases.map(([address, { holder }]) => ({ address, holder })),
      this.#it.ttlMs,
    );
    let leastMs = Number.POSITIVE_INFINITY;
    leases.forEach(([address, held], index) => {
      leastMs = Math.min(leastMs, held.deadlineMs - startedMs);
      this.#note(address, held, answers[index] ?? 'no-quorum', startedMs);
    });
    if (leases.length > 0) this.#it.marginMs(leastMs);
    for (const [address] of missing) await this.#acquire(address);
  }
}
