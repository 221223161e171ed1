/** No effect begins under a lease that has lapsed, until the wait for one was given up: trust is counted on a clock that never jumps. */
import { type Happening, type MakeChecker, Violation } from '../happening.ts';

const NAME = 'lease';
/** What a claim without the lease waits beside TTL and the longest effect. */
const PATIENCE_MS = 5_000;
/** A replayed command reads what is recorded of it between the look at its lease and its commit: one call to the store at most. */
const READS_MS = 1_000;

/** `fromMs`: from when it counts. `grantedMs`: when the request left to which it was the answer. */
type Mark =
  | { readonly is: 'had'; readonly fromMs: number; readonly grantedMs: number }
  | { readonly is: 'over' | 'tried'; readonly fromMs: number };
type Known = { holder: string | undefined; readonly marks: Mark[] };
/** A commit may be under way for some seconds: longer back than so many marks nobody looks. */
const MARKS_MAX = 64;

/** More than half of the lease must be left, so an effect's intent leaves less than half of the TTL after the request for it. */
export const leasesAreFresh: MakeChecker = ({ limits: { leaseTtlMs, longestEffectMs }, now }) => {
  const known = new Map<string, Known>();
  const giveUpMs = leaseTtlMs + longestEffectMs + PATIENCE_MS;
  const startMs = now();
  return {
    name: NAME,
    hear(it) {
      if (it.kind === 'leased') return note(known, it, now() - startMs);
      // Nothing is heard of lock nodes that lie.
      if (it.kind !== 'committed' || known.size === 0 || !begins(it.change.header.intent)) return;
      const name = `${it.who} ${it.claim.address}`;
      const { grantedMs, triesMs } = standing(known.get(name)?.marks ?? [], it.sentMs);
      const ageMs = grantedMs === undefined ? undefined : it.sentMs - grantedMs;
      if (ageMs !== undefined && ageMs <= leaseTtlMs / 2 + READS_MS) return;
      // From the end of its trust it has waited long enough to go on without, or from its first try if it had none.
      const sinceMs = grantedMs === undefined ? triesMs : grantedMs + leaseTtlMs * TRUSTED;
      if (sinceMs !== undefined && it.sentMs - sinceMs >= giveUpMs) return;
      const lapsed = ageMs === undefined ? 'without a lease' : `${ageMs} ms after its lease was last granted for ${leaseTtlMs} ms`;
      throw new Violation(NAME, `${name} began an effect ${lapsed}`);
    },
  };
};

function note(known: Map<string, Known>, it: Extract<Happening, { readonly kind: 'leased' }>, nowMs: number): void {
  const name = `${it.who} ${it.address}`;
  const its = known.get(name) ?? { holder: undefined, marks: [] };
  known.set(name, its);
  const { marks } = its;
  if (it.answer === 'granted') its.holder = it.holder;
  // Of one that was had before: another stands in its place.
  else if (it.verb !== 'acquire' && it.holder !== its.holder) return;
  if (it.answer === 'granted' || it.answer === 'renewed') marks.push({ is: 'had', fromMs: nowMs, grantedMs: it.sentMs });
  else if (it.verb === 'release') marks.push({ is: 'over', fromMs: it.sentMs });
  else if (it.answer === 'lost') marks.push({ is: 'over', fromMs: nowMs });
  else if (it.verb === 'acquire' && marks.at(-1)?.is !== 'tried') marks.push({ is: 'tried', fromMs: it.sentMs });
  if (marks.length > MARKS_MAX) marks.splice(0, MARKS_MAX / 2);
}

/** What was so at that time: the lease that was had last, and since when another is asked for in vain. */
function standing(
  marks: readonly Mark[],
  atMs: number,
): { readonly grantedMs?: number | undefined; readonly triesMs?: number | undefined } {
  let grantedMs: number | undefined;
  let triesMs: number | undefined;
  for (const mark of marks) {
    if (mark.fromMs > atMs) continue;
    if (mark.is === 'tried') triesMs ??= mark.fromMs;
    else triesMs = undefined;
    if (mark.is === 'had') grantedMs = mark.grantedMs;
    if (mark.is === 'over') grantedMs = undefined;
  }
  return { grantedMs, triesMs };
}

/** Less the drift of clocks and a margin. */
const TRUSTED = 0.8;

/** An intent that is written for the first time; doubt and raw evidence are written over it later, under any lease. */
function begins(intent: string | undefined): boolean {
  if (intent === undefined || intent === '') return false;
  const { doubtSinceMs, unbooked } = JSON.parse(intent) as { readonly doubtSinceMs?: number; readonly unbooked?: unknown };
  return doubtSinceMs === undefined && unbooked === undefined;
}
