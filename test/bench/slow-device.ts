/** A device inside the process that takes its time and pays what it is told. */
import { CashLocation } from '../../actors/cash-location/actor.ts';
import { bind } from '../../src/actor.ts';

export const DEVICE_MS = 20;

export const slowDevice = bind(CashLocation, {
  dispenseCash: {
    // A bare timer: what the device costs is charged to the replica.
    run: (order) =>
      new Promise((paid) => {
        setTimeout(() => paid({ status: 'confirmed', result: { status: 'dispensed', notes: order.notes } }), DEVICE_MS);
      }),
    probe: async () => ({ status: 'unknown' }),
  },
});
