/** Chance as the program sees it. The only file that draws random numbers, so that a simulator can seed them. */
import { randomBytes } from 'node:crypto';

export type Random = {
  /** A number in [0, 1). */
  next(): number;
  /** `bytes` random bytes as lower-case hexadecimal. */
  hex(bytes: number): string;
};

export const systemRandom: Random = {
  next: () => Math.random(),
  hex: (bytes) => randomBytes(bytes).toString('hex'),
};

/** `ms` spread evenly over ±50 %, so that those who failed together do not return together. */
export const jitter = (random: Random, ms: number): number => ms * (0.5 + random.next());
