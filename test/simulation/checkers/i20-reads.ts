/** I20: a client never reads an older seq after a newer one without being told. */
import { type MakeChecker, Violation } from '../happening.ts';

const NAME = 'I20';

export const readsRise: MakeChecker = () => {
  const seen = new Map<string, number>();
  return {
    name: NAME,
    hear(it) {
      if (it.kind !== 'read') return;
      const name = `client ${it.client} of ${it.address}`;
      const newest = seen.get(name) ?? 0;
      if (it.seq < newest && !it.stale) throw new Violation(NAME, `${name} read seq ${it.seq} after ${newest}`);
      seen.set(name, Math.max(newest, it.seq));
    },
  };
};
