/** Time as the program sees it. The only file that reads a clock or sets a timer, so that a simulator can own both. */

/** A wake-up that was asked for; cancelling twice, or after it fired, does nothing. */
export type Alarm = { cancel(): void };

export type Clock = {
  /** Wall time in ms since the epoch. May jump: for stamps and deadlines that came from outside, never for leases. */
  now(): number;
  /** Monotonic ms from an arbitrary start: for leases, ages and timeouts. */
  monotonic(): number;
  /** Calls `wake` once, `ms` from now. `background` does not keep the process alive. */
  after(ms: number, wake: () => void, background?: boolean): Alarm;
  /** Calls `wake` once, after what is already queued has run. */
  soon(wake: () => void): void;
};

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, wake, background = false) {
    const timer = setTimeout(wake, ms);
    if (background) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (wake) => {
    setImmediate(wake);
  },
};

/** Resolves `ms` from now. */
export const pause = (clock: Clock, ms: number): Promise<void> => new Promise((resolve) => clock.after(ms, resolve));

const DONE = Promise.resolve();
/** Calls `work` every `ms` counted from its end, until cancelled; what `work` throws goes to `failed` and does not stop it. */
export function every(clock: Clock, ms: number, work: () => Promise<void> | void, failed: (error: unknown) => void): Alarm {
  let alarm: Alarm | undefined;
  let over = false;
  const again = () => {
    if (!over) alarm = clock.after(ms, tick, true);
  };
  const tick = () => {
    try {
      // Most of what is done so often is done at once.
      ((work() as Promise<void> | undefined) ?? DONE).then(again, (error: unknown) => {
        failed(error);
        again();
      });
    } catch (error) {
      failed(error);
      again();
    }
  };
  again();
  return {
    cancel() {
      over = true;
      alarm?.cancel();
    },
  };
}
