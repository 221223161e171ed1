/** What a seed's world is like before anything happens in it: how many, how large, how long. */
import type { Limits } from '../../src/runtime/site.ts';
import type { Chance } from './chance.ts';

export type Settings = {
  readonly replicas: number;
  readonly partitions: number;
  readonly leaseTtlMs: number;
  readonly sessionMs: number;
  /** What a call over a wire takes on the average, ms. */
  readonly meanMs: number;
  readonly limits: Limits;
};

/** Small, so that limits are met: a world of a few minutes has to see what a fleet sees in months. */
export function settingsOf(chance: Chance): Settings {
  const tight = chance.odds(0.35);
  return {
    replicas: 3,
    partitions: chance.pick([3, 6, 6, 8]),
    leaseTtlMs: chance.pick([3_000, 5_000, 10_000]),
    sessionMs: chance.pick([3_000, 6_000, 10_000]),
    meanMs: chance.pick([0.3, 1, 3]),
    limits: {
      mailboxMax: tight ? chance.between(2, 16) : 256,
      inboxMax: tight ? chance.between(50, 500) : 10_000,
      inboxAfterMs: chance.pick([200, 1_000]),
      residentMax: chance.odds(0.3) ? chance.between(2, 8) : 1_000,
      inflightMax: tight ? chance.between(10, 60) : 500,
      idleMs: chance.pick([1_500, 20_000, 600_000]),
      dedupeWindowMs: 7 * 86_400_000,
      dedupeMax: 1_000_000,
      probeTimeoutMs: chance.pick([500, 2_000]),
      drainMs: chance.pick([5_000, 30_000]),
    },
  };
}
