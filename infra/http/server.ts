/** The public port: commands and committed state, for each principal at a bounded rate. */
import type { FastifyInstance } from 'fastify';
import type { Desk } from '../../src/desk.ts';
import { commandRoutes } from './commands.ts';
import { type AppOptions, appOf, type Listener, type ListenerOptions, listen } from './listener.ts';
import { openApi } from './openapi.ts';
import { limitRate } from './rate.ts';

/** `rateMax`: requests a second from one principal. */
type PublicOptions = { readonly desk: Desk; readonly rateMax: number };

export const startHttp = ({ desk, rateMax, ...where }: ListenerOptions & PublicOptions): Promise<Listener> =>
  listen(where, (app) => routes(app, { desk, rateMax }));

/** The same without a port: answers what is injected. */
export const publicApp = ({ desk, rateMax, ...options }: AppOptions & PublicOptions): Promise<FastifyInstance> =>
  appOf(options, (app) => routes(app, { desk, rateMax }));

async function routes(app: FastifyInstance, { desk, rateMax }: PublicOptions): Promise<void> {
  await limitRate(app, rateMax);
  commandRoutes(app, desk);
  const document = JSON.stringify(openApi(desk.catalogue()));
  app.get('/openapi.json', (_request, reply) => reply.header('content-type', 'application/json; charset=utf-8').send(document));
}
