/** A parking place that is reserved for a while: the reservation ends by itself, whatever happens to the replicas meanwhile. */
import { z } from 'zod';
import { accept, defineActor, refuse, type Timer } from '../../src/actor.ts';

type Reservation = { readonly plate: string; readonly untilMs: number };
type State = { readonly reserved: Reservation | null; readonly parked: string | null };
type Event =
  | { readonly type: 'Reserved'; readonly plate: string; readonly untilMs: number }
  | { readonly type: 'Expired'; readonly plate: string }
  | { readonly type: 'Arrived'; readonly plate: string }
  | { readonly type: 'Left'; readonly plate: string };

const MINUTE_MS = 60_000;
const plate = z.string().regex(/^[A-Z0-9-]{2,10}$/);
const car = z.strictObject({ plate });
const nothing = z.strictObject({});

/** One name: a reservation that takes the place of another takes the place of its timer too. */
const ends = (reserved: Reservation): Timer => ({
  name: 'reservation',
  at: reserved.untilMs,
  command: 'expire',
  input: { plate: reserved.plate },
});
const endsNot: Timer = { name: 'reservation', at: null, command: 'expire', input: null };

export const ParkingPlace = defineActor<State, Event>()({
  type: 'parking-place',
  version: 1,
  initial: () => ({ reserved: null, parked: null }),
  evolve(state, event) {
    switch (event.type) {
      case 'Reserved':
        return { ...state, reserved: { plate: event.plate, untilMs: event.untilMs } };
      case 'Expired':
        return { ...state, reserved: null };
      case 'Arrived':
        return { reserved: null, parked: event.plate };
      case 'Left':
        return { ...state, parked: null };
    }
  },
  refusals: ['TAKEN', 'RESERVED', 'EMPTY', 'NOT_DUE'],
  commands: {
    reserve: {
      input: car.extend({ minutes: z.int().min(1).max(120) }),
      reply: z.strictObject({ untilMs: z.int() }),
      decide(state, input, turn) {
        if (state.parked !== null) return refuse('TAKEN');
        if (state.reserved !== null && state.reserved.plate !== input.plate) return refuse('RESERVED', { untilMs: state.reserved.untilMs });
        const reserved = { plate: input.plate, untilMs: turn.now + input.minutes * MINUTE_MS };
        return accept([{ type: 'Reserved', ...reserved }], { untilMs: reserved.untilMs }, [ends(reserved)]);
      },
    },
    expire: {
      input: car,
      reply: nothing,
      decide(state, input, turn) {
        // Anybody may send it, not the timer alone.
        if (state.reserved?.plate !== input.plate || turn.now < state.reserved.untilMs) return refuse('NOT_DUE');
        return accept([{ type: 'Expired', plate: input.plate }], {});
      },
    },
    park: {
      input: car,
      reply: nothing,
      decide(state, input) {
        if (state.parked !== null) return refuse('TAKEN');
        if (state.reserved !== null && state.reserved.plate !== input.plate) return refuse('RESERVED', { untilMs: state.reserved.untilMs });
        return accept([{ type: 'Arrived', plate: input.plate }], {}, [endsNot]);
      },
    },
    leave: {
      input: nothing,
      reply: car,
      decide: (state) =>
        state.parked === null ? refuse('EMPTY') : accept([{ type: 'Left', plate: state.parked }], { plate: state.parked }),
    },
  },
  queries: { place: (state) => ({ free: state.parked === null && state.reserved === null, ...state }) },
  invariants: { 'who has parked holds no reservation': (state) => state.parked === null || state.reserved === null },
});
