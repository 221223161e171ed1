/** I3: the state equals the fold of its events, after every commit. */
import { type MakeChecker, Violation } from '../happening.ts';
import { eventFacts, isOwn, type Json, same, show } from './facts.ts';

const NAME = 'I3';

/** How the events of one type of actor make its state. The cash location has a fold that shares nothing with its actor; others lend their `evolve`. */
export type Fold = {
  readonly type: string;
  initial(id: string): unknown;
  evolve(state: unknown, event: { readonly type: string } & Json): unknown;
};
type At = { folded: unknown; written: unknown };

export const stateIsFold =
  (folds: readonly Fold[]): MakeChecker =>
  () => {
    const states = new Map<string, At>();
    return {
      name: NAME,
      hear(it) {
        if (it.kind !== 'committed') return;
        const { address } = it.claim;
        const cut = address.indexOf('/');
        const fold = folds.find(({ type }) => type === address.slice(0, cut));
        if (fold === undefined) return;
        const initial = fold.initial(address.slice(cut + 1));
        const at = states.get(address) ?? { folded: initial, written: initial };
        states.set(address, at);
        const before = at.folded;
        for (const fact of eventFacts(it.change.events)) if (!isOwn(fact)) at.folded = fold.evolve(at.folded, fact.event);
        const { state } = it.change.header;
        if (state !== undefined) at.written = (JSON.parse(state) as { readonly s: unknown }).s;
        else if (at.folded === before) return;
        if (!same(at.written, at.folded))
          throw new Violation(
            NAME,
            `${address} after seq ${it.change.seq + it.change.events.length}: the state is ${show(at.written)}, its events make ${show(at.folded)}`,
          );
      },
    };
  };
