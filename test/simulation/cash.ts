/** The play that is searched: cash locations over their device, and parking places with their timers beside them. */
import { CashLocation } from '../../actors/cash-location/actor.ts';
import { bind } from '../../src/actor.ts';
import { ParkingPlace } from '../examples/parking-place.ts';
import { invariants } from './checkers/invariants.ts';
import { cashDeck } from './deck-cash.ts';
import { parkingDeck } from './deck-parking.ts';
import { type Ask, type Play, played, type Report } from './run.ts';
import { workload } from './workload.ts';

/** As few as a world may have: a record put by number must find its partition. */
const PARTITIONS = 3;

export const cash: Play = {
  actors: (device) => (clock, log) => [bind(CashLocation, { dispenseCash: device.handlers({ clock, log }) }), bind(ParkingPlace, {})],
  carriesEffects: false,
  work: (chance) =>
    workload(chance, {
      partitions: PARTITIONS,
      decks: [
        [0.85, cashDeck],
        [0.15, parkingDeck],
      ],
    }),
  checkers: invariants([ParkingPlace]),
};
export const simulated = (ask: Ask): Promise<Report> => played(ask, cash);
