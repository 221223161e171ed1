/** Hands an operator's action to the replica that owns the location, once: what was handed on is not handed on again. */

import type { Acted, Action, Peers } from '../../src/desk.ts';
import { type Code, isCode, why } from '../../src/errors.ts';
import type { Address } from '../../src/message/address.ts';
import type { Clock } from '../../src/ports.ts';
import { FORWARDED } from './admin.ts';

/** An action waits for at most the commit in hand; its owner may be slow, not silent. */
const ANSWER_MS = 10_000;

export type PeersOptions = { readonly token: string | undefined; readonly clock: Clock; readonly fetch?: typeof fetch };

export function httpPeers({ token, clock, fetch: call = fetch }: PeersOptions): Peers {
  return {
    async act(url, address, action) {
      const over = new AbortController();
      const alarm = clock.after(ANSWER_MS, () => over.abort(new Error(`no answer in ${ANSWER_MS} ms`)), true);
      try {
        const answer = await call(`${url}/admin/locations/${address}:${action.verb}`, requestOf(action, token, over.signal));
        return actedOf(answer.status, await answer.text());
      } catch (error) {
        return unreachable(address, url, why(error));
      } finally {
        alarm.cancel();
      }
    },
  };
}

function requestOf({ key, commandId, because, evidence }: Action, token: string | undefined, signal: AbortSignal): RequestInit {
  return {
    method: 'POST',
    signal,
    headers: {
      'content-type': 'application/json',
      'idempotency-key': key,
      [FORWARDED]: '1',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ commandId, because, evidence }),
  };
}

function actedOf(status: number, text: string): Acted {
  if (status === 200) return { kind: 'acted', text };
  const told = JSON.parse(text) as { readonly code?: unknown; readonly detail?: unknown };
  const code: Code = isCode(told.code) ? told.code : 'OWNER_UNREACHABLE';
  return { kind: 'refused', code, why: typeof told.detail === 'string' ? told.detail : `the owner answered ${status}` };
}

/** It may have been done all the same: the key makes a repeat safe. */
const unreachable = (address: Address, url: string, reason: string): Acted => ({
  kind: 'refused',
  code: 'OWNER_UNREACHABLE',
  why: `the owner of ${address} at ${url} did not answer (${reason}): repeat it with the same key`,
});
