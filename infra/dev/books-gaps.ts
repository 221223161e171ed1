/** How long locations stood still while a command of theirs waited: the longest of all, and whenever another claim took over. */
import type { CommandFact, EventFact } from './books-records.ts';

export type Gaps = {
  /** Whose commands waited longest while nothing was booked, and when that ended. */
  readonly slowest: { readonly address: string; readonly outageMs: number; readonly untilMs: number };
  /** The gap before each first event of a new epoch, ms, shortest first: what a take-over takes at most, the wait for its first turn included. */
  readonly takeOversMs: readonly number[];
};
type Gap = { readonly event: EventFact; readonly gapMs: number; readonly isTakeOver: boolean };

export function gapsOf(byLocation: ReadonlyMap<string, readonly EventFact[]>, accepted: ReadonlyMap<string, CommandFact>): Gaps {
  const gaps = [...byLocation.values()].flatMap((events) => gapsIn(events, accepted));
  const longest = gaps.reduce<Gap | undefined>((a, b) => (a !== undefined && a.gapMs >= b.gapMs ? a : b), undefined);
  return {
    slowest: { address: longest?.event.address ?? '', outageMs: longest?.gapMs ?? 0, untilMs: longest?.event.timeMs ?? 0 },
    takeOversMs: gaps
      .filter(({ isTakeOver }) => isTakeOver)
      .map(({ gapMs }) => gapMs)
      .sort((a, b) => a - b),
  };
}

/** Before each event, from the last one back: `waitingSinceMs` is the earliest append among the commands whose outcome is still to come. */
function gapsIn(events: readonly EventFact[], accepted: ReadonlyMap<string, CommandFact>): readonly Gap[] {
  let waitingSinceMs = Number.POSITIVE_INFINITY;
  const gaps: Gap[] = [];
  for (let at = events.length - 1; at >= 0; at--) {
    const event = events[at] as EventFact;
    if (event.outcome?.status === 'done' || event.outcome?.status === 'refused')
      waitingSinceMs = Math.min(waitingSinceMs, accepted.get(`${event.address} ${event.commandId}`)?.appendedMs ?? waitingSinceMs);
    const before = events[at - 1];
    const gapMs = Math.max(0, event.timeMs - Math.max(before?.timeMs ?? Number.NEGATIVE_INFINITY, waitingSinceMs));
    gaps.push({ event, gapMs, isTakeOver: before !== undefined && event.epoch > before.epoch });
  }
  return gaps;
}

/** The value that `share` of them do not exceed; 0 of none. */
export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
