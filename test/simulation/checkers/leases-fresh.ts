/** No effect begins under a lease that has long lapsed, until the wait for one was given up: trust is counted on a clock that never jumps. */
import { type Happening, type MakeChecker, Violation } from '../happening.ts';

const NAME = 'lease';
/** A commit may be under way so long, to a store that is frozen. */
const UNDER_WAY_MS = 15_000;
/** What a claim without the lease waits beside TTL and the longest effect. */
const PATIENCE_MS = 5_000;

/** Frozen and slow replicas are left out: theirs may have been in order when it left, and the epoch judges it. */
export const leasesAreFresh: MakeChecker = ({ limits: { leaseTtlMs, longestEffectMs }, now }) => {
  const granted = new Map<string, number>();
  const left = new Set<string>();
  const startMs = now();
  return {
    name: NAME,
    hear(it) {
      const nowMs = now() - startMs;
      if (it.kind === 'leased') {
        const name = `${it.who} ${it.address}`;
        if (it.answer === 'granted' || it.answer === 'renewed') granted.set(name, nowMs);
        // It lets go, or asks anew: from here its patience counts, of which nothing is heard.
        else if (it.verb !== 'renew') granted.delete(name);
      }
      const late = lateOf(it);
      if (late !== undefined)
        for (const name of granted.keys()) if (name.startsWith(`${late}/`) || name.startsWith(`${late} `)) left.add(name);
      if (it.kind !== 'committed' || !it.change.header.intent) return;
      const name = `${it.who} ${it.claim.address}`;
      const at = granted.get(name);
      // Never granted: it waited for one in vain, and goes on without.
      if (at === undefined || left.has(name)) return;
      const ageMs = nowMs - at;
      if (ageMs > leaseTtlMs + UNDER_WAY_MS && ageMs < leaseTtlMs + longestEffectMs + PATIENCE_MS)
        throw new Violation(NAME, `${name} began an effect ${ageMs} ms after its lease was last granted for ${leaseTtlMs} ms`);
    },
  };
};

function lateOf(it: Happening): string | undefined {
  if (it.kind === 'frozen' || it.kind === 'thawed') return it.who;
  if (it.kind !== 'fault' || !it.name.includes('slow')) return undefined;
  const { who } = it.detail as { readonly who?: unknown };
  return typeof who === 'string' ? who : undefined;
}
