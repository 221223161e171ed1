/** I2: at most one event per location and seq, named by them. */
import { type MakeChecker, Violation } from '../happening.ts';
import { type EventFact, eventFacts } from './facts.ts';

const NAME = 'I2';

export const oneEventPerSeq: MakeChecker = () => {
  const seqs = new Map<string, number>();
  return {
    name: NAME,
    hear(it) {
      if (it.kind !== 'committed') return;
      const { address } = it.claim;
      let seq = seqs.get(address) ?? 0;
      const facts = eventFacts(it.change.events);
      for (const [n, event] of it.change.events.entries()) {
        const fact = facts[n] as EventFact;
        if (fact.seq !== event.seq || event.seq !== seq + 1)
          throw new Violation(NAME, `${address}: event ${event.seq} (its text says ${fact.seq}) was committed after ${seq}`);
        if (fact.id !== `${address}:${event.seq}` || fact.address !== address)
          throw new Violation(NAME, `event ${event.seq} of ${address} is named ${fact.id}: a repeat of it could not be known`);
        seq++;
      }
      seqs.set(address, seq);
    },
  };
};
