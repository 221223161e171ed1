/** A shelf in two versions: the first counts pieces, the second counts them by size and can write some off. */
import { z } from 'zod';
import { accept, bind, defineActor } from '../../src/actor.ts';

type First = { readonly pieces: number };
type Put1 = { readonly type: 'Put'; readonly pieces: number };
const pieces = z.strictObject({ pieces: z.int() });

const Shelf1 = defineActor<First, Put1>()({
  type: 'shelf',
  version: 1,
  initial: () => ({ pieces: 0 }),
  evolve: (state, event) => ({ pieces: state.pieces + event.pieces }),
  refusals: [],
  commands: {
    put: {
      input: z.strictObject({ pieces: z.int().positive() }),
      reply: pieces,
      decide: (state, input) => accept([{ type: 'Put', pieces: input.pieces }], { pieces: state.pieces + input.pieces }),
    },
    later: {
      input: z.strictObject({ at: z.int() }),
      reply: z.strictObject({}),
      decide: (_state, input) => accept([], {}, [{ name: 'put', at: input.at, command: 'put', input: { pieces: 100 } }]),
    },
  },
});

type Second = { readonly small: number; readonly large: number };
type Event2 =
  | { readonly type: 'Put'; readonly size: 'small' | 'large'; readonly pieces: number }
  | { readonly type: 'WrittenOff'; readonly pieces: number };
const both = z.strictObject({ small: z.int(), large: z.int() });

const Shelf2 = defineActor<Second, Event2>()({
  type: 'shelf',
  version: 2,
  initial: () => ({ small: 0, large: 0 }),
  evolve: (state, event) =>
    event.type === 'Put' ? { ...state, [event.size]: state[event.size] + event.pieces } : { ...state, small: state.small - event.pieces },
  refusals: [],
  commands: {
    put: {
      input: z.strictObject({ pieces: z.int().positive(), size: z.enum(['small', 'large']).default('small') }),
      reply: both,
      decide: (state, { size, pieces }) => accept([{ type: 'Put', size, pieces }], { ...state, [size]: state[size] + pieces }),
    },
    later: {
      input: z.strictObject({ at: z.int() }),
      reply: z.strictObject({}),
      decide: (_state, input) => accept([], {}, [{ name: 'put', at: input.at, command: 'put', input: { pieces: 100 } }]),
    },
    writeOff: {
      input: z.strictObject({ pieces: z.int().positive() }),
      reply: both,
      decide: (state, input) => accept([{ type: 'WrittenOff', pieces: input.pieces }], { ...state, small: state.small - input.pieces }),
    },
  },
  queries: { all: (state) => ({ pieces: state.small + state.large }) },
  // What the first version stored: everything was small.
  migrate: { 1: (state) => ({ small: (state as First).pieces, large: 0 }) },
  upcast: { 1: (event) => ({ ...(event as Put1), size: 'small' as const }) },
});

export const first = bind(Shelf1, {});
export const second = bind(Shelf2, {});
