/** What went wrong, as RFC 9457 problem+json: a stable type, the fields at fault, and whether to come back. */
import type { FastifyReply } from 'fastify';
import type { Acted } from '../../src/desk.ts';
import { type Code, type Fault, LocusError, sentence } from '../../src/errors.ts';

type Kind = { readonly status: number; readonly title: string };
/** Codes that HTTP can answer; the others end as dead letters or end the program. */
export const kinds: Partial<Record<Code, Kind>> = {
  ADDRESS_INVALID: { status: 400, title: 'The address is not valid' },
  COMMAND_ID_INVALID: { status: 400, title: 'The Idempotency-Key is not valid' },
  COMMAND_ID_MISSING: { status: 400, title: 'The Idempotency-Key is missing' },
  ENVELOPE_INVALID: { status: 400, title: 'The request is not valid' },
  JSON_INVALID: { status: 400, title: 'The body is not JSON' },
  JSON_TOO_DEEP: { status: 400, title: 'The body is nested too deep' },
  KEY_FORBIDDEN: { status: 400, title: 'The body has a forbidden key' },
  INPUT_INVALID: { status: 400, title: 'The input is not valid' },
  UNAUTHORIZED: { status: 401, title: 'The token is missing or wrong' },
  FORBIDDEN: { status: 403, title: 'Not from there' },
  NOT_FOUND: { status: 404, title: 'Not found' },
  TYPE_UNKNOWN: { status: 404, title: 'No such type of location' },
  COMMAND_UNKNOWN: { status: 404, title: 'No such command' },
  REQUEST_TIMEOUT: { status: 408, title: 'The request did not arrive in time' },
  CONFLICT: { status: 409, title: 'Not as things stand' },
  VALUE_TOO_LARGE: { status: 413, title: 'The body is too large' },
  CONTENT_TYPE_UNSUPPORTED: { status: 415, title: 'The content type is not supported' },
  ID_REUSED: { status: 422, title: 'The Idempotency-Key was used with another body' },
  RATE_LIMITED: { status: 429, title: 'Too many requests' },
  HEADERS_TOO_LARGE: { status: 431, title: 'The headers are too large' },
  INTERNAL: { status: 500, title: 'Something unforeseen happened' },
  STORE_DOWN: { status: 503, title: 'The state store is not reachable' },
  LOG_DOWN: { status: 503, title: 'The command log is not reachable' },
  LOG_UNACKNOWLEDGED: { status: 503, title: 'The command log did not acknowledge the command' },
  BUSY: { status: 503, title: 'Too much is waiting' },
  DRAINING: { status: 503, title: 'This replica is leaving' },
  PARTITION_REFUSED: { status: 503, title: 'The partition waits for an operator' },
  OWNER_UNREACHABLE: { status: 503, title: 'The owner of the location is not reachable' },
};
const RETRY_AFTER_S = 1;

export type Problem = {
  readonly status: number;
  readonly type: string;
  readonly code: Code;
  readonly title: string;
  readonly detail?: string;
  readonly faults?: readonly { readonly field: string; readonly value: string; readonly rule: string }[];
  /** The command may have been accepted: repeat it with the same key and body to find out. */
  readonly maybeAccepted?: true;
};

/** `INPUT_INVALID` is the type `urn:locus:error:input-invalid`, and a section of docs/errors.md. */
export const typeOf = (code: Code): string => `urn:locus:error:${code.toLowerCase().replaceAll('_', '-')}`;

export function problem(code: Code, detail?: string, more: Pick<Problem, 'faults' | 'maybeAccepted'> = {}): Problem {
  const kind = kinds[code];
  // Nobody should have let this out: what it says is not for a caller.
  if (kind === undefined) return problem('INTERNAL');
  return { type: typeOf(code), code, ...kind, ...(detail === undefined ? {} : { detail }), ...more };
}

/** All faults of one request; the first names the problem. */
export function problemOf(faults: readonly Fault[]): Problem {
  return problem(faults[0]?.code ?? 'INTERNAL', faults.map(sentence).join('\n'), {
    faults: faults.map(({ field, value, rule }) => ({ field, value, rule })),
  });
}

/** Thrown while a command was handed on: nobody here can say whether it was accepted. */
export class Unsure extends Error {
  constructor(cause: unknown) {
    super('perhaps accepted', { cause });
  }
}

/** What was thrown, as far as a caller may know it. */
export function problemFrom(error: unknown): Problem {
  if (error instanceof Unsure) return { ...problemFrom(error.cause), maybeAccepted: true };
  if (error instanceof LocusError && error.fate !== 'stop')
    return error.faults.length > 0 ? problemOf(error.faults) : problem(error.code, error.message);
  return problem('INTERNAL');
}

export function sendProblem(reply: FastifyReply, it: Problem, retryAfterS = RETRY_AFTER_S): FastifyReply {
  if (it.status === 429 || it.status === 503) reply.header('retry-after', String(retryAfterS));
  if (it.status === 401) reply.header('www-authenticate', 'Bearer realm="locus"');
  return reply.code(it.status).header('content-type', 'application/problem+json').send(JSON.stringify(it));
}

/** What an operator's action came to. */
export const sendActed = (reply: FastifyReply, acted: Acted): FastifyReply =>
  acted.kind === 'acted'
    ? reply.header('content-type', 'application/json; charset=utf-8').send(acted.text)
    : sendProblem(reply, problem(acted.code, acted.why));
