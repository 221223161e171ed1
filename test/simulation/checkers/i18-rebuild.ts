/** I18: rebuilding from the events topic gives the same state, and every outcome with the hash of its payload. */
import { type MakeChecker, Violation } from '../happening.ts';
import { type EventFact, entryFact, eventFacts, isFinal, isOwn, publishedFact, same, show } from './facts.ts';
import type { Fold } from './i03-state.ts';

const NAME = 'I18';

export const eventsRebuild =
  (folds: readonly Fold[]): MakeChecker =>
  ({ topics, disk }) => {
    const journals = new Map<string, EventFact[]>();
    return {
      name: NAME,
      hear(it) {
        if (it.kind === 'committed') {
          const outcomes = eventFacts(it.change.events).filter(({ reply }) => reply !== undefined);
          for (const { commandId, status, hash, text } of it.change.entries) {
            if (!isFinal(status)) continue;
            const { outcome } = entryFact(text);
            const at = outcomes.find((event) => event.commandId === commandId && event.reply === outcome && event.input === hash);
            const { seq } = JSON.parse(outcome) as { readonly seq: number };
            if (at?.seq !== seq)
              throw new Violation(NAME, `${it.claim.address} ${commandId} became ${outcome}, and no event of that commit and seq says so`);
          }
        }
        if (it.kind !== 'produced' || it.record.topic !== topics.events) return;
        const { event: fact } = publishedFact(it.record);
        const journal = journals.get(fact.address) ?? [];
        if (fact.seq === journal.length + 1) journal.push(fact);
        journals.set(fact.address, journal);
      },
      end() {
        for (const [address, journal] of journals) {
          const cut = address.indexOf('/');
          const fold = folds.find(({ type }) => type === address.slice(0, cut));
          if (fold === undefined) continue;
          let state = fold.initial(address.slice(cut + 1));
          for (const fact of journal) if (!isOwn(fact)) state = fold.evolve(state, fact.event);
          const header = disk.locations.get(address)?.header.get('state');
          const initial = fold.initial(address.slice(cut + 1));
          const stands = header === undefined || header === '' ? initial : (JSON.parse(header) as { s: unknown }).s;
          if (!same(stands, state))
            throw new Violation(NAME, `${address} is ${show(stands)} in the store, rebuilt from its topic it is ${show(state)}`);
        }
      },
    };
  };
