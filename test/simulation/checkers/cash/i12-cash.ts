/** I12: cash is conserved per location, currency and denomination, and only commands bring it. */
import { type MakeChecker, Violation } from '../../happening.ts';
import { type CommandFact, commandFact, eventFacts, isOwn, type Json } from '../facts.ts';
import { type Cash, type CashEvent, emptyCash, foldCash, missing, type Notes, sameNotes } from './cash-fold.ts';

const NAME = 'I12';
const TYPE = 'cash-location/';

export const cashIsConserved: MakeChecker = ({ topics }) => {
  const states = new Map<string, Cash>();
  const commands = new Map<string, CommandFact>();
  return {
    name: NAME,
    hear(it) {
      if (it.kind === 'produced' && (it.record.topic === topics.commands || it.record.topic === topics.bulk)) {
        const command = commandFact(it.record);
        if (command !== undefined) commands.set(command.key, command);
      }
      if (it.kind !== 'committed' || !it.claim.address.startsWith(TYPE)) return;
      const { address } = it.claim;
      let cash = states.get(address) ?? emptyCash();
      for (const fact of eventFacts(it.change.events)) {
        if (isOwn(fact)) continue;
        const because = (what: string) => new Violation(NAME, `${fact.id} ${fact.type}: ${what}`);
        const hash = fact.input ?? it.change.entries.find(({ commandId }) => commandId === fact.commandId)?.hash;
        if (fact.type === 'Loaded' || fact.type === 'Counted') {
          const asked = asBrought(commands.get(`${address} ${fact.commandId} ${hash}`)?.input);
          if (!sameNotes(asked, fact.data.notes as Notes)) throw because(`not the notes that ${fact.commandId} names`);
        }
        try {
          cash = foldCash(cash, fact.event as CashEvent);
        } catch (error) {
          throw because((error as Error).message);
        }
        const gone = missing(cash);
        if (gone !== undefined) throw because(gone);
      }
      states.set(address, cash);
    },
  };
};

function asBrought(input: Json | undefined): Notes {
  const cassettes = (input?.cassettes ?? []) as readonly { readonly denomination: number; readonly count: number }[];
  return Object.fromEntries(cassettes.map(({ denomination, count }) => [String(denomination), count]));
}
