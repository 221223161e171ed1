/** Waiting for a condition instead of a time. */
import { vi } from 'vitest';

/** On time-out it says what was waited for. */
export function until(what: string, holds: () => Promise<boolean>, timeout = 20_000): Promise<void> {
  return vi.waitFor(
    async () => {
      if (!(await holds())) throw new Error(`not in time: ${what}`);
    },
    { timeout, interval: 50 },
  );
}
