/** Every status of the contract, produced by a whole replica in memory, and each answer compared with the OpenAPI document. */
import { Validator } from '@seriousme/openapi-schema-validator';
import type { InjectOptions } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { adminApp } from '../../infra/http/admin.ts';
import type { Patience } from '../../infra/http/listener.ts';
import { adminApi } from '../../infra/http/openapi-admin.ts';
import { startHttp } from '../../infra/http/server.ts';
import { LocusError } from '../../src/errors.ts';
import { bent } from '../runtime/bundle.ts';
import { COMMANDS, EVENTS, LETTERS } from '../runtime/fleet.ts';
import { mood, TillDevice } from '../runtime/till.ts';
import { type Documented, documented, type Seen } from './documented.ts';
import { fakeLog } from './fake-desk.ts';
import { spoken } from './spoken.ts';
import { type TownOptions, town } from './town.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  mood.throws = 0;
  for (const end of ends.splice(0)) await end();
});

type Case = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly body?: object;
  readonly text?: string;
};
const produced = { public: new Set<number>(), admin: new Set<number>() };

async function setup(options: TownOptions = {}) {
  const device = new TillDevice();
  const it = await town(device.bound(), options);
  ends.push(() => it.stop());
  const ask = async (request: InjectOptions) => seenOf(request, await it.ask(request));
  let sent = 0;
  const post = (command: string, body: unknown, headers: Record<string, string> = {}, path = `/v1/till/T1/${command}`) =>
    ask({
      method: 'POST',
      url: path,
      payload: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { 'content-type': 'application/json', 'idempotency-key': `c${++sent}`, ...headers },
    });
  const get = (path: string, headers: Record<string, string> = {}) => ask({ method: 'GET', url: path, headers });
  /** It is as it should be, and as the document says that it may be. */
  const is = (seen: Seen, { status, headers = {}, body }: Case) => {
    expect({ status: seen.status, problems: it.judge(seen) }).toEqual({ status, problems: [] });
    expect(seen.headers).toMatchObject(headers);
    if (body !== undefined) expect(JSON.parse(seen.body)).toMatchObject(body);
    produced.public.add(status);
  };
  return { ...it, device, post, get, is };
}
function seenOf(request: InjectOptions, answer: { statusCode: number; headers: object; payload: string }): Seen {
  const { method = 'GET', url } = request;
  return { method, url: String(url), status: answer.statusCode, headers: { ...answer.headers }, body: answer.payload };
}
/** Goes away and comes back. */
function shakyStore() {
  const shaky = { away: false };
  const wrap = bent((store) => ({
    recall: (address, ids) => (shaky.away ? Promise.reject(new LocusError('STORE_DOWN', 'no connection')) : store.recall(address, ids)),
  }));
  return { shaky, wrap };
}

describe('a command', () => {
  it('200: done, and again with the same bytes', async () => {
    const { post, is } = await setup();
    const first = await post('add', { amount: 50 }, { 'idempotency-key': 'k' });
    is(first, { status: 200, body: { status: 'done', reply: { cash: 50 }, seq: 1 } });
    const repeat = await post('add', { amount: 50 }, { 'idempotency-key': 'k' });
    is(repeat, { status: 200 });
    expect(repeat.body).toBe(first.body);
  });

  it('200: refused', async () => {
    const { post, is } = await setup();
    is(await post('pay', { amount: 50 }), { status: 200, body: { status: 'refused', code: 'TOO_LITTLE', seq: 1 } });
  });

  it('412: the location was at another seq when it was decided, and a repeat hears the same; 200 at that seq', async () => {
    const { post, get, is } = await setup();
    await post('add', { amount: 50 });
    const unmet = { 'if-match': '"7"', 'idempotency-key': 'k' };
    is(await post('add', { amount: 1 }, unmet), {
      status: 412,
      body: { status: 'refused', code: 'PRECONDITION_FAILED', detail: { seq: 1 } },
    });
    // Judged after the commandId: what was decided stays decided, whatever the condition would say now.
    is(await post('add', { amount: 1 }, { ...unmet, 'if-match': '"2"' }), { status: 412 });
    is(await get('/v1/till/T1/commands/k'), { status: 200, body: { status: 'refused', code: 'PRECONDITION_FAILED' } });
    const state = await get('/v1/till/T1/cash');
    is(state, { status: 200, headers: { etag: '"2"' }, body: { cash: 50 } });
    is(await post('add', { amount: 1 }, { 'if-match': String(state.headers.etag) }), { status: 200, body: { reply: { cash: 51 } } });
  });

  it('If-Match is judged by the owner at its turn, not when it is sent', async () => {
    const { post, get, is } = await setup();
    const [one, two] = await Promise.all([
      post('add', { amount: 1 }, { 'if-match': '"0"' }),
      post('add', { amount: 1 }, { 'if-match': '"0"' }),
    ]);
    expect([one.status, two.status].sort()).toEqual([200, 412]);
    is(await get('/v1/till/T1/cash'), { status: 200, headers: { etag: '"2"' }, body: { cash: 1 } });
  });

  it('202: pending, when it was not to wait or nothing came in time; Location finds the outcome', async () => {
    const { post, get, is, device, until } = await setup();
    const accepted = await post('add', { amount: 50 }, { prefer: 'respond-async', 'idempotency-key': 'order:1' });
    is(accepted, { status: 202, headers: { 'preference-applied': 'respond-async' }, body: { status: 'pending' } });
    await until(async () => is(await get(String(accepted.headers.location)), { status: 200, body: { status: 'done' } }));
    let release = () => {};
    device.before = () => new Promise((resolve) => (release = resolve));
    const slow = await post('pay', { amount: 20 }, { prefer: 'wait=1' });
    is(slow, { status: 202, headers: { 'preference-applied': 'wait=1' }, body: { status: 'pending' } });
    release();
  });

  it('202: in doubt, until the evidence is there', async () => {
    const { post, get, is, device } = await setup();
    await post('add', { amount: 50 });
    device.before = (kind) => (kind === 'open' ? Promise.resolve() : Promise.reject(new Error('the line is cut')));
    const doubted = await post('pay', { amount: 20 });
    is(doubted, { status: 202, body: { status: 'in-doubt' } });
    is(await get(String(doubted.headers.location)), { status: 202, body: { status: 'in-doubt' } });
  });

  it('202: parked', async () => {
    const { post, get, is, until } = await setup();
    mood.throws = 1_000;
    const { headers } = await post('fail', {});
    await until(async () => is(await get(String(headers.location)), { status: 202, body: { status: 'parked' } }));
  });

  it.each<[number, string, string, unknown, Record<string, string>]>([
    [400, 'INPUT_INVALID', 'add', { amount: -1 }, {}],
    [400, 'JSON_INVALID', 'add', '{', {}],
    [400, 'JSON_TOO_DEEP', 'add', `${'['.repeat(40)}${']'.repeat(40)}`, {}],
    [400, 'KEY_FORBIDDEN', 'add', '{"__proto__":1}', {}],
    [400, 'COMMAND_ID_INVALID', 'add', { amount: 1 }, { 'idempotency-key': '~timer/x/1' }],
    [400, 'ENVELOPE_INVALID', 'add', { amount: 1 }, { 'if-match': '7' }],
    [404, 'COMMAND_UNKNOWN', 'explode', {}, {}],
    [404, 'COMMAND_UNKNOWN', 'commands', {}, {}],
    [413, 'VALUE_TOO_LARGE', 'add', JSON.stringify('x'.repeat(262_144)), {}],
    [415, 'CONTENT_TYPE_UNSUPPORTED', 'add', { amount: 1 }, { 'content-type': 'text/plain' }],
  ])('%i: %s', async (status, code, command, body, headers) => {
    const { post, is, log } = await setup();
    is(await post(command, body, headers), { status, body: { code } });
    expect(log.records('commands')).toEqual([]);
  });

  it('404: the type is not known', async () => {
    const { post, is } = await setup();
    is(await post('add', {}, {}, '/v1/shop/T1/add'), { status: 404, body: { code: 'TYPE_UNKNOWN' } });
  });

  it('422: the key stands for another body', async () => {
    const { post, is } = await setup();
    await post('add', { amount: 1 }, { 'idempotency-key': 'k' });
    is(await post('add', { amount: 2 }, { 'idempotency-key': 'k' }), { status: 422, body: { code: 'ID_REUSED' } });
    is(await post('look', {}, { 'idempotency-key': 'k' }), { status: 422, body: { code: 'ID_REUSED' } });
  });

  it('429: too many in a second', async () => {
    const { post, is } = await setup({ rateMax: 2 });
    let last = await post('look', {});
    for (let n = 0; n < 100 && last.status === 200; n++) last = await post('look', {});
    is(last, { status: 429, headers: { 'retry-after': '1' }, body: { code: 'RATE_LIMITED' } });
  });

  it('500: nobody foresaw it, and it may have been accepted', async () => {
    const odd = bent(() => ({ recall: () => Promise.reject(new TypeError('undefined is not a function')) }));
    const { post, is } = await setup({ wrap: odd });
    is(await post('add', { amount: 1 }), { status: 500, body: { code: 'INTERNAL', maybeAccepted: true } });
  });

  it('503: the log is away and nothing was sent', async () => {
    const { post, is, log } = await setup();
    log.setWriters('down');
    const seen = await post('add', { amount: 1 });
    is(seen, { status: 503, headers: { 'retry-after': '1' }, body: { code: 'LOG_DOWN' } });
    expect(seen.body).not.toContain('maybeAccepted');
  });

  it('503: the acknowledgement was lost; the repeat with the same key gets the one outcome', async () => {
    const { post, get, is, log } = await setup();
    log.setWriters('deaf');
    const lost = await post('add', { amount: 5 }, { 'idempotency-key': 'k' });
    is(lost, { status: 503, body: { code: 'LOG_UNACKNOWLEDGED', maybeAccepted: true } });
    log.setWriters('well');
    is(await post('add', { amount: 5 }, { 'idempotency-key': 'k' }), { status: 200, body: { status: 'done', reply: { cash: 5 } } });
    is(await get('/v1/till/T1/cash'), { status: 200, body: { cash: 5 } });
  });

  it('503: the store is away, or the replica leaves', async () => {
    const { shaky, wrap } = shakyStore();
    const { post, get, is, drain } = await setup({ wrap });
    shaky.away = true;
    is(await post('add', { amount: 5 }), { status: 503, headers: { 'retry-after': '1' }, body: { code: 'STORE_DOWN' } });
    is(await get('/v1/till/T1/commands/c1'), { status: 503, body: { code: 'STORE_DOWN' } });
    shaky.away = false;
    await drain();
    is(await post('add', { amount: 5 }), { status: 503, body: { code: 'DRAINING' } });
  });

  it('408 and 431: it never ends, or its headers are too large', async () => {
    const { front, is } = await setup();
    const over = async (bytes: string, patience?: Patience) => {
      const common = { host: '127.0.0.1', port: 0, rateMax: 1_000, desk: front, log: fakeLog().log };
      const http = await startHttp({ ...common, ...(patience === undefined ? {} : { patience }) });
      ends.push(() => http.stop());
      return { method: 'POST', url: '/v1/till/T1/add', ...(await spoken(http.url, bytes)) };
    };
    const begun = 'POST /v1/till/T1/add HTTP/1.1\r\nhost: a\r\nidempotency-key: c1\r\ncontent-type: application/json\r\n';
    const slow = await over(`${begun}content-length: 9\r\n\r\n{"am`, { headersMs: 50, requestMs: 100, lookMs: 20 });
    is(slow, { status: 408, body: { code: 'REQUEST_TIMEOUT' } });
    is(await over(`${begun}x: ${'x'.repeat(20_000)}\r\n\r\n`), { status: 431, body: { code: 'HEADERS_TOO_LARGE' } });
  });
});

describe('committed state', () => {
  it('200 with its seq as ETag, 304 while that stands, 200 again after', async () => {
    const { post, get, is } = await setup();
    await post('add', { amount: 50 });
    is(await get('/v1/till/T1'), { status: 200, headers: { etag: '"1"' }, body: { cash: 50, paying: 0 } });
    const same = await get('/v1/till/T1/cash', { 'if-none-match': '"1"' });
    is(same, { status: 304, headers: { etag: '"1"' } });
    await post('add', { amount: 5 });
    is(await get('/v1/till/T1/cash', { 'if-none-match': '"1"' }), { status: 200, headers: { etag: '"2"' }, body: { cash: 55 } });
  });

  it('404 where nothing was committed, for a query or a type that is none, and for an id that is not known yet', async () => {
    const { post, get, is } = await setup();
    await post('add', { amount: 50 });
    for (const path of ['/v1/till/T9', '/v1/till/T1/secrets', '/v1/shop/T1', '/v1/till/T1/commands', '/v1/till/T1/commands/c9', '/nowhere'])
      is(await get(path), { status: 404, body: { code: 'NOT_FOUND' } });
  });

  it('400 for an address that is none', async () => {
    const { get, is } = await setup();
    is(await get('/v1/till/a%20b'), { status: 400, body: { code: 'ADDRESS_INVALID' } });
    is(await get('/v1/till/T1/commands/~x'), { status: 400, body: { code: 'COMMAND_ID_INVALID' } });
  });
});

describe('the admin port', () => {
  const TOKEN = 'a-token-of-enough-length';
  async function admin(token?: string) {
    const it = await setup();
    const app = await adminApp({ desk: it.front, token, log: fakeLog().log });
    ends.push(() => app.close());
    const auth: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const document = (await app.inject({ url: '/openapi.json', headers: auth })).json() as Record<string, unknown>;
    const judge: Documented = documented(document);
    const ask = async (request: InjectOptions, { status, body }: Case) => {
      const seen = seenOf(request, await it.clock.run(Promise.resolve(app.inject(request))));
      expect({ status: seen.status, problems: judge(seen) }).toEqual({ status, problems: [] });
      if (body !== undefined) expect(JSON.parse(seen.body)).toMatchObject(body);
      produced.admin.add(status);
    };
    const act = (target: string, body: object, told: Case, headers: Record<string, string> = {}) =>
      ask(
        {
          method: 'POST',
          url: `/admin/${target}`,
          headers: { 'content-type': 'application/json', 'idempotency-key': 'k', ...auth, ...headers },
          payload: JSON.stringify(body),
        },
        told,
      );
    return { ...it, document, ask, act };
  }

  it('has a document of its own', async () => {
    const { document } = await admin();
    expect(await new Validator().validate(document)).toEqual({ valid: true });
  });

  it('200, 400, 404, 409, 413 and 415 as documented', async () => {
    const { post, ask, act, log } = await admin();
    await post('add', { amount: 50 });
    for (const url of ['/livez', '/metrics', '/admin/locations', '/admin/locations/till/T1', '/admin/parked', '/admin/partitions'])
      await ask({ url }, { status: 200 });
    await ask({ url: '/admin/locations/till/T1/events' }, { status: 200, body: { topic: EVENTS, more: false } });
    await ask({ url: '/admin/locations/till/T1/events?from=x' }, { status: 400 });
    await ask({ url: '/admin/dead-letters' }, { status: 200, body: { letters: [] } });
    log.produce(LETTERS, { key: 'till/T1', value: '{}', headers: { dlq_reason: 'JSON_INVALID', dlq_topic: COMMANDS } }, 1);
    log.produce(LETTERS, { key: null, value: '{}', headers: { dlq_reason: 'STALE', dlq_topic: COMMANDS } }, 1);
    await ask({ url: '/admin/dead-letters?limit=1' }, { status: 200, body: { letters: [{ id: '1:0' }], next: '1:1' } });
    await ask({ url: '/admin/dead-letters?from=x' }, { status: 400 });
    await ask({ url: '/admin/dead-letters/1:0' }, { status: 200, body: { value: '{}' } });
    await ask({ url: '/admin/dead-letters/1:9' }, { status: 404 });
    await act('dead-letters/1:0:replay', { because: 'a test' }, { status: 200, body: { result: 'sent' } });
    await act('dead-letters/1:1:replay', { because: 'a test' }, { status: 409, body: { code: 'CONFLICT' } });
    await act('dead-letters/1:9:replay', { because: 'a test' }, { status: 404 });
    await act('dead-letters/1:0:replay', {}, { status: 400 });
    await act('locations/till/T1:pause', { because: 'a test' }, { status: 200, body: { verb: 'pause' } });
    await act(
      'locations/till/T1:unfreeze',
      { because: 'a test' },
      { status: 409, body: { code: 'CONFLICT' } },
      { 'idempotency-key': 'k2' },
    );
    await act('locations/till/T1:pause', {}, { status: 400, body: { code: 'INPUT_INVALID' } });
    await act('locations/till/T1:pause', { because: 'x'.repeat(300_000) }, { status: 413 });
    await act('locations/till/T1:pause', { because: 'x' }, { status: 415 }, { 'content-type': 'text/plain' });
    await act('locations/shop/T1:pause', { because: 'a test' }, { status: 404, body: { code: 'TYPE_UNKNOWN' } });
    await act('partitions/commands/1:accept', { because: 'a test' }, { status: 404 });
    await ask({ url: '/admin/locations/till/T9' }, { status: 404 });
    await ask({ url: '/admin/locations?limit=0' }, { status: 400 });
  });

  it('401 without the token, 403 from elsewhere when there is none, 503 while it leaves', async () => {
    const guarded = await admin(TOKEN);
    await guarded.ask({ url: '/admin/parked' }, { status: 401, body: { code: 'UNAUTHORIZED' } });
    await guarded.ask({ url: '/livez' }, { status: 200 });
    const open = await admin();
    await open.ask({ url: '/admin/parked', headers: { host: 'evil.example' } }, { status: 403, body: { code: 'FORBIDDEN' } });
    open.log.setWriters('down');
    await open.ask({ url: '/admin/dead-letters' }, { status: 503, body: { code: 'LOG_DOWN' } });
    await open.ask({ url: '/admin/locations/till/T1/events' }, { status: 503, body: { code: 'LOG_DOWN' } });
    open.log.setWriters('well');
    await open.drain();
    await open.ask({ url: '/readyz' }, { status: 503 });
  });
});

describe('what compares', () => {
  it('finds a status, a header or a body that is not documented', async () => {
    const { post, get, judge, is } = await setup();
    const done = await post('add', { amount: 1 });
    is(done, { status: 200 });
    expect(judge({ ...done, status: 418 })).toEqual(['POST /v1/till/T1/add answered 418, which is not documented']);
    expect(judge({ ...done, body: '{"status":"done","reply":{},"seq":1,"epoch":1}' })[0]).toContain("must have required property 'cash'");
    expect(judge({ ...done, headers: { 'content-type': 'text/html' } })[0]).toContain('is text/html');
    const state = await get('/v1/till/T1');
    expect(judge({ ...state, headers: { ...state.headers, etag: 'W/"1"' } })[0]).toContain('ETag W/"1" does not fit');
    expect(judge({ ...state, headers: { 'content-type': 'application/json' } })).toEqual(['GET /v1/till/T1 → 200: has no ETag']);
  });
});

describe('the documents', () => {
  const named = (document: object): Set<number> => {
    const { paths } = document as { paths: Record<string, Record<string, { responses: object }>> };
    const operations = Object.values(paths).flatMap((path) => Object.values(path));
    return new Set(operations.flatMap(({ responses }) => Object.keys(responses).map(Number)));
  };
  it('name no status that was not produced above', async () => {
    const { document } = await setup();
    expect([...named(document)].filter((status) => !produced.public.has(status))).toEqual([]);
    // One listener serves both ports, and what it says by itself was heard at the public one.
    const shared = new Set([408, 431, 500]);
    expect([...named(adminApi)].filter((status) => !produced.admin.has(status) && !shared.has(status))).toEqual([]);
  });
});
