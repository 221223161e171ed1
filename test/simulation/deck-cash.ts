/** Orders of a few cash machines, some of them far busier than others: stocks are small, and greedy hands would often fail. */
import type { Chance } from './chance.ts';
import type { Order } from './step.ts';
import type { Deck, Past } from './workload.ts';

const LOCATIONS = 18;
const SKEW = 3;
/** In minor units; of USD 60 is no 50 and a rest, of EUR 30 is three notes, not six. */
const CASSETTES: Readonly<Record<string, readonly number[]>> = { USD: [5_000, 2_000], EUR: [2_500, 1_000, 100] };

export const cashDeck: Deck = (chance, past) => {
  const address = `cash-location/ATM-${Math.floor(LOCATIONS * chance.next() ** SKEW)}`;
  const currency = chance.odds(0.75) ? 'USD' : 'EUR';
  const roll = chance.next();
  if (roll < 0.24) return { address, name: 'load', input: { currency, cassettes: cassettes(chance, currency, 8) } };
  if (roll < 0.76) return { address, name: 'dispense', input: dispense(chance, currency) };
  if (roll < 0.9) return reverse(chance, past, address);
  if (roll < 0.95) return { address, name: 'count', input: { currency, cassettes: cassettes(chance, currency, 12) } };
  if (roll < 0.97) return { address, name: 'open', input: {} };
  // So that it does not stay closed for the rest of the run.
  past.foretell({ address, name: 'open', input: {}, commandId: past.freshId() });
  return { address, name: 'close', input: chance.odds(0.5) ? { reason: 'a service' } : {} };
};

function cassettes(chance: Chance, currency: string, most: number) {
  const named = (CASSETTES[currency] ?? []).filter(() => chance.odds(0.8));
  const all = named.length > 0 ? named : (CASSETTES[currency] ?? []).slice(0, 1);
  return all.map((denomination) => ({ denomination, count: chance.below(most + 1) }));
}
function dispense(chance: Chance, currency: string): object {
  const amount = currency === 'USD' ? 1_000 * chance.between(2, 14) : 500 * chance.between(1, 10);
  return { amount, currency, ...(chance.odds(0.3) && { account: `acc-${chance.below(9)}` }) };
}
/** Of a dispense that was sent, of one that is yet to come, or of something that cannot be taken back. */
function reverse(chance: Chance, past: Past, address: string): Order {
  const sent = past.sent(address);
  const dispenses = sent.filter(({ name }) => name === 'dispense');
  const roll = chance.next();
  let commandId = roll < 0.8 && dispenses.length > 0 ? recent(chance, dispenses) : undefined;
  if (commandId === undefined && roll > 0.9 && sent.length > 0) commandId = chance.pick(sent).commandId;
  if (commandId === undefined) {
    commandId = past.freshId();
    past.foretell({ address, name: 'dispense', input: dispense(chance, 'USD'), commandId });
  }
  return { address, name: 'reverse', input: { commandId } };
}
/** Often the last one: it may still be under way. */
function recent(chance: Chance, from: readonly { readonly commandId: string }[]): string | undefined {
  return chance.odds(0.5) ? from.at(-1)?.commandId : chance.pick(from).commandId;
}
