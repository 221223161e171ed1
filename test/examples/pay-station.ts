/** A pay station: a card is charged through a terminal, and what the terminal did not tell is asked, never guessed. */
import { z } from 'zod';
import { accept, defineActor, doubt, effect, perform, refuse, refuseWith } from '../../src/actor.ts';

type State = { readonly centsPerHour: number; readonly takenCents: number; readonly refundedCents: number };
type Event =
  | { readonly type: 'ChargeIntended'; readonly plate: string; readonly cents: number }
  | { readonly type: 'Paid'; readonly commandId: string; readonly cents: number }
  | { readonly type: 'ChargeFailed'; readonly why: string }
  | { readonly type: 'Refunded'; readonly commandId: string; readonly cents: number }
  | { readonly type: 'TariffSet'; readonly centsPerHour: number };

type Order = { readonly plate: string; readonly cents: number };
type Receipt = { readonly receipt: string };
/** What is kept of a payment, under its commandId. */
type Payment = { readonly cents: number; readonly refunded: boolean };
const DAY_MS = 86_400_000;

export const PayStation = defineActor<State, Event>()({
  type: 'pay-station',
  version: 1,
  initial: () => ({ centsPerHour: 200, takenCents: 0, refundedCents: 0 }),
  evolve(state, event) {
    switch (event.type) {
      case 'Paid':
        return { ...state, takenCents: state.takenCents + event.cents };
      case 'Refunded':
        return { ...state, refundedCents: state.refundedCents + event.cents };
      case 'TariffSet':
        return { ...state, centsPerHour: event.centsPerHour };
      default:
        return state;
    }
  },
  refusals: ['DECLINED', 'UNKNOWN_PAYMENT', 'ALREADY_REFUNDED'],
  effects: { charge: effect<Order, Receipt>({ timeoutMs: 20_000 }) },
  commands: {
    pay: {
      input: z.strictObject({ plate: z.string().regex(/^[A-Z0-9-]{2,10}$/), hours: z.int().min(1).max(24) }),
      reply: z.strictObject({ cents: z.int(), receipt: z.string() }),
      present: true,
      decide(state, { plate, hours }) {
        const order = { plate, cents: hours * state.centsPerHour };
        return perform([{ type: 'ChargeIntended', ...order }], 'charge', order);
      },
      settle(_state, outcome, { commandId }) {
        switch (outcome.status) {
          case 'confirmed': {
            const { cents } = outcome.order;
            return accept([{ type: 'Paid', commandId, cents }], { cents, receipt: outcome.result.receipt });
          }
          case 'failed':
            return refuseWith([{ type: 'ChargeFailed', why: outcome.code }], 'DECLINED', { why: outcome.code });
          case 'unknown':
            return doubt([]);
        }
      },
    },
    refund: {
      input: z.strictObject({ commandId: z.string() }),
      reply: z.strictObject({ cents: z.int() }),
      recall: ({ commandId }) => [commandId],
      decide(_state, { commandId }, turn) {
        const payment = turn.recalled.get(commandId)?.record as Payment | undefined;
        if (payment === undefined) return refuse('UNKNOWN_PAYMENT');
        if (payment.refunded) return refuse('ALREADY_REFUNDED');
        return accept([{ type: 'Refunded', commandId, cents: payment.cents }], { cents: payment.cents });
      },
    },
    tariff: {
      input: z.strictObject({ centsPerHour: z.int().min(0).max(10_000) }),
      reply: z.strictObject({}),
      lane: 'bulk',
      decide: (_state, { centsPerHour }) => accept([{ type: 'TariffSet', centsPerHour }], {}),
    },
  },
  records: {
    keepMs: 90 * DAY_MS,
    of(event) {
      if (event.type !== 'Paid' && event.type !== 'Refunded') return [];
      const payment: Payment = { cents: event.cents, refunded: event.type === 'Refunded' };
      return [{ commandId: event.commandId, value: payment }];
    },
  },
  queries: { till: ({ takenCents, refundedCents }) => ({ cents: takenCents - refundedCents }) },
  invariants: { 'no more is refunded than was taken': (state) => state.refundedCents <= state.takenCents },
  limits: { mailbox: 64, idleMs: 60_000, attempts: 3 },
});
