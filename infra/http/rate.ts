/** So many requests a second from one principal, then 429: one caller in a loop must not take the port from the others. */
import { hash } from 'node:crypto';
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { problem, sendProblem } from './problem.ts';

const WINDOW_MS = 1_000;
/** Principals that are remembered; beyond it the longest silent one begins anew. */
const PRINCIPALS_MAX = 5_000;

/** Of every request, those that nothing answers included; as early as its headers are there. */
export async function limitRate(app: FastifyInstance, max: number): Promise<void> {
  await app.register(rateLimit, { global: false, max, timeWindow: WINDOW_MS, cache: PRINCIPALS_MAX, keyGenerator: principalOf });
  const ask = app.createRateLimit();
  app.addHook('onRequest', async (request, reply) => {
    const rate = await ask(request);
    if (rate.isAllowed || !rate.isExceeded) return;
    return sendProblem(reply, problem('RATE_LIMITED', `at most ${max} requests a second`), Math.max(1, rate.ttlInSeconds));
  });
}

/** Whoever sent it as far as we are told: this port asks nobody to prove it. Hashed, so that no secret and nothing long is kept. */
function principalOf({ headers, ip }: FastifyRequest): string {
  return headers.authorization === undefined ? ip : hash('sha256', headers.authorization, 'base64url');
}
