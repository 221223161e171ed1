/** I20: a client never reads an older seq after a newer one without being told. */
import { type MakeChecker, Violation } from '../happening.ts';

const NAME = 'I20';

type Seen = { readonly atMs: number; readonly seq: number };

/** Of two reads under way at once either may be answered first: one counts for those that were asked after its answer. */
export const readsRise: MakeChecker = ({ now }) => {
  const seen = new Map<string, Seen[]>();
  return {
    name: NAME,
    hear(it) {
      if (it.kind !== 'read') return;
      const name = `client ${it.client} of ${it.address}`;
      const before = seen.get(name) ?? [];
      let newest = 0;
      for (const { atMs, seq } of before) if (atMs < it.askedMs) newest = Math.max(newest, seq);
      if (it.seq < newest && !it.stale) throw new Violation(NAME, `${name} read seq ${it.seq} after ${newest}`);
      before.push({ atMs: now(), seq: it.seq });
      seen.set(name, before);
    },
  };
};
