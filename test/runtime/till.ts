/** A small actor for tests of the runtime: a till that adds, pays out through a device, and can be made to fail. */
import { z } from 'zod';
import {
  accept,
  bind,
  type Confirmed,
  defineActor,
  doubt,
  effect,
  type Failed,
  type Fence,
  type Fenced,
  perform,
  refuse,
  type Timer,
} from '../../src/actor.ts';

type Paid = { readonly amount: number };
type State = { readonly cash: number; readonly paying: number };
type Event =
  | { readonly type: 'Added'; readonly amount: number }
  | { readonly type: 'PayIntended'; readonly amount: number }
  | { readonly type: 'Paid'; readonly amount: number }
  | { readonly type: 'PayFailed' }
  | { readonly type: 'PayInDoubt' };

const amount = z.strictObject({ amount: z.int().positive() });
const cash = z.strictObject({ cash: z.int() });

/** What tests switch in the actor while it runs. */
export const mood = { throws: 0, settleThrows: false };

export const Till = defineActor<State, Event>()({
  type: 'till',
  version: 1,
  initial: () => ({ cash: 0, paying: 0 }),
  evolve(state, event) {
    switch (event.type) {
      case 'Added':
        return { ...state, cash: state.cash + event.amount };
      case 'PayIntended':
        return { cash: state.cash - event.amount, paying: event.amount };
      case 'Paid':
        return { cash: state.cash + state.paying - event.amount, paying: 0 };
      case 'PayFailed':
        return { cash: state.cash + state.paying, paying: 0 };
      case 'PayInDoubt':
        return state;
    }
  },
  refusals: ['TOO_LITTLE', 'NOT_PAID'],
  effects: { pay: effect<Paid, Paid>({ timeoutMs: 3_000 }) },
  commands: {
    add: {
      input: amount,
      reply: cash,
      decide: (state, input) => accept([{ type: 'Added', amount: input.amount }], { cash: state.cash + input.amount }),
    },
    look: { input: z.strictObject({}), reply: cash, decide: (state) => accept([], { cash: state.cash }) },
    pay: {
      present: true,
      input: amount,
      reply: amount,
      decide: (state, input) =>
        state.cash < input.amount
          ? refuse('TOO_LITTLE', { cash: state.cash })
          : perform([{ type: 'PayIntended', amount: input.amount }], 'pay', input),
      settle(_state, outcome) {
        if (mood.settleThrows && outcome.status !== 'unknown') throw new Error('settle was told to throw');
        if (outcome.status === 'confirmed')
          return accept([{ type: 'Paid', amount: outcome.result.amount }], { amount: outcome.result.amount });
        if (outcome.status === 'failed') return { ...refuse('NOT_PAID', outcome.code), events: [{ type: 'PayFailed' }] };
        return doubt([{ type: 'PayInDoubt' }]);
      },
    },
    fail: {
      input: z.strictObject({}),
      reply: cash,
      recall: (_input, commandId) => [`before-${commandId}`],
      decide(state) {
        if (mood.throws > 0) {
          mood.throws--;
          throw new Error('decide was told to throw');
        }
        return accept([], { cash: state.cash });
      },
    },
    later: {
      input: z.strictObject({ timers: z.array(z.unknown()) }),
      reply: cash,
      decide: (state, input) => accept([], { cash: state.cash }, input.timers as Timer[]),
    },
    note: {
      lane: 'bulk',
      input: z.strictObject({}),
      reply: z.strictObject({ now: z.int() }),
      decide: (_state, _input, turn) => accept([], { now: turn.now }),
    },
    overdraw: { input: z.strictObject({}), reply: cash, decide: () => accept([{ type: 'Added', amount: -1_000_000 }], { cash: 0 }) },
  },
  queries: { cash: (state) => ({ cash: state.cash }) },
  invariants: { 'cash is never negative': (state) => state.cash >= 0 },
});

/** A device that remembers what it paid, obeys fences, and whose calls tests can hold. */
export class TillDevice {
  readonly paid = new Map<string, number>();
  readonly calls: string[] = [];
  readonly #fences = new Map<string, Fence>();
  readonly #voided = new Set<string>();
  /** Awaited before the device looks at a call. */
  before: (kind: 'run' | 'probe' | 'open', key: string) => Promise<void> = async () => {};
  /** Awaited after the cash has moved and before the answer. */
  after: (key: string) => Promise<void> = async () => {};

  /** As if another owner had been obeyed: from now on only fences at least as high count. */
  obey(address: string, fence: Fence): void {
    this.#fences.set(address, fence);
  }

  bound() {
    return bind(Till, {
      pay: {
        open: async (context) => {
          await this.before('open', '');
          return this.#fence(context.address, context.fence) ?? 'journal-1';
        },
        run: async (order, context): Promise<Confirmed<Paid> | Failed | Fenced> => {
          this.calls.push(`run ${context.key}`);
          await this.before('run', context.key);
          const fenced = this.#fence(context.address, context.fence);
          if (fenced !== undefined) return fenced;
          if (this.#voided.has(context.key)) return { status: 'failed', code: 'VOID' };
          if (!this.paid.has(context.key)) this.paid.set(context.key, order.amount);
          await this.after(context.key);
          return { status: 'confirmed', result: { amount: this.paid.get(context.key) ?? 0 } };
        },
        probe: async (_order, context) => {
          this.calls.push(`probe ${context.key} ${context.fence.epoch}/${context.fence.seq}`);
          await this.before('probe', context.key);
          const fenced = this.#fence(context.address, context.fence);
          if (fenced !== undefined) return fenced;
          const amount = this.paid.get(context.key);
          if (amount !== undefined) return { status: 'confirmed', result: { amount } };
          this.#voided.add(context.key);
          return { status: 'failed', code: 'NONE' };
        },
      },
    });
  }

  #fence(address: string, fence: Fence): Fenced | undefined {
    const highest = this.#fences.get(address) ?? { epoch: 0, seq: 0 };
    if (fence.epoch < highest.epoch || (fence.epoch === highest.epoch && fence.seq < highest.seq)) return { status: 'fenced', highest };
    this.#fences.set(address, fence);
    return undefined;
  }
}
