/** Speaks to a device gateway over HTTP: one request, one answer, and only an answer of the agreed shape is believed. */
import { Pool } from 'undici';
import { shown } from '../../src/errors.ts';
import type { Clock, Log } from '../../src/ports.ts';
import { type Body, type Fence, type GatewayHandlers, gatewayRules, type Notes, unusable } from './gateway-rules.ts';

export type GatewayOptions = {
  /** DEVICE_URL, such as http://127.0.0.1:7070 */
  readonly url: string;
  readonly clock: Clock;
  readonly log: Log;
  /** How long one request may take; the context's signal may end it earlier. */
  readonly timeoutMs: number;
};
/** Connections are kept. Not the global fetch: a call through it costs more CPU than the whole turn around it. */
type Wire = Omit<GatewayOptions, 'url' | 'log'> & { readonly pool: Pool; readonly base: string };

/** An answer is a few hundred bytes; a device that sends more than this is not believed. */
const ANSWER_MAX_BYTES = 65_536;

/** The effect handlers of a cash location. A throw is an answer that did not come, or made no sense: the effect is then in doubt. */
export function gatewayHandlers({ url, log, ...options }: GatewayOptions): GatewayHandlers {
  const { origin, pathname } = new URL(url);
  const wire: Wire = {
    ...options,
    // How long a call may take is said by its signal alone. Idle connections end before the other side says that it ends them, or after 4 s, so that
    // a call seldom meets a closing one; where it does it fails like any lost answer: nothing is ever sent twice.
    pool: new Pool(origin, { headersTimeout: 0, bodyTimeout: 0, maxResponseSize: ANSWER_MAX_BYTES }),
    base: pathname.replace(/\/+$/, ''),
  };
  return gatewayRules({ log, post: (address, verb, request, signal) => post(wire, address, verb, request, signal) });
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

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
function isFence(value: unknown): value is Fence {
  return typeof value === 'object' && value !== null && 'epoch' in value && 'seq' in value && isWhole(value.epoch) && isWhole(value.seq);
}
const isNotes = (value: unknown): value is Notes =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isWhole);
