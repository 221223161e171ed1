/** Callers over HTTP who wait for an outcome: woken by a hint, once a second, and whenever hints may have been missed. */
import type { Clock, Notices } from '../ports.ts';

const LOOK_MS = 1_000;

export class Waiters {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<() => void>>();
  #size = 0;
  readonly channel: string;

  constructor(clock: Clock, channel: string) {
    this.#clock = clock;
    this.channel = channel;
  }

  /** How many wait now. */
  get size(): number {
    return this.#size;
  }

  async start(notices: Notices): Promise<void> {
    notices.onGap(() => {
      for (const wakes of this.#waiting.values()) for (const wake of wakes) wake();
    });
    await notices.listen(this.channel, (text) => {
      for (const wake of this.#waiting.get(text) ?? []) wake();
    });
  }

  /** Resolves at the next hint about this command, or after a second, or at the limit. Begins to listen at once. */
  next(address: string, commandId: string, limitMs: number): Promise<void> {
    const name = `${address} ${commandId}`;
    return new Promise((resolve) => {
      const wakes = this.#waiting.get(name) ?? new Set();
      this.#waiting.set(name, wakes);
      const wake = () => {
        alarm.cancel();
        if (wakes.delete(wake)) this.#size--;
        if (wakes.size === 0) this.#waiting.delete(name);
        resolve();
      };
      const alarm = this.#clock.after(Math.max(0, Math.min(LOOK_MS, limitMs)), wake);
      wakes.add(wake);
      this.#size++;
    });
  }
}
