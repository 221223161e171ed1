/** given(Actor, events).when(command, input).gives(…): a test of an actor reads as the story it tells. */
import { expect } from 'vitest';
import type { Actor, Effect, Timer } from '../../src/actor.ts';
import {
  type Answer,
  type AnyActor,
  begin,
  due,
  type Event,
  type Evidence,
  happened,
  type Moment,
  settle,
  take,
  type World,
} from './world.ts';

type OrderOf<F> = F extends Effect<infer O, infer _> ? O : never;
type ResultOf<F> = F extends Effect<infer _, infer R> ? R : never;
type Results<F> = { [K in keyof F]: ResultOf<F[K]> }[keyof F];

/** What is left out is not judged; an answer that is expected says all of its events, and all timers it sets, or none. */
export type Expected<E, F, X, R> =
  | { readonly events?: readonly E[]; readonly reply: R; readonly timers?: readonly Timer[] }
  | { readonly events?: readonly E[]; readonly refused: X | 'IN_DOUBT_OPEN'; readonly detail?: unknown }
  | { [K in keyof F & string]: { readonly events?: readonly E[]; readonly performs: K; readonly order?: OrderOf<F[K]> } }[keyof F & string]
  | { readonly events?: readonly E[]; readonly inDoubt: true };

export type Story<S, E, F, X, I, R> = {
  readonly when: <K extends keyof I & keyof R & string>(command: K, input: I[K], moment?: Moment) => Told<S, E, F, X, I, R, R[K]>;
  /** Evidence about the effect that is open, or its absence. */
  readonly whenOutside: (evidence: Evidence<Results<F>>) => Told<S, E, F, X, I, R, R[keyof I & keyof R]>;
  /** The time of this timer has come, or `now` if that is later. */
  readonly whenDue: (timer: string, moment?: Pick<Moment, 'now'>) => Told<S, E, F, X, I, R, R[keyof I & keyof R]>;
  /** Looks at the state in the middle of the story. */
  readonly state: (look: (state: S) => void) => Story<S, E, F, X, I, R>;
};
type Told<S, E, F, X, I, R, Reply> = {
  readonly gives: (expected: Expected<E, F, X, Reply>) => Story<S, E, F, X, I, R>;
  /** The actor breaks: it throws, or an invariant does not hold. The story goes on as if nothing had been asked. */
  readonly breaks: (message: string | RegExp) => Story<S, E, F, X, I, R>;
};

/** A location to which these events have happened; its ids are free for the test to use. */
export function given<S, E extends Event, F, X, I, R, Q>(
  actor: Actor<S, E, F, X, I, R, Q>,
  events: readonly NoInfer<E>[] = [],
): Story<S, E, F, X, I, R> {
  const any = actor as unknown as AnyActor;
  return story(any, happened(any, begin(actor), events), `given ${events.map((it) => it.type).join(', ') || 'nothing'}`);
}

/** A location in this state, however it came to it. */
export function givenState<S, E, F, X, I, R, Q>(actor: Actor<S, E, F, X, I, R, Q>, state: S): Story<S, E, F, X, I, R> {
  return story(actor as unknown as AnyActor, begin(actor, 'X-1', state), `given ${JSON.stringify(state)}`);
}

function story<S, E, F, X, I, R>(actor: AnyActor, world: World, so: string): Story<S, E, F, X, I, R> {
  const told = <Reply>(what: string, run: () => readonly [World, Answer]): Told<S, E, F, X, I, R, Reply> => ({
    gives: (expected) => {
      const [next, answer] = run();
      expect(judged(answer, expected), `${so}\n  ${what}`).toEqual(expected);
      return story(actor, next, `${so}\n  ${what}: ${'code' in answer ? answer.code : answer.status}`);
    },
    breaks: (message) => {
      expect(run, `${so}\n  ${what}`).toThrow(message);
      return story(actor, world, so);
    },
  });
  return {
    when: (command, input, moment) => told(`when ${command} ${JSON.stringify(input)}`, () => take(actor, world, command, input, moment)),
    whenOutside: (evidence) => told(`when the outside says ${JSON.stringify(evidence)}`, () => settle(actor, world, evidence)),
    whenDue: (timer, moment) => told(`when ${timer} is due`, () => due(actor, world, timer, moment)),
    state: (look) => {
      look(world.state as S);
      return story(actor, world, so);
    },
  };
}

/** The answer in the words of an expectation, less what the expectation leaves out. */
function judged(answer: Answer, expected: object): object {
  const words = {
    done: () => ({ reply: 'reply' in answer ? answer.reply : undefined }),
    refused: () => ({
      refused: 'code' in answer ? answer.code : undefined,
      ...('detail' in answer && ('detail' in expected || !('refused' in expected)) && { detail: answer.detail }),
    }),
    performs: () => ({
      performs: 'effect' in answer ? answer.effect : undefined,
      ...('order' in answer && ('order' in expected || !('performs' in expected)) && { order: answer.order }),
    }),
    'in-doubt': () => ({ inDoubt: true }),
  }[answer.status]();
  return {
    ...words,
    ...('events' in expected && { events: answer.events }),
    ...('timers' in expected && { timers: 'timers' in answer ? answer.timers : [] }),
  };
}
