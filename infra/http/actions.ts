/** Reads an operator's action: its target and verb from the path, the rest from the body. */
import type { FastifyRequest } from 'fastify';
import type { Action, ActionVerb } from '../../src/desk.ts';
import { type Fault, fault } from '../../src/errors.ts';
import { type Address, addressOf, checkCommandId, parseAddress } from '../../src/message/address.ts';
import { jsonIn } from './asked.ts';

/** `names`: it is about one command. */
export const verbs: Readonly<Record<ActionVerb, { readonly names: boolean }>> = {
  unfreeze: { names: false },
  pause: { names: false },
  resume: { names: false },
  evict: { names: false },
  replay: { names: true },
  drop: { names: true },
  settle: { names: true },
};
const isVerb = (text: string): text is ActionVerb => Object.hasOwn(verbs, text);

/** `a-17:unfreeze`: an id holds no colon. */
export function targetIn(type: string, target: string): { readonly address: Address; readonly verb: ActionVerb } | Fault {
  const cut = target.lastIndexOf(':');
  const verb = target.slice(cut + 1);
  if (cut < 0 || !isVerb(verb))
    return fault('NOT_FOUND', 'path', target, `must be an id and a verb, id:verb, of ${Object.keys(verbs).join(', ')}`);
  const place = parseAddress(addressOf(type, target.slice(0, cut)), 'path');
  return 'rule' in place ? place : { address: place.address, verb };
}

type Body = Pick<Action, 'commandId' | 'because' | 'evidence'>;
const FIELDS = ['commandId', 'because', 'evidence'];
const BECAUSE_MAX = 500;

export function actionIn(request: FastifyRequest, verb: ActionVerb): Body | Fault {
  const read = objectIn(request, FIELDS);
  if ('rule' in read) return read;
  const { commandId, because, evidence } = read.body;
  const reason = reasonOf(because);
  if ('rule' in reason) return reason;
  if (verbs[verb].names && commandId === undefined)
    return fault('INPUT_INVALID', 'commandId', undefined, `must name the command to ${verb}`);
  if (commandId !== undefined) {
    if (typeof commandId !== 'string') return fault('INPUT_INVALID', 'commandId', commandId, 'must be a string');
    const bad = checkCommandId(commandId, 'commandId');
    if (bad) return bad;
  }
  if (verb === 'settle' && evidence === undefined)
    return fault('INPUT_INVALID', 'evidence', undefined, 'must be {"status":"confirmed","result":…} or {"status":"failed","code":"…"}');
  return { ...reason, ...(typeof commandId === 'string' ? { commandId } : {}), ...(evidence === undefined ? {} : { evidence }) };
}

export function becauseIn(request: FastifyRequest): { readonly because: string } | Fault {
  const read = objectIn(request, ['because']);
  return 'rule' in read ? read : reasonOf(read.body.because);
}

export const reasonOf = (because: unknown): { readonly because: string } | Fault =>
  typeof because === 'string' && because.trim() !== '' && because.length <= BECAUSE_MAX
    ? { because }
    : fault('INPUT_INVALID', 'because', because, `must say why, in 1 to ${BECAUSE_MAX} characters: it is kept with the action`);

export function objectIn(request: FastifyRequest, fields: readonly string[]): { readonly body: Readonly<Record<string, unknown>> } | Fault {
  const read = jsonIn(request);
  if ('rule' in read) return read;
  const { json } = read;
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return fault('INPUT_INVALID', 'body', json, 'must be a JSON object');
  const stranger = Object.keys(json).find((key) => !fields.includes(key));
  if (stranger !== undefined)
    return fault('INPUT_INVALID', stranger, (json as Record<string, unknown>)[stranger], `is not one of ${fields.join(', ')}`);
  return { body: json as Record<string, unknown> };
}

const LIMIT = { standard: 100, max: 1_000 };
export function limitIn(given: unknown): { readonly limit: number } | Fault {
  if (given === undefined) return { limit: LIMIT.standard };
  const limit = typeof given === 'string' && /^\d{1,6}$/.test(given) ? Number(given) : 0;
  return limit >= 1 && limit <= LIMIT.max
    ? { limit }
    : fault('INPUT_INVALID', 'limit', given, `must be a whole number from 1 to ${LIMIT.max}`);
}
