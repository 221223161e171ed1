/** An HTTP server that trusts nobody: bounded bodies and headers, bytes handed on as they came, every fault a problem. */
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { fault, shown, why } from '../../src/errors.ts';
import { VALUE_MAX_BYTES } from '../../src/message/codec.ts';
import type { Log } from '../../src/ports.ts';
import { type Problem, problem, problemFrom, problemOf, sendProblem } from './problem.ts';

export type Listener = { readonly url: string; stop(): Promise<void> };
export type ListenerOptions = { readonly host: string; readonly port: number; readonly log: Log };

/** For a whole request to arrive; the wait for an outcome does not count. */
const REQUEST_MS = 30_000;
/** Longer than a commandId; fastify's own 100 would hide long ones as 404. */
const PARAM_MAX = 512;

export async function listen({ host, port, log }: ListenerOptions, routes: (app: FastifyInstance) => void): Promise<Listener> {
  const failed = (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const told = faultOfFastify(error as FastifyError, request) ?? problemFrom(error);
    if (told.status === 500) log.error({ err: error, method: request.method, route: request.routeOptions.url }, 'a request failed');
    else if (told.status === 503) log.warn({ why: why(error), route: request.routeOptions.url }, 'a request was put off');
    sendProblem(reply, told);
  };
  const app = fastify({
    bodyLimit: VALUE_MAX_BYTES,
    requestTimeout: REQUEST_MS,
    routerOptions: { maxParamLength: PARAM_MAX },
    // While draining, whoever is asked says so itself, as a problem.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    frameworkErrors: failed,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setErrorHandler(failed);
  app.setNotFoundHandler((request, reply) => {
    sendProblem(reply, problem('NOT_FOUND', `nothing answers ${request.method} ${shown(request.url)}`));
  });
  routes(app);
  const url = await app.listen({ host, port });
  return { url, stop: () => app.close() };
}

/** What fastify itself refuses, in our words. */
function faultOfFastify(error: FastifyError, request: FastifyRequest): Problem | undefined {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return problemOf([
        fault(
          'VALUE_TOO_LARGE',
          'body',
          `${request.headers['content-length'] ?? 'more'} bytes`,
          `must be at most ${VALUE_MAX_BYTES} bytes`,
        ),
      ]);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return problemOf([fault('CONTENT_TYPE_UNSUPPORTED', 'content-type', request.headers['content-type'], 'must be application/json')]);
    default:
      return error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500
        ? problem('ENVELOPE_INVALID', error.message)
        : undefined;
  }
}
