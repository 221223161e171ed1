/** Speaks to a device gateway: what the device says becomes evidence, and what it does not say stays unknown. */
import { Pool } from 'undici';
import { type Fault, fault, LocusError, sentence, shown } from '../../src/errors.ts';
import type { Clock, Log } from '../../src/ports.ts';

// The shapes of src/actor.ts and of the actors, repeated: this wing knows neither. `bind` in main.ts is where they must fit.
type Fence = { readonly epoch: number; readonly seq: number };
type Notes = Readonly<Record<string, number>>;
type Order = { readonly currency: string; readonly notes: Notes };
type Result = { readonly status: 'dispensed' | 'partial'; readonly notes: Notes; readonly retracted?: Notes; readonly rejected?: Notes };
type Said =
  | { readonly status: 'confirmed'; readonly result: Result }
  | { readonly status: 'failed'; readonly code: string }
  | { readonly status: 'fenced'; readonly highest: Fence };
type Opening = { readonly address: string; readonly fence: Fence; readonly signal: AbortSignal };
type Context = Opening & { readonly key: string; readonly witness: string | undefined };

export type GatewayOptions = {
  /** DEVICE_URL, such as http://127.0.0.1:7070 */
  readonly url: string;
  readonly clock: Clock;
  readonly log: Log;
  /** How long one request may take; the context's signal may end it earlier. */
  readonly timeoutMs: number;
};
/** Connections are kept. Not the global fetch: a call through it costs more CPU than the whole turn around it. */
type Wire = Omit<GatewayOptions, 'url'> & { readonly pool: Pool; readonly base: string };
export type GatewayHandlers = {
  readonly open: (context: Opening) => Promise<string | Extract<Said, { readonly status: 'fenced' }>>;
  readonly run: (order: Order, context: Context) => Promise<Said>;
  readonly probe: (order: Order, context: Context) => Promise<Said | { readonly status: 'unknown' }>;
};

type Body = {
  readonly status: string;
  readonly notes: Notes;
  readonly retracted?: Notes;
  readonly rejected?: Notes;
  readonly journal: string;
  readonly highest: Fence;
};

/** An answer is a few hundred bytes; a device that sends more than this is not believed. */
const ANSWER_MAX_BYTES = 65_536;

/** The effect handlers of a cash location. A throw is an answer that did not come, or made no sense: the effect is then in doubt. */
export function gatewayHandlers({ url, ...options }: GatewayOptions): GatewayHandlers {
  const { origin, pathname } = new URL(url);
  const wire: Wire = {
    ...options,
    // How long a call may take is said by its signal alone. Idle connections end before the other side says that it ends them, or after 4 s, so that
    // a call seldom meets a closing one; where it does it fails like any lost answer: nothing is ever sent twice.
    pool: new Pool(origin, { headersTimeout: 0, bodyTimeout: 0, maxResponseSize: ANSWER_MAX_BYTES }),
    base: pathname.replace(/\/+$/, ''),
  };
  /** Runs without an answer, by address: see `probe`. */
  const unanswered = new Map<string, Fence>();
  return {
    open: async ({ address, fence, signal }) => {
      const body = await post(wire, address, 'probe', { fence }, signal);
      return 'fenced' in body ? { status: 'fenced', highest: body.fenced } : body.journal;
    },

    run: async (order, { address, key, fence, signal }) => {
      unanswered.set(address, fence);
      const body = await post(wire, address, 'dispense', { commandId: key, currency: order.currency, notes: order.notes, fence }, signal);
      unanswered.delete(address);
      if ('fenced' in body) return { status: 'fenced', highest: body.fenced };
      return evidence(body) ?? unusable(address, 'status', body.status, 'must be dispensed, partial or failed');
    },

    probe: async (_order, { address, key, fence, witness, signal }) => {
      const body = await post(wire, address, 'probe', { commandId: key, fence }, signal);
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
      options.log.info(
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

async function post(
  { pool, base, clock, timeoutMs }: Wire,
  address: string,
  verb: 'dispense' | 'probe',
  request: object,
  signal: AbortSignal,
): Promise<Body | { readonly fenced: Fence }> {
  const path = pathOf(base, address, verb);
  signal.throwIfAborted();
  const over = new AbortController();
  const given = () => over.abort(signal.reason);
  signal.addEventListener('abort', given);
  const alarm = clock.after(timeoutMs, () => over.abort(new Error(`no answer from the device in ${timeoutMs} ms`)));
  try {
    const headers = { 'content-type': 'application/json' };
    const { statusCode, body: answer } = await pool.request({
      path,
      method: 'POST',
      headers,
      body: JSON.stringify(request),
      signal: over.signal,
    });
    const text = await answer.text();
    if (statusCode !== 200 && statusCode !== 409) return unusable(address, 'status code', statusCode, `must be 200 or 409: ${shown(text)}`);
    const body = parsed(text);
    if (statusCode === 409)
      return isFence(body?.highest) ? { fenced: body.highest } : unusable(address, 'highest', body?.highest, 'must be a fence');
    return checked(address, body);
  } finally {
    alarm.cancel();
    signal.removeEventListener('abort', given);
  }
}

function pathOf(base: string, address: string, verb: string): string {
  const id = address.slice(address.indexOf('/') + 1);
  // `.` and `..` are ids, but no path segments: a URL would name another location, or none.
  if (id === '.' || id === '..') return unusable(address, 'id', id, 'must not be a dot segment: no URL can name it');
  return `${base}/${encodeURIComponent(id)}/${verb}`;
}

function checked(address: string, body: Record<string, unknown> | undefined): Body {
  if (typeof body?.status !== 'string') return unusable(address, 'status', body?.status, 'must be text');
  if (typeof body.journal !== 'string' || body.journal === '')
    return unusable(address, 'journal', body.journal, 'must be the id of the journal');
  if (!isFence(body.highest)) return unusable(address, 'highest', body.highest, 'must be a fence {epoch, seq}');
  for (const field of ['notes', 'retracted', 'rejected'])
    if (!isNotes(body[field]) && !(body[field] === undefined && field !== 'notes'))
      return unusable(address, field, body[field], 'must be counts by denomination, such as {"2000":3}');
  return body as Body;
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function unusable(address: string, field: string, value: unknown, rule: string): never {
  const it: Fault = fault('ENVELOPE_INVALID', field, value, rule);
  throw new LocusError('ENVELOPE_INVALID', `the device of ${address} answered what cannot be used: ${sentence(it)}`, { faults: [it] });
}

const compare = (a: Fence, b: Fence): number => a.epoch - b.epoch || a.seq - b.seq;
const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
function isFence(value: unknown): value is Fence {
  return typeof value === 'object' && value !== null && 'epoch' in value && 'seq' in value && isWhole(value.epoch) && isWhole(value.seq);
}
const isNotes = (value: unknown): value is Notes =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isWhole);
