/** One lock node in memory: who holds what until when, by a clock of its own, and how badly it answers. */
import type { Address } from '../../src/message/address.ts';
import type { Clock, Holder, Random } from '../../src/ports.ts';

/** All fields may be set at any moment. */
export class LockNode {
  readonly held = new Map<Address, { readonly holder: Holder; readonly untilMs: number }>();
  /** false: it cannot be reached, and whoever asks knows at once. */
  up = true;
  /** How far its clock is ahead of the others', ms; raised, it ends leases early, lowered, late. */
  aheadMs = 0;
  /** An answer takes up to so long, ms: half before it acts, half after. */
  slowMs = 0;
  readonly #clock: Clock;
  readonly #random: Pick<Random, 'next'> | undefined;
  #silent = false;
  #waiting: (() => void)[] = [];

  constructor(clock: Clock, random?: Pick<Random, 'next'>) {
    this.#clock = clock;
    this.#random = random;
  }

  /** A frozen process: it takes requests and acts on them in their order once this is taken back. */
  get silent(): boolean {
    return this.#silent;
  }
  set silent(it: boolean) {
    this.#silent = it;
    if (!it) for (const act of this.#waiting.splice(0)) act();
  }
  /** kill -9 and start again: it keeps nothing, of what waits there either. */
  restart(): void {
    this.held.clear();
    this.#waiting = [];
    this.#silent = false;
    this.up = true;
  }

  get prompt(): boolean {
    return !this.#silent && this.slowMs === 0;
  }
  /** Does it when the node comes to it; the answer is as late. */
  async later<T>(work: () => T): Promise<T> {
    const halfMs = ((this.#random?.next() ?? 0.5) * this.slowMs) / 2;
    const pass = () => new Promise<void>((resolve) => this.#clock.after(halfMs, resolve));
    if (halfMs > 0) await pass();
    const answer = await new Promise<T>((resolve) => {
      const act = () => resolve(work());
      if (this.#silent) this.#waiting.push(act);
      else act();
    });
    if (halfMs > 0) await pass();
    return answer;
  }

  take(address: Address, holder: Holder, ttlMs: number, mayTake: (found: Holder | undefined, mine: Holder) => boolean): boolean {
    if (!mayTake(this.#holderOf(address), holder)) return false;
    this.held.set(address, { holder, untilMs: this.#now() + ttlMs });
    return true;
  }
  renew(address: Address, holder: Holder, ttlMs: number): boolean {
    if (this.#holderOf(address) !== holder) return false;
    this.held.set(address, { holder, untilMs: this.#now() + ttlMs });
    return true;
  }
  drop(address: Address, holder: Holder): void {
    if (this.#holderOf(address) === holder) this.held.delete(address);
  }

  #now(): number {
    return this.#clock.monotonic() + this.aheadMs;
  }
  #holderOf(address: Address): Holder | undefined {
    const held = this.held.get(address);
    return held && held.untilMs > this.#now() ? held.holder : undefined;
  }
}
