/** What lies on the topics, for operators: events of a location, dead letters, and sending one of these again. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Desk, LetterId, Replaying } from '../../src/desk.ts';
import { type Fault, fault } from '../../src/errors.ts';
import { limitIn, objectIn, reasonOf } from './actions.ts';
import { actionKeyIn, addressIn, keepIn, param } from './asked.ts';
import { problem, problemOf, sendActed, sendProblem } from './problem.ts';

export function published(app: FastifyInstance, desk: Desk): void {
  app.get('/admin/locations/:type/:id/events', async (request, reply) => {
    const faults: Fault[] = [];
    const keep = keepIn(faults);
    const place = keep(addressIn(request));
    const limit = keep(limitIn(queryIn(request, 'limit')));
    const after = keep(numberIn(request, 'after'));
    const from = keep(numberIn(request, 'from'));
    if (!place || !limit || !after || !from) return sendProblem(reply, problemOf(faults));
    return reply.send(await desk.events(place.address, { afterSeq: after.number ?? 0, from: from.number, ...limit }));
  });
  app.get('/admin/dead-letters', async (request, reply) => {
    const faults: Fault[] = [];
    const keep = keepIn(faults);
    const limit = keep(limitIn(queryIn(request, 'limit')));
    const from = keep(letterIdIn(queryIn(request, 'from') ?? '0:0', 'from'));
    const where = keep(whereIn(request));
    if (!limit || !from || !where) return sendProblem(reply, problemOf(faults));
    return reply.send(await desk.letters({ from, where, ...limit }));
  });
  app.get('/admin/dead-letters/:letter', async (request, reply) => {
    const id = letterIdIn(param(request, 'letter'), 'path');
    if ('rule' in id) return sendProblem(reply, problemOf([id]));
    const found = await desk.letter(id);
    return found === undefined ? sendProblem(reply, problem('NOT_FOUND', 'there is no such dead letter')) : reply.send(found);
  });
  app.post('/admin/dead-letters/:target', async (request, reply) => {
    const faults: Fault[] = [];
    const keep = keepIn(faults);
    const id = keep(targetIn(param(request, 'target')));
    const key = keep(actionKeyIn(request));
    const replaying = id && keep(replayingIn(request));
    if (!id || !key || !replaying) return sendProblem(reply, problemOf(faults));
    return sendActed(reply, await desk.replayLetter(id, replaying));
  });
}

const queryIn = (request: FastifyRequest, name: string): unknown => (request.query as Record<string, unknown>)[name];

function numberIn(request: FastifyRequest, name: string): { readonly number: number | undefined } | Fault {
  const given = queryIn(request, name);
  if (given === undefined) return { number: undefined };
  const number = typeof given === 'string' && /^\d{1,16}$/.test(given) ? Number(given) : Number.NaN;
  return Number.isSafeInteger(number) ? { number } : fault('INPUT_INVALID', name, given, 'must be a whole number from 0');
}

function letterIdIn(given: unknown, field: string): LetterId | Fault {
  const [, partition, offset] = /^(\d{1,9}):(\d{1,15})$/.exec(typeof given === 'string' ? given : '') ?? [];
  return partition === undefined
    ? fault('INPUT_INVALID', field, given, 'must be partition:offset, as the list of dead letters names it')
    : { partition: Number(partition), offset: Number(offset) };
}

const REPLAY = ':replay';
function targetIn(target: string): LetterId | Fault {
  if (!target.endsWith(REPLAY))
    return fault('NOT_FOUND', 'path', target, 'must be the id of a dead letter and the verb, such as 3:71:replay');
  return letterIdIn(target.slice(0, -REPLAY.length), 'path');
}

type Where = Parameters<Desk['letters']>[0]['where'];
function whereIn(request: FastifyRequest): Where | Fault {
  const given = ['reason', 'key', 'topic']
    .map((name) => [name, queryIn(request, name)] as const)
    .filter(([, value]) => value !== undefined);
  const twice = given.find(([, value]) => typeof value !== 'string');
  return twice === undefined ? Object.fromEntries(given) : fault('INPUT_INVALID', twice[0], twice[1], 'must be given once');
}

function replayingIn(request: FastifyRequest): Replaying | Fault {
  const read = objectIn(request, ['because', 'neverRan', 'dryRun']);
  if ('rule' in read) return read;
  const { because, neverRan = false, dryRun = false } = read.body;
  const reason = reasonOf(because);
  if ('rule' in reason) return reason;
  if (typeof neverRan !== 'boolean') return fault('INPUT_INVALID', 'neverRan', neverRan, 'must be true or false');
  if (typeof dryRun !== 'boolean') return fault('INPUT_INVALID', 'dryRun', dryRun, 'must be true or false');
  return { ...reason, neverRan, dryRun };
}
