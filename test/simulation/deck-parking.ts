/** Orders of a few parking places: their reservations end by themselves, so timers are armed, replaced, cancelled and due. */
import type { Deck } from './workload.ts';

const PLACES = 5;
const PLATES = ['LO-1', 'LO-2', 'LO-3'];

export const parkingDeck: Deck = (chance) => {
  const address = `parking-place/P-${chance.below(PLACES)}`;
  const plate = chance.pick(PLATES);
  const roll = chance.next();
  if (roll < 0.45) return { address, name: 'reserve', input: { plate, minutes: chance.between(1, 3) } };
  if (roll < 0.65) return { address, name: 'park', input: { plate } };
  if (roll < 0.9) return { address, name: 'leave', input: {} };
  return { address, name: 'expire', input: { plate } };
};
