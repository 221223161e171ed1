/** I11: the events topic, by first occurrences, is gapless and ordered per location, and equals what was committed. */
import { type MakeChecker, Violation } from '../happening.ts';
import { publishedFact, text } from './facts.ts';

const NAME = 'I11';

export const topicEqualsJournal: MakeChecker = ({ topics, disk }) => {
  const committed = new Map<string, string[]>();
  const published = new Map<string, number>();
  const mayClaim = (address: string, seq: number, who: string) => {
    const there = published.get(address) ?? 0;
    if (seq > there) throw new Violation(NAME, `${who} counts ${address} as published up to ${seq}: the topic has it up to ${there}`);
  };
  return {
    name: NAME,
    hear(it) {
      if (it.kind === 'committed') {
        const { address } = it.claim;
        const journal = committed.get(address) ?? [];
        for (const event of it.change.events) journal[event.seq - 1] = event.text;
        committed.set(address, journal);
        mayClaim(address, it.change.published ?? 0, it.who);
      }
      if (it.kind === 'trimmed') {
        const { events } = it.what as { readonly events?: { readonly to: number } };
        mayClaim(it.claim.address, events?.to ?? 0, it.who);
      }
      if (it.kind !== 'produced' || it.record.topic !== topics.events) return;
      const {
        said,
        event: { address: subject, seq },
      } = publishedFact(it.record);
      const there = published.get(subject) ?? 0;
      if (it.record.key === null || text(it.record.key) !== subject)
        throw new Violation(NAME, `event ${seq} of ${subject} has another key`);
      if (seq > there + 1) throw new Violation(NAME, `${it.who} published event ${seq} of ${subject} after ${there}`);
      const stands = committed.get(subject)?.[seq - 1];
      if (stands !== said)
        throw new Violation(NAME, `${it.who} published ${said}: committed as ${seq} of ${subject} is ${stands ?? 'nothing'}`);
      published.set(subject, Math.max(there, seq));
    },
    end() {
      for (const [address, journal] of committed) {
        const there = published.get(address) ?? 0;
        if (there !== journal.length) throw new Violation(NAME, `${address} has ${journal.length} events, the topic has ${there}`);
        mayClaim(address, disk.locations.get(address)?.published ?? 0, 'the store');
      }
    },
  };
};
