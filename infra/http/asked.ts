/** Reads requests: ids, preferences, conditions and JSON bodies, each either a value or the fault that names its rule. */
import type { FastifyRequest } from 'fastify';
import { type Fault, fault } from '../../src/errors.ts';
import { type Address, addressOf, checkCommandId, isOwnId, parseAddress } from '../../src/message/address.ts';
import { DEPTH_MAX, parseJson } from '../../src/message/json.ts';
import { parseTime } from '../../src/message/time.ts';

/** Takes out the value and keeps the fault for the answer, so that a caller hears of all faults at once. */
export type Keep = <T extends object>(it: T | Fault) => T | undefined;
export const keepIn =
  (faults: Fault[]): Keep =>
  (it) => {
    if (!('rule' in it)) return it;
    faults.push(it);
    return undefined;
  };

export const param = (request: FastifyRequest, name: string): string => (request.params as Record<string, string | undefined>)[name] ?? '';
const header = (request: FastifyRequest, name: string): string | undefined => {
  const found = request.headers[name];
  return Array.isArray(found) ? found.join(', ') : found;
};

export function addressIn(request: FastifyRequest): { readonly address: Address } | Fault {
  return parseAddress(addressOf(param(request, 'type'), param(request, 'id')), 'path');
}

const MISSING = 'must be given: an id of your choice, the same whenever you repeat this command';
export function commandIdIn(request: FastifyRequest): { readonly commandId: string } | Fault {
  const commandId = header(request, 'idempotency-key');
  if (commandId === undefined) return fault('COMMAND_ID_MISSING', 'idempotency-key', undefined, MISSING);
  return checked(commandId, 'idempotency-key');
}
export const checked = (commandId: string, field: string): { readonly commandId: string } | Fault =>
  isOwnId(commandId)
    ? fault('COMMAND_ID_INVALID', field, commandId, 'must not begin with ~, which the runtime keeps for itself')
    : (checkCommandId(commandId, field) ?? { commandId });

/** An operator's key; longer than a commandId may be, as the runtime's own keys hold one. */
export function actionKeyIn(request: FastifyRequest): { readonly key: string } | Fault {
  const key = header(request, 'idempotency-key');
  if (key === undefined) return fault('COMMAND_ID_MISSING', 'idempotency-key', undefined, MISSING);
  const bad = checkCommandId(`~op/${key}`, 'idempotency-key') !== undefined;
  return bad ? fault('COMMAND_ID_INVALID', 'idempotency-key', key, 'must be 1 to 197 of [A-Za-z0-9._:/-]') : { key };
}

const WAIT_S = { standard: 10, max: 60 };
export type Preference = { readonly waitMs: number; readonly applied: string | undefined };
/** `Prefer` (RFC 7240): `wait=N` seconds, at most 60; `respond-async` alone does not wait. Others are not ours to judge. */
export function preferenceIn(request: FastifyRequest): Preference | Fault {
  const given = header(request, 'prefer');
  const preferences = (given ?? '').split(',').map((it) => it.split(';', 1)[0]?.trim().toLowerCase() ?? '');
  const wait = preferences.find((it) => it.startsWith('wait='))?.slice('wait='.length);
  const async = preferences.includes('respond-async');
  if (wait === undefined) return async ? { waitMs: 0, applied: 'respond-async' } : { waitMs: WAIT_S.standard * 1_000, applied: undefined };
  const seconds = /^"?(\d{1,6})"?$/.exec(wait)?.[1];
  if (seconds === undefined) return fault('ENVELOPE_INVALID', 'prefer', given, 'wait must be a whole number of seconds');
  const capped = Math.min(Number(seconds), WAIT_S.max);
  return { waitMs: capped * 1_000, applied: `wait=${capped}` };
}

/** `If-Match` with the seq of a location as a strong entity tag. */
export function ifSeqIn(request: FastifyRequest): { readonly ifSeq?: number } | Fault {
  const given = header(request, 'if-match');
  if (given === undefined) return {};
  const seq = Number(/^"(\d{1,16})"$/.exec(given.trim())?.[1] ?? Number.NaN);
  return Number.isSafeInteger(seq) ? { ifSeq: seq } : fault('ENVELOPE_INVALID', 'if-match', given, 'must be one strong ETag such as "42"');
}

export function deadlineIn(request: FastifyRequest): { readonly deadlineMs?: number } | Fault {
  const given = header(request, 'locus-deadline');
  if (given === undefined) return {};
  const deadlineMs = parseTime(given.trim());
  return deadlineMs === undefined
    ? fault('ENVELOPE_INVALID', 'locus-deadline', given, 'must be an RFC 3339 time such as 2026-01-31T12:00:00Z')
    : { deadlineMs };
}

/** As W3C Trace Context demands, a malformed one is dropped and breaks nothing. */
export function traceparentIn(request: FastifyRequest): { readonly traceparent?: string } {
  const given = header(request, 'traceparent');
  return given !== undefined && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(given) ? { traceparent: given } : {};
}

/** Weak comparison, as `If-None-Match` has it (RFC 9110, 13.1.2). */
export function hasTag(request: FastifyRequest, tag: string): boolean {
  const given = header(request, 'if-none-match');
  if (given === undefined) return false;
  return given.trim() === '*' || given.split(',').some((it) => it.trim().replace(/^W\//, '') === tag);
}

const JSON_TYPE = /^application\/([a-z0-9!#$&^_.+-]+\+)?json$/;
export function jsonIn(request: FastifyRequest): { readonly json: unknown } | Fault {
  const type = header(request, 'content-type');
  const media = type?.split(';', 1)[0]?.trim().toLowerCase();
  if (media !== undefined && !JSON_TYPE.test(media))
    return fault('CONTENT_TYPE_UNSUPPORTED', 'content-type', type, 'must be application/json');
  const encoding = header(request, 'content-encoding');
  if (encoding !== undefined && encoding !== 'identity')
    return fault('CONTENT_TYPE_UNSUPPORTED', 'content-encoding', encoding, 'must be absent: bodies are not unpacked');
  const bytes = request.body instanceof Uint8Array ? request.body : new Uint8Array();
  if (bytes.byteLength === 0) return fault('JSON_INVALID', 'body', '', 'must be JSON, {} when there is nothing to say');
  return parseJson(bytes, 'input', DEPTH_MAX, 'body');
}
