/** The admin port: probes for all, everything else for loopback or for the token; actions with a key, a reason and a target. */
import { request } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { startAdmin } from '../../infra/http/admin.ts';
import type { Desk } from '../../src/desk.ts';
import { LocusError } from '../../src/errors.ts';
import { fakeDesk, fakeLog } from './fake-desk.ts';

const TOKEN = 'a-token-of-enough-length';
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function setup(answers: Partial<Desk> = {}, { token }: { readonly token?: string } = {}) {
  const { desk, asked } = fakeDesk(answers);
  const admin = await startAdmin({ host: '127.0.0.1', port: 0, token, desk, log: fakeLog().log });
  ends.push(() => admin.stop());
  const get = (path: string, headers: Record<string, string> = {}) => fetch(`${admin.url}${path}`, { headers });
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${admin.url}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k1', ...headers },
    });
  return { url: admin.url, asked, get, post };
}
const codeIn = async (answer: Response) => ((await answer.json()) as { code?: unknown }).code;

describe('probes', () => {
  it('answer 200 when all is well, without a token', async () => {
    const { get } = await setup({}, { token: TOKEN });
    for (const path of ['/livez', '/readyz', '/startupz']) {
      const answer = await get(path);
      expect([path, answer.status, await answer.text()]).toEqual([path, 200, 'ok\n']);
    }
  });

  it('answer 503 with the reason, each its own', async () => {
    const { get } = await setup({ health: () => ({ live: undefined, ready: 'draining', started: 'still starting', told: [] }) });
    expect((await get('/livez')).status).toBe(200);
    const ready = await get('/readyz');
    expect([ready.status, await ready.text()]).toEqual([503, 'draining\n']);
    expect(await (await get('/startupz')).text()).toBe('still starting\n');
  });

  it('tell in /readyz, a line each, what is wrong and keeps nobody from being served', async () => {
    const told = ['a lock node is away', 'the next start will fail'];
    const well = await setup({ health: () => ({ live: undefined, ready: undefined, started: undefined, told }) });
    const answer = await well.get('/readyz');
    expect([answer.status, await answer.text()]).toEqual([200, 'ok\na lock node is away\nthe next start will fail\n']);
    expect(await (await well.get('/livez')).text()).toBe('ok\n');
    const away = await setup({ health: () => ({ live: undefined, ready: 'no store', started: undefined, told }) });
    const refused = await away.get('/readyz');
    expect([refused.status, await refused.text()]).toEqual([503, 'no store\na lock node is away\nthe next start will fail\n']);
  });
});

describe('who may call', () => {
  const guarded = [
    ...['/metrics', '/admin/locations', '/admin/locations/cash-location/a', '/admin/locations/cash-location/a/events'],
    ...['/admin/parked', '/admin/partitions', '/admin/dead-letters'],
  ];

  it('is this machine when there is no token', async () => {
    const { get } = await setup();
    for (const path of guarded) expect([path, (await get(path)).status]).toEqual([path, 200]);
  });

  it('is not a web page that rebound its name to loopback', async () => {
    const { url } = await setup();
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const asked = request(`${url}/admin/parked`, { headers: { host: 'evil.example:9090' } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      asked.on('error', reject).end();
    });
    expect(status).toBe(403);
  });

  it.each<[string, Record<string, string>]>([
    ['nothing', {}],
    ['another token', { authorization: 'Bearer another-token-of-length' }],
    ['its beginning', { authorization: `Bearer ${TOKEN.slice(0, -1)}` }],
    ['more than it', { authorization: `Bearer ${TOKEN}x` }],
    ['another scheme', { authorization: `Basic ${TOKEN}` }],
  ])('is nobody who sends %s where there is a token', async (_what, headers) => {
    const { get, post, asked } = await setup({}, { token: TOKEN });
    for (const path of guarded) {
      const answer = await get(path, headers);
      expect([path, answer.status, answer.headers.get('www-authenticate')]).toEqual([path, 401, 'Bearer realm="locus"']);
    }
    const answer = await post('/admin/locations/cash-location/a:pause', { because: 'count' }, headers);
    expect([answer.status, await codeIn(answer)]).toEqual([401, 'UNAUTHORIZED']);
    expect(asked.acts).toEqual([]);
  });

  it('is whoever has the token', async () => {
    const { get } = await setup({}, { token: TOKEN });
    for (const path of guarded) expect((await get(path, { authorization: `Bearer ${TOKEN}` })).status).toBe(200);
  });
});

describe('looking', () => {
  it('hands on what the desk says', async () => {
    const { get } = await setup();
    expect(await (await get('/admin/locations')).json()).toEqual({ locations: [{ address: 'cash-location/a' }] });
    expect(await (await get('/admin/locations/cash-location/a')).json()).toEqual({ address: 'cash-location/a', seq: 7 });
    expect(await (await get('/admin/parked')).json()).toEqual({ parked: [{ address: 'cash-location/a', commandId: 'c1' }] });
    expect(await (await get('/admin/partitions')).json()).toMatchObject({ refused: [{ partition: 3, code: 'CANARY' }] });
    const metrics = await get('/metrics');
    expect([metrics.headers.get('content-type'), await metrics.text()]).toEqual(['text/plain; version=0.0.4', 'locus_active 3\n']);
  });

  it('filters and limits the list', async () => {
    const { get, asked } = await setup();
    await get('/admin/locations?stuck=true&limit=5');
    await get('/admin/locations?stuck');
    await get('/admin/locations?stuck=false');
    expect(asked.filters).toEqual([
      { stuck: true, limit: 5 },
      { stuck: true, limit: 100 },
      { stuck: false, limit: 100 },
    ]);
    for (const limit of ['0', '1001', '-1', 'all', '1.5']) expect((await get(`/admin/locations?limit=${limit}`)).status).toBe(400);
  });

  it('answers 404 for a location nobody ever heard of, 400 for what is no address', async () => {
    const { get } = await setup({ location: async () => undefined });
    expect((await get('/admin/locations/cash-location/nowhere')).status).toBe(404);
    expect((await get('/admin/locations/Cash/a')).status).toBe(400);
  });
});

describe('acting', () => {
  it('names the location, the verb, the key and the reason, and hands back the stored text', async () => {
    const { post, asked } = await setup();
    const answer = await post('/admin/locations/cash-location/a.b_c-1:replay', { commandId: 'c1', because: 'fixed in 1.2' });
    expect(await answer.text()).toBe('{"status":"done","verb":"pause","seq":8,"epoch":3}');
    expect(asked.acts).toEqual([
      {
        address: 'cash-location/a.b_c-1',
        action: { verb: 'replay', key: 'k1', commandId: 'c1', because: 'fixed in 1.2' },
        forwarded: false,
      },
    ]);
  });

  it('knows an action that another replica handed on', async () => {
    const { post, asked } = await setup();
    const evidence = { status: 'failed', code: 'JAMMED' };
    const body = { commandId: 'c1', because: 'evidence in hand', evidence };
    await post('/admin/locations/cash-location/a:settle', body, {
      'locus-forwarded': '1',
      'idempotency-key': `evidence:${'c'.repeat(128)}:7`,
    });
    expect(asked.acts[0]).toMatchObject({ forwarded: true, action: { verb: 'settle', evidence, key: `evidence:${'c'.repeat(128)}:7` } });
  });

  it('accepts a refused partition and raises the generation', async () => {
    const { post, asked } = await setup();
    expect((await post('/admin/partitions/locus.commands/3:accept', { because: 'restored from a copy' })).status).toBe(200);
    expect(asked.accepted).toEqual([{ topic: 'locus.commands', partition: 3, because: 'restored from a copy' }]);
    expect((await post('/admin/generation:raise', { because: 'restored from a copy' })).status).toBe(200);
  });

  it.each<['NOT_FOUND' | 'CONFLICT' | 'INPUT_INVALID' | 'BUSY' | 'OWNER_UNREACHABLE', number]>([
    ['NOT_FOUND', 404],
    ['CONFLICT', 409],
    ['INPUT_INVALID', 400],
    ['BUSY', 503],
    ['OWNER_UNREACHABLE', 503],
  ])('answers a refusal %s with %i', async (code, status) => {
    const { post } = await setup({ act: async () => ({ kind: 'refused', code, why: 'as it is' }) });
    const answer = await post('/admin/locations/cash-location/a:resume', { because: 'done' });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([status, status === 503 ? '1' : null]);
    expect(await answer.json()).toMatchObject({ code, detail: 'as it is' });
  });

  it.each<[string, string, unknown, number, string]>([
    ['an unknown verb', 'cash-location/a:explode', { because: 'x' }, 404, 'path'],
    ['a verb of Object', 'cash-location/a:constructor', { because: 'x' }, 404, 'path'],
    ['no verb', 'cash-location/a', { because: 'x' }, 404, 'path'],
    ['a bad address', 'Cash/a:pause', { because: 'x' }, 400, 'path'],
    ['no reason', 'cash-location/a:pause', {}, 400, 'because'],
    ['an empty reason', 'cash-location/a:pause', { because: ' ' }, 400, 'because'],
    ['an endless reason', 'cash-location/a:pause', { because: 'x'.repeat(501) }, 400, 'because'],
    ['a misspelt field', 'cash-location/a:drop', { because: 'x', commandID: 'c1' }, 400, 'commandID'],
    ['no command to drop', 'cash-location/a:drop', { because: 'x' }, 400, 'commandId'],
    ['a command that is no string', 'cash-location/a:drop', { because: 'x', commandId: 7 }, 400, 'commandId'],
    ['a command that is no id', 'cash-location/a:drop', { because: 'x', commandId: 'a b' }, 400, 'commandId'],
    ['no evidence', 'cash-location/a:settle', { because: 'x', commandId: 'c1' }, 400, 'evidence'],
    ['a list', 'cash-location/a:pause', [], 400, 'body'],
    ['null', 'cash-location/a:pause', null, 400, 'body'],
  ])('refuses %s', async (_what, target, body, status, field) => {
    const { post, asked } = await setup();
    const answer = await post(`/admin/locations/${target}`, body);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ faults: [{ field }] });
    expect(asked.acts).toEqual([]);
  });

  it.each(['/admin/locations/cash-location/a:pause', '/admin/partitions/locus.commands/3:accept', '/admin/generation:raise'])(
    'refuses %s without a key',
    async (path) => {
      const { url, asked } = await setup();
      const answer = await fetch(`${url}${path}`, {
        method: 'POST',
        body: '{"because":"x"}',
        headers: { 'content-type': 'application/json' },
      });
      expect([answer.status, await codeIn(answer)]).toEqual([400, 'COMMAND_ID_MISSING']);
      expect([asked.acts, asked.accepted]).toEqual([[], []]);
    },
  );

  it('refuses what is no partition', async () => {
    const { post, asked } = await setup();
    for (const target of ['x:accept', '3', '3:refuse', '-1:accept', '1e3:accept'])
      expect((await post(`/admin/partitions/locus.commands/${target}`, { because: 'x' })).status).toBe(404);
    expect(asked.accepted).toEqual([]);
  });
});

describe('what lies on the topics', () => {
  /** A desk that remembers what it was asked for. */
  async function looked() {
    const asked: unknown[] = [];
    const it = await setup({
      events: async (...all) => {
        asked.push(all);
        return { topic: 'locus.events', events: [{ locusseq: 8 }], strange: [], next: 42, more: true };
      },
      letters: async (it) => {
        asked.push(it);
        return { topic: 'locus.dead-letters', letters: [], next: '1:7' };
      },
      replayLetter: async (...all) => {
        asked.push(all);
        return { kind: 'acted', text: '{"result":"sent"}' };
      },
    });
    return { ...it, asked };
  }

  it('is asked for by location, seq and place, and answered with where to go on', async () => {
    const { get, asked } = await looked();
    const answer = await get('/admin/locations/cash-location/a/events?after=7&from=40&limit=5');
    expect(await answer.json()).toEqual({ topic: 'locus.events', events: [{ locusseq: 8 }], strange: [], next: 42, more: true });
    await get('/admin/locations/cash-location/a/events');
    await get('/admin/dead-letters?from=3:71&reason=STALE&key=cash-location%2Fa&limit=5');
    await get('/admin/dead-letters');
    expect(asked).toEqual([
      ['cash-location/a', { afterSeq: 7, from: 40, limit: 5 }],
      ['cash-location/a', { afterSeq: 0, from: undefined, limit: 100 }],
      { from: { partition: 3, offset: 71 }, limit: 5, where: { reason: 'STALE', key: 'cash-location/a' } },
      { from: { partition: 0, offset: 0 }, limit: 100, where: {} },
    ]);
  });

  it('is sent again by its id, with a key and a reason, and only what is stated', async () => {
    const { post, asked, url } = await looked();
    const answer = await post('/admin/dead-letters/3:71:replay', { because: 'mended in 1.2' });
    expect([answer.status, await answer.text()]).toEqual([200, '{"result":"sent"}']);
    await post('/admin/dead-letters/3:71:replay', { because: 'mended', neverRan: true, dryRun: true });
    expect(asked).toEqual([
      [
        { partition: 3, offset: 71 },
        { because: 'mended in 1.2', neverRan: false, dryRun: false },
      ],
      [
        { partition: 3, offset: 71 },
        { because: 'mended', neverRan: true, dryRun: true },
      ],
    ]);
    const form = await fetch(`${url}/admin/dead-letters/3:71:replay`, { method: 'POST', body: '{"because":"x"}' });
    expect([form.status, await codeIn(form), asked.length]).toEqual([400, 'COMMAND_ID_MISSING', 2]);
  });

  it.each<[string, number, string]>([
    ['locations/cash-location/a/events?after=-1', 400, 'after'],
    ['locations/cash-location/a/events?from=x', 400, 'from'],
    ['locations/cash-location/a/events?limit=1001', 400, 'limit'],
    ['locations/Cash/a/events', 400, 'path'],
    ['dead-letters?from=7', 400, 'from'],
    ['dead-letters?key=a&key=b', 400, 'key'],
    ['dead-letters/7', 400, 'path'],
  ])('is refused as %s', async (path, status, field) => {
    const { get, asked } = await looked();
    const answer = await get(`/admin/${path}`);
    expect([answer.status, await answer.json()]).toMatchObject([status, { faults: [{ field }] }]);
    expect(asked).toEqual([]);
  });

  it.each<[string, unknown, number, string]>([
    ['3:71', { because: 'x' }, 404, 'path'],
    ['3:71:drop', { because: 'x' }, 404, 'path'],
    ['71:replay', { because: 'x' }, 400, 'path'],
    ['3:71:replay', {}, 400, 'because'],
    ['3:71:replay', { because: 'x', neverRan: 'yes' }, 400, 'neverRan'],
    ['3:71:replay', { because: 'x', dryRun: 1 }, 400, 'dryRun'],
    ['3:71:replay', { because: 'x', neverran: true }, 400, 'neverran'],
  ])('is not sent again as %s with %j', async (target, body, status, field) => {
    const { post, asked } = await looked();
    const answer = await post(`/admin/dead-letters/${target}`, body);
    expect([answer.status, await answer.json()]).toMatchObject([status, { faults: [{ field }] }]);
    expect(asked).toEqual([]);
  });

  it('is 404 when it is not there, 503 while the log is away', async () => {
    const { get } = await setup({ letters: () => Promise.reject(new LocusError('LOG_DOWN', 'locus.dead-letters cannot be read')) });
    expect((await get('/admin/dead-letters/3:71')).status).toBe(404);
    const away = await get('/admin/dead-letters');
    expect([away.status, away.headers.get('retry-after'), await codeIn(away)]).toEqual([503, '1', 'LOG_DOWN']);
  });
});
