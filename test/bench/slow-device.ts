/** A device inside the process that takes its time and pays what it is told. */
import { setTimeout as wait } from 'node:timers/promises';
import { CashLocation } from '../../actors/cash-location/actor.ts';
import { bind } from '../../src/actor.ts';

export const DEVICE_MS = 20;

export const slowDevice = bind(CashLocation, {
  dispenseCash: {
    run: async (order) => {
      await wait(DEVICE_MS);
      return { status: 'confirmed', result: { status: 'dispensed', notes: order.notes } };
    },
    probe: async () => ({ status: 'unknown' }),
  },
});
