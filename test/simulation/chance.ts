/** Chance of one seed, fast and by name: what one part of the world draws changes nothing that another draws. */
import type { Random } from '../../src/ports.ts';

export type Chance = Random & {
  /** A whole number in [0, n). */
  below(n: number): number;
  /** A whole number in [from, to]. */
  between(from: number, to: number): number;
  /** True in this share of the cases. */
  odds(share: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** Another stream, the same for the same seed and name. */
  fork(name: string): Chance;
};

const UNIT = 2 ** -32;

export function chance(seed: number, name = ''): Chance {
  let a = mixed(seed, name);
  // Mulberry32.
  const word = (): number => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  const below = (n: number) => Math.floor(word() * UNIT * n);
  return {
    next: () => word() * UNIT,
    hex(bytes) {
      let text = '';
      while (text.length < bytes * 2) text += word().toString(16).padStart(8, '0');
      return text.slice(0, bytes * 2);
    },
    below,
    between: (from, to) => from + below(to - from + 1),
    odds: (share) => word() * UNIT < share,
    pick: (from) => from[below(from.length)] as never,
    fork: (its) => chance(seed, `${name}/${its}`),
  };
}

/** FNV-1a over the name, then the seed worked in. */
function mixed(seed: number, name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (seed | 0), 0x9e3779b1);
  h ^= h >>> 15;
  h = Math.imul(h ^ Math.floor(seed * UNIT), 0x85ebca6b);
  return (h ^ (h >>> 13)) | 0;
}
