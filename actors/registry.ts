/** The actors that this program runs. */
import { CashLocation } from './cash-location/actor.ts';

export const registry = [CashLocation] as const;
