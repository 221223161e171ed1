/** What a device's words mean: its answers become evidence, and what it does not say stays unknown. Over any transport. */
import { type Fault, fault, LocusError, sentence } from '../../src/errors.ts';
import type { Log } from '../../src/ports.ts';

// The shapes of src/actor.ts and of the actors, repeated: this wing knows neither. `bind` in main.ts is where they must fit.
export type Fence = { readonly epoch: number; readonly seq: number };
export type Notes = Readonly<Record<string, number>>;
type Order = { readonly currency: string; readonly notes: Notes };
type Result = { readonly status: 'dispensed' | 'partial'; readonly notes: Notes; readonly retracted?: Notes; readonly rejected?: Notes };
type Said =
  | { readonly status: 'confirmed'; readonly result: Result }
  | { readonly status: 'failed'; readonly code: string }
  | { readonly status: 'fenced'; readonly highest: Fence };
type Opening = { readonly address: string; readonly fence: Fence; readonly signal: AbortSignal };
type Context = Opening & { readonly key: string; readonly witness: string | undefined };

export type GatewayHandlers = {
  readonly open: (context: Opening) => Promise<string | Extract<Said, { readonly status: 'fenced' }>>;
  readonly run: (order: Order, context: Context) => Promise<Said>;
  readonly probe: (order: Order, context: Context) => Promise<Said | { readonly status: 'unknown' }>;
};

export type Body = {
  readonly status: string;
  readonly notes: Notes;
  readonly retracted?: Notes;
  readonly rejected?: Notes;
  readonly journal: string;
  readonly highest: Fence;
};

/** One request to the device of an address and its answer. A throw is an answer that did not come, or made no sense: the effect is then in doubt. */
export type Post = (
  address: string,
  verb: 'dispense' | 'probe',
  request: { readonly commandId?: string; readonly currency?: string; readonly notes?: Notes; readonly fence: Fence },
  signal: AbortSignal,
) => Promise<Body | { readonly fenced: Fence }>;

/** The effect handlers of a cash location. */
export function gatewayRules({ post, log }: { readonly post: Post; readonly log: Log }): GatewayHandlers {
  /** Runs without an answer, by address: see `probe`. */
  const unanswered = new Map<string, Fence>();
  return {
    open: async ({ address, fence, signal }) => {
      const body = await post(address, 'probe', { fence }, signal);
      return 'fenced' in body ? { status: 'fenced', highest: body.fenced } : body.journal;
    },

    run: async (order, { address, key, fence, signal }) => {
      unanswered.set(address, fence);
      const body = await post(address, 'dispense', { commandId: key, currency: order.currency, notes: order.notes, fence }, signal);
      unanswered.delete(address);
      if ('fenced' in body) return { status: 'fenced', highest: body.fenced };
      return evidence(body) ?? unusable(address, 'status', body.status, 'must be dispensed, partial or failed');
    },

    probe: async (_order, { address, key, fence, witness, signal }) => {
      const body = await post(address, 'probe', { commandId: key, fence }, signal);
      if ('fenced' in body) return { status: 'fenced', highest: body.fenced };
      const known = evidence(body);
      if (known) return known;
      // `none` is a promise for ever only from the device that the intent was opened with, and once an older call on the wire is fenced off.
      // A device that already stood at our fence was raised there by a probe whose answer was lost, unless a run of ours went out with it.
      const above = compare(body.highest, fence);
      const ran = unanswered.get(address);
      const raised = above < 0 || (above === 0 && !(ran && compare(ran, fence) === 0));
      if (body.status === 'none' && witness !== undefined && body.journal === witness && raised) {
        unanswered.delete(address);
        return { status: 'failed', code: 'NEVER_DISPENSED' };
      }
      log.info(
        { address, commandId: key, said: body.status, journal: body.journal, witness, highest: body.highest, fence },
        'device cannot tell',
      );
      return { status: 'unknown' };
    },
  };
}

/** Notes that were moved, if only into the reject bin, must be booked: such a failure is a dispense of nothing. */
function evidence({ status, notes, retracted, rejected }: Body): Exclude<Said, { readonly status: 'fenced' }> | undefined {
  const moved = { ...(retracted && { retracted }), ...(rejected && { rejected }) };
  if (status === 'dispensed' || status === 'partial') return { status: 'confirmed', result: { status, notes, ...moved } };
  if (status !== 'failed') return undefined;
  const anything = [notes, retracted ?? {}, rejected ?? {}].some((it) => Object.values(it).some((count) => count !== 0));
  return anything ? { status: 'confirmed', result: { status: 'partial', notes, ...moved } } : { status: 'failed', code: 'DISPENSE_FAILED' };
}

export function unusable(address: string, field: string, value: unknown, rule: string): never {
  const it: Fault = fault('ENVELOPE_INVALID', field, value, rule);
  throw new LocusError('ENVELOPE_INVALID', `the device of ${address} answered what cannot be used: ${sentence(it)}`, { faults: [it] });
}

const compare = (a: Fence, b: Fence): number => a.epoch - b.epoch || a.seq - b.seq;
