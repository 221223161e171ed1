/** One replica hands an operator's action to another's admin port, once. */
import { afterEach, expect, it } from 'vitest';
import { startAdmin } from '../../infra/http/admin.ts';
import { httpPeers } from '../../infra/http/peers.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import type { Action, Desk } from '../../src/desk.ts';
import { acted, fakeDesk, fakeLog } from './fake-desk.ts';

const TOKEN = 'a-token-of-enough-length';
const action: Action = {
  verb: 'settle',
  key: 'k1',
  commandId: 'c1',
  because: 'seen on the journal',
  evidence: { status: 'failed', code: 'JAMMED' },
};
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function setup(answers: Partial<Desk> = {}) {
  const { desk, asked } = fakeDesk(answers);
  const admin = await startAdmin({ host: '127.0.0.1', port: 0, token: TOKEN, desk, log: fakeLog().log });
  ends.push(() => admin.stop());
  return { url: admin.url, asked };
}

it('hands on the whole action, marked as handed on, and gives back the stored text', async () => {
  const { url, asked } = await setup();
  const peers = httpPeers({ token: TOKEN, clock: systemClock });
  expect(await peers.act(url, 'cash-location/a', action)).toEqual(acted);
  expect(asked.acts).toEqual([{ address: 'cash-location/a', action, forwarded: true }]);
});

it('gives back a refusal with its code and reason', async () => {
  const { url } = await setup({ act: async () => ({ kind: 'refused', code: 'CONFLICT', why: 'the location is not frozen' }) });
  const peers = httpPeers({ token: TOKEN, clock: systemClock });
  expect(await peers.act(url, 'cash-location/a', action)).toEqual({ kind: 'refused', code: 'CONFLICT', why: 'the location is not frozen' });
});

it('says so when the tokens of two replicas differ', async () => {
  const { url } = await setup();
  const peers = httpPeers({ token: 'another-token-of-length', clock: systemClock });
  expect(await peers.act(url, 'cash-location/a', action)).toMatchObject({ kind: 'refused', code: 'UNAUTHORIZED' });
});

it('does not call it failed when the owner does not answer', async () => {
  const { url } = await setup();
  for (const end of ends.splice(0)) await end();
  const peers = httpPeers({ token: TOKEN, clock: systemClock });
  expect(await peers.act(url, 'cash-location/a', action)).toMatchObject({
    kind: 'refused',
    code: 'OWNER_UNREACHABLE',
    why: expect.stringContaining('repeat it with the same key'),
  });
});

it('waits for a silent owner only so long', async () => {
  const impatient: Clock = { ...systemClock, after: (_ms, wake) => systemClock.after(0, wake) };
  const silent: typeof fetch = (_url, init) =>
    new Promise((_resolve, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
    });
  const peers = httpPeers({ token: undefined, clock: impatient, fetch: silent });
  expect(await peers.act('http://owner', 'cash-location/a', action)).toMatchObject({
    code: 'OWNER_UNREACHABLE',
    why: expect.stringContaining('no answer in 10000 ms'),
  });
});

it('does not take another program on that port for the owner', async () => {
  const stranger: typeof fetch = async () => new Response('<html>', { status: 502 });
  const peers = httpPeers({ token: undefined, clock: systemClock, fetch: stranger });
  expect(await peers.act('http://owner', 'cash-location/a', action)).toMatchObject({ kind: 'refused', code: 'OWNER_UNREACHABLE' });
});
