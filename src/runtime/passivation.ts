/** Which locations may leave memory: those where nothing waits, runs, is held or is in doubt. */
import { held } from './ground.ts';
import type { Live } from './live.ts';

/** A short rest before it counts as unused, so that making room does not turn out who was just served. */
const REST_MS = 1_000;
/** How many are let go at once when room is needed, as a share of the residents. */
const SHARE = 0.05;

const free = (live: Live): boolean =>
  live.phase === 'active' &&
  live.leaving === undefined &&
  live.running === undefined &&
  live.control.length === 0 &&
  !live.waits &&
  live.ground !== undefined &&
  live.ground.intent === undefined &&
  live.published === live.ground.seq &&
  held(live.ground) === undefined;

export const idle = (live: Live, nowMs: number, idleMs: number): boolean =>
  nowMs - live.usedMs >= (live.definition.limits?.idleMs ?? idleMs) && free(live);

/** The longest unused of those that can go. */
export function overCap(residents: readonly Live[], nowMs: number): readonly Live[] {
  const can = residents.filter((live) => nowMs - live.usedMs >= REST_MS && free(live)).sort((a, b) => a.usedMs - b.usedMs);
  return can.slice(0, Math.max(1, Math.ceil(residents.length * SHARE)));
}
