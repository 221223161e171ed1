/** A whole replica in memory behind its public port: requests are injected, time moves as far as they need. */
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { publicApp } from '../../infra/http/server.ts';
import type { Bound } from '../../src/actor.ts';
import type { Desk } from '../../src/desk.ts';
import type { StateStore } from '../../src/ports.ts';
import { fleet } from '../runtime/fleet.ts';
import { frontOf } from '../runtime/front.ts';
import { type Documented, documented } from './documented.ts';
import { fakeLog } from './fake-desk.ts';

export type Town = ReturnType<typeof fleet> & {
  readonly front: Desk;
  readonly app: FastifyInstance;
  readonly document: Record<string, unknown>;
  /** What the document has against an answer; nothing when it is as documented. */
  readonly judge: Documented;
  /** Injects a request and lets time pass until it is answered. */
  ask(request: InjectOptions): Promise<LightMyRequestResponse>;
  /** The same as `fetch` has it, for clients. */
  readonly fetch: typeof fetch;
  drain(): Promise<void>;
};

export type TownOptions = {
  readonly wrap?: (store: StateStore) => StateStore;
  readonly rateMax?: number;
  readonly fleet?: Parameters<typeof fleet>[1];
};

export async function town(bound: Bound, { wrap = (store) => store, rateMax = 1_000_000, ...options }: TownOptions = {}): Promise<Town> {
  const it = fleet(bound, options.fleet);
  const node = await it.replica('a', wrap);
  const { front } = await frontOf(it, node.replica);
  const { log } = fakeLog();
  const app = await publicApp({ desk: front, rateMax, log });
  const ask = (request: InjectOptions) => it.clock.run(Promise.resolve(app.inject(request)));
  const document = (await ask({ url: '/openapi.json' })).json() as Record<string, unknown>;
  return {
    ...it,
    front,
    app,
    document,
    judge: documented(document),
    ask,
    fetch: async (input, init) => answered(await ask(await requestOf(new Request(input, init)))),
    drain: () => node.drain(),
    async stop() {
      await app.close();
      await it.stop();
    },
  };
}

async function requestOf(request: Request): Promise<InjectOptions> {
  const body = request.method === 'GET' ? '' : await request.text();
  const { pathname, search } = new URL(request.url);
  return {
    method: request.method as 'GET' | 'POST',
    url: pathname + search,
    headers: Object.fromEntries(request.headers),
    ...(body === '' ? {} : { payload: body }),
  };
}

function answered({ statusCode, headers, payload }: LightMyRequestResponse): Response {
  const told = Object.entries(headers).map(([name, value]) => [name, String(value)] as [string, string]);
  return new Response(statusCode === 304 ? null : payload, { status: statusCode, headers: told });
}
