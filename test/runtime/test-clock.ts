/** A clock that moves only when a test waits for something: from alarm to alarm, as fast as the work between them allows. */
import type { Clock } from '../../src/ports.ts';

type Waking = { readonly atMs: number; readonly wake: () => void };
/** Rounds of the event loop given to what is under way before time moves: an actor's message takes one. */
const ROUNDS = 16;
const round = () => new Promise<void>((resolve) => setImmediate(resolve));

export class TestClock implements Clock {
  readonly #startMs = Date.parse('2026-01-01T00:00:00Z');
  #ms = 0;
  #alarms: Waking[] = [];

  now(): number {
    return this.#startMs + this.#ms;
  }
  monotonic(): number {
    return this.#ms;
  }
  after(ms: number, wake: () => void) {
    const alarm = { atMs: this.#ms + Math.max(0, ms), wake };
    const place = this.#alarms.findIndex(({ atMs }) => atMs > alarm.atMs);
    this.#alarms.splice(place < 0 ? this.#alarms.length : place, 0, alarm);
    return {
      cancel: () => {
        this.#alarms = this.#alarms.filter((other) => other !== alarm);
      },
    };
  }
  soon(wake: () => void): void {
    setImmediate(wake);
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let n = 0; n < ROUNDS; n++) await round();
  }
  /** Lets `ms` pass. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#ms + ms;
    await this.settle();
    while (this.#next(untilMs)) await this.settle();
    this.#ms = untilMs;
  }
  /** Time passes while nobody runs, as in a frozen process: what was due meanwhile comes late. */
  leap(ms: number): void {
    this.#ms += ms;
  }
  /** Lets time pass until the check passes; what it returns. Fails with the check's own error once `withinMs` have passed. */
  async until<T>(check: () => T | Promise<T>, withinMs = 60_000): Promise<T> {
    const untilMs = this.#ms + withinMs;
    for (;;) {
      await this.settle();
      try {
        return await check();
      } catch (error) {
        if (!this.#next(untilMs)) throw error;
      }
    }
  }
  /** Lets time pass until the promise is settled. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    const ended = promise.finally(() => {
      over = true;
    });
    ended.catch(() => {});
    await this.until(() => {
      if (!over) throw new Error('not settled in time');
    }, 600_000);
    return ended;
  }

  #next(untilMs: number): boolean {
    const first = this.#alarms[0];
    if (first === undefined || first.atMs > untilMs) return false;
    this.#alarms.shift();
    this.#ms = Math.max(this.#ms, first.atMs);
    first.wake();
    return true;
  }
}
