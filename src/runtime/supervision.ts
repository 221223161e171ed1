/** What follows a throw in user code: the same command again, later, then set aside. */

export const ATTEMPTS = 5;
const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

/** Back-off before attempt `attempt` + 1, ms: 1 s doubling to 30 s. */
export const backOffMs = (attempt: number): number => Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, attempt - 1));

export type Remedy = { readonly kind: 'again'; readonly inMs: number } | { readonly kind: 'park' };
export const remedy = (attempt: number, attempts: number): Remedy =>
  attempt >= attempts ? { kind: 'park' } : { kind: 'again', inMs: backOffMs(attempt) };
