/** What an author's actor may say, held by the compiler: every `@ts-expect-error` is a mistake that must not compile. */
import { z } from 'zod';
import { type At, accept, bind, defineActor, doubt, effect, type Handlers, perform, type RuntimeRefusal, refuse } from '../../src/actor.ts';
import { connect } from '../../src/client.ts';

type State = { readonly cash: number };
type Event =
  | { readonly type: 'Intended'; readonly amount: number }
  | { readonly type: 'Dispensed'; readonly amount: number }
  | { readonly type: 'InDoubt' };
type Order = { readonly notes: Readonly<Record<string, number>> };
type Result = { readonly dispensed: number };

export const Till = defineActor<State, Event>()({
  type: 'till',
  version: 1,
  initial: () => ({ cash: 0 }),
  evolve: (state, event) => (event.type === 'Dispensed' ? { cash: state.cash - event.amount } : state),
  refusals: ['INSUFFICIENT_CASH', 'CLOSED'],
  effects: { dispenseCash: effect<Order, Result>({ timeoutMs: 30_000 }) },
  commands: {
    dispense: {
      input: z.object({ amount: z.int().positive(), account: z.string().optional() }),
      reply: z.object({ amount: z.int(), partial: z.boolean() }),
      lane: 'customer',
      decide: (state, input, turn) =>
        state.cash < input.amount
          ? refuse('INSUFFICIENT_CASH', { available: state.cash, at: turn.now.toFixed() })
          : perform([{ type: 'Intended', amount: input.amount }], 'dispenseCash', { notes: { '2000': 1 } }),
      settle: (_state, outcome) => {
        switch (outcome.status) {
          case 'confirmed':
            return accept([{ type: 'Dispensed', amount: outcome.result.dispensed }], { amount: outcome.result.dispensed, partial: false });
          case 'failed':
            return refuse('CLOSED', outcome.code);
          case 'unknown':
            return doubt([{ type: 'InDoubt' }]);
        }
      },
    },
    open: { input: z.object({}), reply: z.object({}), decide: (state) => (state.cash < 0 ? refuse('CLOSED') : accept([], {})) },
  },
  queries: { position: (state) => ({ cash: state.cash }) },
  invariants: { 'cash is never negative': (state) => state.cash >= 0 },
  limits: { mailbox: 256 },
});

// ── The caller ───────────────────────────────────────────────────────────────────────────────────────────────────────

const at: At = connect('http://127.0.0.1:8080');
export async function call(): Promise<void> {
  const answer = await at(Till, 'T-17').dispense({ amount: 100 });
  if (answer.status === 'done')
    ({ amount: answer.reply.amount, partial: answer.reply.partial }) satisfies { amount: number; partial: boolean };
  if (answer.status === 'busy' || answer.status === 'in-doubt') await at(Till, 'T-17').dispense({ amount: 100 }, answer);
  if (answer.status === 'refused') answer.code satisfies 'INSUFFICIENT_CASH' | 'CLOSED' | RuntimeRefusal;
  // @ts-expect-error an input of the wrong type
  await at(Till, 'T-17').dispense({ amount: '100' });
  // @ts-expect-error an optional field of the wrong type
  await at(Till, 'T-17').dispense({ amount: 1, account: 5 });
  // @ts-expect-error a command that it does not have
  await at(Till, 'T-17').nope({});
}
({ cash: 1 }) satisfies ReturnType<(typeof Till)['queries']['position']>;

// ── The handlers ─────────────────────────────────────────────────────────────────────────────────────────────────────

const handler: Handlers<typeof Till>['dispenseCash'] = {
  run: async (order) => ({ status: 'confirmed', result: { dispensed: order.notes['2000'] ?? 0 } }),
  probe: async () => ({ status: 'unknown' }),
};
bind(Till, { dispenseCash: handler });
// @ts-expect-error no probe: what cannot be asked again cannot be settled
bind(Till, { dispenseCash: { run: handler.run } });
// @ts-expect-error no handler
bind(Till, {});
// @ts-expect-error a probe that answers something else
bind(Till, { dispenseCash: { run: handler.run, probe: async () => ({ status: 'confirmed', result: { dispensed: 'x' } }) } });

// ── The author ───────────────────────────────────────────────────────────────────────────────────────────────────────

const base = {
  type: 'x',
  version: 1,
  initial: () => ({ cash: 0 }),
  evolve: (state: State, _event: Event) => state,
  refusals: ['A'],
} as const;
const schemas = { input: z.object({ n: z.number() }), reply: z.object({ ok: z.boolean() }) };
const effects = { call: effect<Order, Result>({ timeoutMs: 1 }) };

defineActor<State, Event>()({
  ...base,
  // @ts-expect-error a reply that the schema does not allow
  commands: { c: { ...schemas, decide: () => accept([], { ok: 1 }) } },
});
defineActor<State, Event>()({
  ...base,
  // @ts-expect-error an event that the actor does not have
  commands: { c: { ...schemas, decide: () => accept([{ type: 'Nope' }], { ok: true }) } },
});
defineActor<State, Event>()({
  ...base,
  // @ts-expect-error an event field of the wrong type
  commands: { c: { ...schemas, decide: () => accept([{ type: 'Intended', amount: 'x' }], { ok: true }) } },
});
defineActor<State, Event>()({
  ...base,
  // @ts-expect-error a refusal that is not in the catalogue
  commands: { c: { ...schemas, decide: () => refuse('B') } },
});
defineActor<State, Event>()({
  ...base,
  effects,
  // @ts-expect-error an effect that is not declared
  commands: { c: { ...schemas, decide: () => perform([], 'nope', { notes: {} }) } },
});
defineActor<State, Event>()({
  ...base,
  effects,
  // @ts-expect-error an order of the wrong type
  commands: { c: { ...schemas, decide: () => perform([], 'call', { notes: 5 }) } },
});
defineActor<State, Event>()({
  ...base,
  // @ts-expect-error a field that the input does not have
  commands: { c: { ...schemas, decide: (_state, input) => accept([], { ok: input.m > 1 }) } },
});
defineActor<State, Event>()({
  ...base,
  // @ts-expect-error no reply schema: the answer could not be documented
  commands: { c: { input: schemas.input, decide: () => refuse('A') } },
});

// ── What must go on compiling ────────────────────────────────────────────────────────────────────────────────────────

export const WithoutEffects = defineActor<State, Event>()({
  ...base,
  refusals: [],
  commands: {
    c: { input: z.object({ n: z.number().default(3) }), reply: schemas.reply, decide: (_state, input) => accept([], { ok: input.n > 1 }) },
  },
});
export const WithBlockBody = defineActor<State, Event>()({
  ...base,
  commands: {
    c: {
      ...schemas,
      decide: (state, input) => {
        if (state.cash > input.n) return refuse('A');
        const events = [{ type: 'Intended', amount: input.n } as const];
        return accept(events, { ok: true });
      },
    },
  },
});
export const WithTimer = defineActor<State, Event>()({
  ...base,
  commands: {
    c: {
      ...schemas,
      decide: (_state, input, turn) =>
        accept([], { ok: input.n > 0 }, [{ name: 'close', at: turn.now + 1_000, command: 'c', input: { n: 1 } }]),
    },
  },
});
export const WithTwoEffects = defineActor<State, Event>()({
  ...base,
  effects: { a: effect<Order, Result>({ timeoutMs: 1 }), b: effect<{ x: 1 }, { y: 2 }>({ timeoutMs: 1 }) },
  commands: {
    c: {
      input: z.object({}),
      reply: z.object({ y: z.number() }),
      decide: () => perform([], 'b', { x: 1 }),
      settle: (_state, outcome) => {
        if (outcome.status === 'unknown') return doubt([]);
        if (outcome.status === 'failed') return refuse('A', outcome.code);
        return accept([], { y: outcome.effect === 'b' ? outcome.result.y : outcome.result.dispensed });
      },
    },
  },
});
export const anyRegistry: readonly { readonly type: string }[] = [Till, WithoutEffects, WithBlockBody, WithTimer, WithTwoEffects];
