/** An HTTP server that trusts nobody: bounded bodies and headers, bytes handed on as they came, every fault a problem. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { fault, shown, why } from '../../src/errors.ts';
import { VALUE_MAX_BYTES } from '../../src/message/codec.ts';
import type { Log } from '../../src/ports.ts';
import { type Problem, problem, problemFrom, problemOf, sendProblem } from './problem.ts';

export type Listener = { readonly url: string; stop(): Promise<void> };
export type AppOptions = { readonly log: Log; readonly patience?: Patience };
export type ListenerOptions = AppOptions & { readonly host: string; readonly port: number };

/** How long the headers and the whole of a request may take to arrive, and how often that is looked at; the wait for an outcome does not count. */
export type Patience = { readonly headersMs: number; readonly requestMs: number; readonly lookMs: number };
const PATIENCE: Patience = { headersMs: 10_000, requestMs: 30_000, lookMs: 1_000 };
/** Request line and headers together. */
const HEADERS_MAX_BYTES = 16_384;
/** Longer than a commandId; fastify's own 100 would hide long ones as 404. */
const PARAM_MAX = 512;

export type Routes = (app: FastifyInstance) => void | Promise<void>;

export async function listen({ host, port, ...options }: ListenerOptions, routes: Routes): Promise<Listener> {
  const app = await appOf(options, routes);
  const url = await app.listen({ host, port });
  return { url, stop: () => app.close() };
}

export async function appOf({ log, patience = PATIENCE }: AppOptions, routes: Routes): Promise<FastifyInstance> {
  const failed = (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const told = faultOfFastify(error as FastifyError, request) ?? problemFrom(error);
    if (told.status === 500) log.error({ err: error, method: request.method, route: request.routeOptions.url }, 'a request failed');
    else if (told.status === 503) log.warn({ why: why(error), route: request.routeOptions.url }, 'a request was put off');
    sendProblem(reply, told);
  };
  const app = fastify({
    bodyLimit: VALUE_MAX_BYTES,
    requestTimeout: patience.requestMs,
    http: { maxHeaderSize: HEADERS_MAX_BYTES, headersTimeout: patience.headersMs, connectionsCheckingInterval: patience.lookMs },
    clientErrorHandler: hangUp,
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
  await routes(app);
  await app.ready();
  return app;
}

/** What is no whole request never reaches a route: a last word on the bare connection, which then ends. */
function hangUp(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const told = faultOfConnection(error.code);
  const body = JSON.stringify(told);
  const head = [
    `HTTP/1.1 ${told.status} ${STATUS_CODES[told.status]}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.destroySoon();
}

function faultOfConnection(code: string | undefined): Problem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return problemOf([fault('HEADERS_TOO_LARGE', 'headers', 'more', `must be at most ${HEADERS_MAX_BYTES} bytes together`)]);
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return problem('REQUEST_TIMEOUT', 'send a request in one go');
    default:
      return problem('ENVELOPE_INVALID', 'this is not HTTP/1.1');
  }
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
