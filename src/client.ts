/** `at()` over HTTP: a typed client of the public port, from the same definition that the fleet runs. */
import type { Actor, Answer, At } from './actor.ts';
import { type Clock, systemClock } from './clock.ts';
import { type Fault, isCode, LocusError, sentence, why } from './errors.ts';
import { addressOf, parseAddress } from './message/address.ts';
import { type Random, systemRandom } from './random.ts';

/** Longer than the public port waits for an outcome, which is 10 s. */
const WITHIN_MS = 15_000;
/** When nobody said how long. */
const RETRY_AFTER_MS = 1_000;
const COMMAND_ID_BYTES = 16;

export type ConnectOptions = {
  /** For what stands before the port and asks who calls. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
  readonly random?: Random;
};

/**
 * `url` is a replica's, or what balances over several. A command without a commandId gets a fresh one. `busy` means no outcome in time: the
 * command may have been accepted, so repeat it with the commandId of the answer. Nothing is repeated here.
 * Throws LocusError on what can never pass (an id that is none, an input that does not fit), Unanswered when no answer came.
 */
export const connect = (url: string, options: ConnectOptions = {}): At =>
  ((actor: Definition, id: string) =>
    Object.fromEntries(
      Object.keys(actor.commands).map((name) => [
        name,
        (input: unknown, given: { readonly commandId?: string } = {}) => {
          const commandId = given.commandId ?? (options.random ?? systemRandom).hex(COMMAND_ID_BYTES);
          return send(url, options, { type: actor.type, id, name, input, commandId });
        },
      ]),
    )) as unknown as At;

/** No answer came: the command may have been accepted. Repeat it with this commandId. */
export class Unanswered extends Error {
  readonly commandId: string;
  constructor(url: string, commandId: string, cause: unknown) {
    super(`${url} did not answer: repeat the command with commandId ${commandId}`, { cause });
    this.name = 'Unanswered';
    this.commandId = commandId;
  }
}

type Definition = Pick<Actor<never, never, never, never, Record<string, unknown>, Record<string, unknown>, never>, 'type' | 'commands'>;
type Order = { readonly type: string; readonly id: string; readonly name: string; readonly input: unknown; readonly commandId: string };
type Told = { readonly status: number; readonly retryAfterMs: number; readonly body: Record<string, unknown> };

async function send(url: string, options: ConnectOptions, order: Order): Promise<Answer<unknown, string>> {
  const { commandId } = order;
  // A dot segment would silently name another path.
  const place = parseAddress(addressOf(order.type, order.id), 'id');
  if ('rule' in place) throw new LocusError(place.code, sentence(place), { faults: [place] });
  const { status, retryAfterMs, body } = await post(`${url.replace(/\/+$/, '')}/v1/${place.address}/${order.name}`, options, order);
  switch (status) {
    case 200:
    case 412:
      return body.status === 'done'
        ? { status: 'done', reply: body.reply, seq: Number(body.seq) }
        : { status: 'refused', code: String(body.code), seq: Number(body.seq), ...('detail' in body ? { detail: body.detail } : {}) };
    case 202:
      return body.status === 'in-doubt' || body.status === 'parked'
        ? { status: body.status, commandId }
        : { status: 'busy', retryAfterMs, commandId };
    case 408:
    case 429:
    case 503:
      return { status: 'busy', retryAfterMs, commandId };
    case 422:
      return { status: 'id-reused' };
    default:
      throw refusal(status, body);
  }
}

async function post(to: string, options: ConnectOptions, { input, commandId }: Order): Promise<Told> {
  const { fetch: call = fetch, clock = systemClock, headers } = options;
  const over = new AbortController();
  const alarm = clock.after(WITHIN_MS, () => over.abort(new Error(`no answer in ${WITHIN_MS} ms`)), true);
  try {
    const response = await call(to, {
      method: 'POST',
      signal: over.signal,
      headers: { ...headers, 'content-type': 'application/json', 'idempotency-key': commandId },
      body: JSON.stringify(input),
    });
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    const retryAfterMs = seconds > 0 ? seconds * 1_000 : RETRY_AFTER_MS;
    return { status: response.status, retryAfterMs, body: JSON.parse(await response.text()) as Told['body'] };
  } catch (error) {
    throw new Unanswered(to, commandId, error);
  } finally {
    alarm.cancel();
  }
}

/** A problem as the error that it was on the other side. */
function refusal(status: number, { code, detail, title, faults }: Told['body']): LocusError {
  const known = isCode(code) ? code : 'INTERNAL';
  const told = Array.isArray(faults) ? (faults as readonly Omit<Fault, 'code'>[]).map((it) => ({ ...it, code: known })) : [];
  return new LocusError(known, `${status}: ${String(detail ?? title ?? why(code))}`, { faults: told });
}
