/** I1: epochs rise strictly per location and are never issued twice, and nothing is written under one that was overtaken. */
import { type MakeChecker, Violation, type Who } from '../happening.ts';
import { eventFacts } from './facts.ts';

const NAME = 'I1';

export const epochsRise: MakeChecker = () => {
  const latest = new Map<string, { readonly epoch: number; readonly who: Who }>();
  const mustBeLatest = (who: Who, what: string, { address, epoch }: { readonly address: string; readonly epoch: number }) => {
    const had = latest.get(address);
    if (had?.epoch !== epoch)
      throw new Violation(NAME, `${address}: ${who} ${what} under epoch ${epoch}, the latest is ${had?.epoch} of ${had?.who}`);
  };
  return {
    name: NAME,
    hear(it) {
      if (it.kind === 'claimed') {
        const { address, epoch } = it.claim;
        const had = latest.get(address);
        if (had !== undefined && epoch <= had.epoch)
          throw new Violation(NAME, `${address}: epoch ${epoch} was issued to ${it.who} after ${had.epoch} to ${had.who}`);
        latest.set(address, { epoch, who: it.who });
      }
      if (it.kind === 'trimmed') mustBeLatest(it.who, 'forgot something', it.claim);
      if (it.kind !== 'committed') return;
      mustBeLatest(it.who, 'committed', it.claim);
      for (const { epoch, id } of eventFacts(it.change.events)) {
        if (epoch !== it.claim.epoch) throw new Violation(NAME, `${id} says epoch ${epoch} and was committed under ${it.claim.epoch}`);
      }
    },
  };
};
