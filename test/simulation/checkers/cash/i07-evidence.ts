/** I7 for cash: a dispense is settled as the device's journal has it, be it now or later; a time-out is no answer. */
import type { Moved } from '../../../../infra/device/journal.ts';
import { type MakeChecker, Violation } from '../../happening.ts';
import { type EventFact, eventFacts, show } from '../facts.ts';
import { type Notes, sameNotes } from './cash-fold.ts';

const NAME = 'I7';
const TYPE = 'cash-location/';

type Known = {
  ordered?: Notes;
  moved?: Moved;
  promised?: boolean;
  settled?: EventFact;
  unbooked?: boolean;
  /** An operator said what became of it. */
  byHand?: boolean;
};

export const evidenceSettles: MakeChecker = () => {
  const known = new Map<string, Known>();
  const of = (key: string): Known => {
    const it = known.get(key) ?? {};
    known.set(key, it);
    return it;
  };
  const judge = (key: string, { ordered, moved, promised, settled, byHand }: Known) => {
    if (settled?.type === 'DispenseFailed') {
      if (moved !== undefined && cash(moved))
        throw new Violation(NAME, `${key} was settled as failed, the device moved cash: ${show(moved)}`);
      if (moved === undefined && !promised) throw new Violation(NAME, `${key} was settled as failed, and the device never said so`);
    }
    if (settled?.type !== 'Dispensed') return;
    const { notes, retracted = {}, rejected = {} } = settled.data as unknown as { notes: Notes; retracted?: Notes; rejected?: Notes };
    const agrees =
      moved !== undefined && sameNotes(moved.notes, notes) && sameNotes(moved.retracted, retracted) && sameNotes(moved.rejected, rejected);
    // What the device moved against its order may fit no books: it is kept raw, and a person books what was ordered.
    const isOdd = moved !== undefined && ordered !== undefined && !sameNotes(moved.ordered, ordered);
    if (!agrees && !(isOdd && byHand && sameNotes(notes, ordered) && sameNotes(retracted, {}) && sameNotes(rejected, {})))
      throw new Violation(NAME, `${key} was settled as ${show(settled.data)}, the device's journal has ${show(moved ?? 'nothing of it')}`);
  };
  return {
    name: NAME,
    hear(it) {
      if (it.kind === 'device' && (it.line.kind === 'moved' || it.line.kind === 'void')) {
        const key = `${it.line.location} ${it.line.commandId}`;
        const about = of(key);
        if (it.line.kind === 'void') about.promised = true;
        else if (about.moved === undefined || cash(it.line)) about.moved = it.line;
        if (about.settled !== undefined) judge(key, about);
      }
      if (it.kind !== 'committed' || !it.claim.address.startsWith(TYPE)) return;
      const location = it.claim.address.slice(TYPE.length);
      const facts = eventFacts(it.change.events);
      for (const { type, data } of facts)
        if (type === 'Operated' && data.verb === 'settle') of(`${location} ${data.commandId}`).byHand = true;
      for (const fact of facts) {
        const about = of(`${location} ${fact.commandId}`);
        if (fact.type === 'EffectUnbooked') about.unbooked = true;
        if (fact.type === 'DispenseIntended') about.ordered = fact.data.notes as Notes;
        if (fact.type !== 'Dispensed' && fact.type !== 'DispenseFailed') continue;
        // An operator settles under an id of their own: the event says which dispense.
        const key = `${location} ${fact.data.commandId}`;
        of(key).settled = fact;
        judge(key, of(key));
      }
    },
    end() {
      for (const [key, { moved, settled, unbooked }] of known)
        if (moved !== undefined && cash(moved) && settled === undefined && !unbooked)
          throw new Violation(NAME, `the device moved cash for ${key}, which is nowhere booked: ${show(moved)}`);
    },
  };
};

const cash = ({ notes, retracted, rejected }: Moved): boolean =>
  [notes, retracted, rejected].some((part) => Object.values(part).some((count) => count > 0));
