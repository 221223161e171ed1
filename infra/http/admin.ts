/** The admin port: probes, metrics, inspection and operators' actions, for loopback or for whoever has the token. */
import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Desk, Health } from '../../src/desk.ts';
import { type Fault, fault } from '../../src/errors.ts';
import { actionIn, becauseIn, limitIn, targetIn } from './actions.ts';
import { actionKeyIn, addressIn, keepIn, param } from './asked.ts';
import { type AppOptions, appOf, type Listener, type ListenerOptions, listen } from './listener.ts';
import { adminApi } from './openapi-admin.ts';
import { problem, problemOf, sendActed, sendProblem } from './problem.ts';
import { published } from './published.ts';

/** Marks an action that came from another replica: it is not sent on again. */
export const FORWARDED = 'locus-forwarded';

type Guarded = { readonly token: string | undefined; readonly desk: Desk };

export const startAdmin = ({ desk, token, ...where }: ListenerOptions & Guarded): Promise<Listener> =>
  listen(where, (app) => routes(app, { desk, token }));

/** The same without a port: answers what is injected. */
export const adminApp = ({ desk, token, ...options }: AppOptions & Guarded): Promise<FastifyInstance> =>
  appOf(options, (app) => routes(app, { desk, token }));

function routes(app: FastifyInstance, { desk, token }: Guarded): void {
  probes(app, desk);
  app.register(async (guarded) => {
    guarded.addHook('onRequest', async (request, reply) => {
      const refused = refusal(request, token);
      if (refused !== undefined) return sendProblem(reply, refused);
    });
    guarded.get('/metrics', async (_request, reply) => {
      const { type, text } = await desk.metrics();
      return reply.header('content-type', type).send(text);
    });
    guarded.get('/openapi.json', (_request, reply) => reply.send(adminApi));
    inspection(guarded, desk);
    actions(guarded, desk);
    published(guarded, desk);
  });
}

/** Open to all: an orchestrator asks from anywhere and has no token. */
function probes(app: FastifyInstance, desk: Desk): void {
  const probe = (path: string, read: (health: Health) => string | undefined, more: (health: Health) => readonly string[] = () => []) =>
    app.get(path, (_request, reply) => {
      const health = desk.health();
      const wrong = read(health);
      reply.code(wrong === undefined ? 200 : 503).header('content-type', 'text/plain; charset=utf-8');
      return reply.send(`${[wrong ?? 'ok', ...more(health)].join('\n')}\n`);
    });
  probe('/livez', ({ live }) => live);
  probe(
    '/readyz',
    ({ ready }) => ready,
    ({ told }) => told,
  );
  probe('/startupz', ({ started }) => started);
}

const LOOPBACK = /^(::1|(::ffff:)?127(\.\d{1,3}){3})$/;
const LOOPBACK_NAME = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/;

/** Without a token, only this machine, and only under its own name: a web page may rebind a name of its own to loopback. */
function refusal(request: FastifyRequest, token: string | undefined) {
  if (token === undefined) {
    const here = LOOPBACK.test(request.ip) && LOOPBACK_NAME.test(request.headers.host ?? '');
    return here ? undefined : problem('FORBIDDEN', 'without ADMIN_TOKEN only loopback may call');
  }
  const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  return given !== undefined && same(given, token) ? undefined : problem('UNAUTHORIZED', 'send Authorization: Bearer with ADMIN_TOKEN');
}
/** In constant time, whatever the lengths. */
const same = (a: string, b: string): boolean => timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'));

function inspection(app: FastifyInstance, desk: Desk): void {
  app.get('/admin/locations', (request, reply) => {
    const asked = request.query as Record<string, unknown>;
    const limit = limitIn(asked.limit);
    if ('rule' in limit) return sendProblem(reply, problemOf([limit]));
    const stuck = asked.stuck === '' || asked.stuck === 'true';
    return reply.send({ locations: desk.locations({ stuck, limit: limit.limit }) });
  });
  app.get('/admin/locations/:type/:id', async (request, reply) => {
    const place = addressIn(request);
    if ('rule' in place) return sendProblem(reply, problemOf([place]));
    const found = await desk.location(place.address);
    return found === undefined ? sendProblem(reply, problem('NOT_FOUND', `nothing was ever heard of ${place.address}`)) : reply.send(found);
  });
  app.get('/admin/parked', async (_request, reply) => reply.send({ parked: await desk.parked() }));
  app.get('/admin/partitions', (_request, reply) => reply.send({ refused: desk.refusedPartitions() }));
}

function actions(app: FastifyInstance, desk: Desk): void {
  app.post('/admin/locations/:type/:target', async (request, reply) => {
    const faults: Fault[] = [];
    const keep = keepIn(faults);
    const target = keep(targetIn(param(request, 'type'), param(request, 'target')));
    const key = keep(actionKeyIn(request));
    const body = target && keep(actionIn(request, target.verb));
    if (!target || !key || !body) return sendProblem(reply, problemOf(faults));
    const forwarded = request.headers[FORWARDED] !== undefined;
    return sendActed(reply, await desk.act(target.address, { verb: target.verb, ...key, ...body }, forwarded));
  });
  app.post('/admin/partitions/:topic/:target', async (request, reply) => {
    const faults: Fault[] = [];
    const because = becauseOf(request, faults);
    const partition = /^(\d{1,9}):accept$/.exec(param(request, 'target'))?.[1];
    if (partition === undefined)
      faults.unshift(fault('NOT_FOUND', 'path', param(request, 'target'), 'must be a partition and the verb, such as 3:accept'));
    if (faults.length > 0 || because === undefined) return sendProblem(reply, problemOf(faults));
    return sendActed(reply, await desk.accept({ topic: param(request, 'topic'), partition: Number(partition) }, because));
  });
  app.post('/admin/generation::raise', async (request, reply) => {
    const faults: Fault[] = [];
    const because = becauseOf(request, faults);
    return because === undefined ? sendProblem(reply, problemOf(faults)) : sendActed(reply, await desk.raiseGeneration(because));
  });
}

/** The key is asked for here too: the header keeps web pages of others from sending an action by a plain form. */
function becauseOf(request: FastifyRequest, faults: Fault[]): string | undefined {
  const keep = keepIn(faults);
  const key = keep(actionKeyIn(request));
  const body = keep(becauseIn(request));
  return key && body?.because;
}
