/** The public port: a command in and its outcome out, an outcome by its id, committed state. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Desk, Submission, Told } from '../../src/desk.ts';
import { type Fault, fault, LocusError } from '../../src/errors.ts';
import type { Address } from '../../src/message/address.ts';
import {
  addressIn,
  checked,
  commandIdIn,
  deadlineIn,
  hasTag,
  ifSeqIn,
  jsonIn,
  keepIn,
  param,
  preferenceIn,
  traceparentIn,
} from './asked.ts';
import { problem, problemOf, sendProblem, Unsure } from './problem.ts';

/** The word that cannot be a command or a query: outcomes are found under it. */
const RESERVED = 'commands';
const JSON_UTF8 = 'application/json; charset=utf-8';

export function commandRoutes(app: FastifyInstance, desk: Desk): void {
  app.post('/v1/:type/:id/:command', (request, reply) => submit(desk, request, reply));
  app.get('/v1/:type/:id/commands/:commandId', (request, reply) => outcome(desk, request, reply));
  app.get('/v1/:type/:id', (request, reply) => query(desk, request, reply, undefined));
  app.get('/v1/:type/:id/:query', (request, reply) => query(desk, request, reply, param(request, 'query')));
}

async function submit(desk: Desk, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const asked = submissionIn(request);
  if ('faults' in asked) return sendProblem(reply, problemOf(asked.faults));
  const { submission, applied } = asked;
  const told = await desk.submit(submission).catch((error: unknown) => {
    throw isUnsent(error) ? error : new Unsure(error);
  });
  if (applied !== undefined) reply.header('preference-applied', applied);
  return tell(reply, told, submission.address, submission.commandId, 'submitted');
}

/** After these nothing was sent. After anything else the command may stand in the log: repeat it with the same key. */
const UNSENT: ReadonlySet<string> = new Set(['STORE_DOWN', 'LOG_DOWN', 'DRAINING', 'BUSY']);
const isUnsent = (error: unknown): boolean => error instanceof LocusError && (UNSENT.has(error.code) || error.fate === 'refuse');

function submissionIn(
  request: FastifyRequest,
): { readonly faults: readonly Fault[] } | { readonly submission: Submission; readonly applied: string | undefined } {
  const faults: Fault[] = [];
  const keep = keepIn(faults);
  const name = param(request, 'command');
  if (name === RESERVED) faults.push(fault('COMMAND_UNKNOWN', 'command', name, 'is reserved: outcomes are found under it'));
  const place = keep(addressIn(request));
  const body = keep(jsonIn(request));
  const id = keep(commandIdIn(request));
  const preference = keep(preferenceIn(request));
  const ifSeq = keep(ifSeqIn(request));
  const deadline = keep(deadlineIn(request));
  if (faults.length > 0 || !place || !id || !body || !preference) return { faults };
  const { address } = place;
  const { waitMs, applied } = preference;
  const rest = { ...ifSeq, ...deadline, ...traceparentIn(request) };
  return { submission: { address, name, commandId: id.commandId, input: body.json, waitMs, ...rest }, applied };
}

async function outcome(desk: Desk, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const faults: Fault[] = [];
  const keep = keepIn(faults);
  const place = keep(addressIn(request));
  const id = keep(checked(param(request, 'commandId'), 'commandId'));
  if (!place || !id) return sendProblem(reply, problemOf(faults));
  return tell(reply, await desk.outcome(place.address, id.commandId), place.address, id.commandId, 'looked-up');
}

/** The same answer to the first request and to every repeat, byte for byte. */
function tell(reply: FastifyReply, told: Told, address: Address, commandId: string, how: 'submitted' | 'looked-up'): FastifyReply {
  switch (told.kind) {
    case 'final': {
      const unmet = how === 'submitted' && told.status === 'refused' && codeOf(told.text) === 'PRECONDITION_FAILED';
      return reply
        .code(unmet ? 412 : 200)
        .header('content-type', JSON_UTF8)
        .send(told.text);
    }
    case 'waiting':
      return reply
        .code(202)
        .header('location', `/v1/${address}/${RESERVED}/${encodeURIComponent(commandId)}`)
        .header('content-type', JSON_UTF8)
        .send(JSON.stringify({ status: told.status }));
    case 'id-reused':
      return sendProblem(
        reply,
        problemOf([fault('ID_REUSED', 'idempotency-key', commandId, 'belongs to another command or body: take another one')]),
      );
    case 'invalid':
      return sendProblem(reply, problemOf(told.faults));
    case 'unknown':
      return sendProblem(
        reply,
        problem('NOT_FOUND', `${commandId} is not known at ${address} yet; that does not mean that it will not happen`),
      );
  }
}

const codeOf = (text: string): unknown => (JSON.parse(text) as { readonly code?: unknown }).code;

async function query(desk: Desk, request: FastifyRequest, reply: FastifyReply, name: string | undefined): Promise<FastifyReply> {
  const place = addressIn(request);
  if ('rule' in place) return sendProblem(reply, problemOf([place]));
  const { address } = place;
  const found = name === RESERVED ? 'no-such-query' : await desk.query(address, name);
  if (found === 'no-such-query') return sendProblem(reply, problem('NOT_FOUND', `${address} has no query ${name}`));
  if (found === undefined) return sendProblem(reply, problem('NOT_FOUND', `nothing was ever committed at ${address}`));
  const tag = `"${found.seq}"`;
  reply.header('etag', tag).header('cache-control', 'no-cache');
  if (hasTag(request, tag)) return reply.code(304).send();
  return reply.code(200).header('content-type', JSON_UTF8).send(JSON.stringify(found.body));
}
