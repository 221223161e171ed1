/** The smallest actor worth having: a counter with a limit. README.md shows it as it stands here. */
import { z } from 'zod';
import { accept, defineActor, refuse } from '../../src/actor.ts';

type State = { readonly count: number };
type Event = { readonly type: 'Counted'; readonly by: number };

export const Counter = defineActor<State, Event>()({
  type: 'counter',
  version: 1,
  initial: () => ({ count: 0 }),
  evolve: (state, event) => ({ count: state.count + event.by }),
  refusals: ['FULL'],
  commands: {
    count: {
      input: z.strictObject({ by: z.int().positive() }),
      reply: z.strictObject({ count: z.int() }),
      decide: (state, input) =>
        state.count + input.by > 10
          ? refuse('FULL', { left: 10 - state.count })
          : accept([{ type: 'Counted', by: input.by }], { count: state.count + input.by }),
    },
  },
  queries: { count: (state) => ({ count: state.count }) },
  invariants: { 'the count is at most 10': (state) => state.count <= 10 },
});
