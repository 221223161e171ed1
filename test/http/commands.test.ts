/** The public port: each outcome has its status, each bad request a problem that names field, value and rule. */
import { afterEach, describe, expect, it } from 'vitest';
import { startHttp } from '../../infra/http/server.ts';
import type { Desk } from '../../src/desk.ts';
import { fault, LocusError } from '../../src/errors.ts';
import { DONE, fakeDesk, fakeLog } from './fake-desk.ts';
import { spoken } from './spoken.ts';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function setup(answers: Partial<Desk> = {}, options: Partial<Parameters<typeof startHttp>[0]> = {}) {
  const { desk, asked } = fakeDesk(answers);
  const { log, lines } = fakeLog();
  const http = await startHttp({ host: '127.0.0.1', port: 0, rateMax: 1_000, desk, log, ...options });
  ends.push(() => http.stop());
  const get = (path: string, headers: Record<string, string> = {}) => fetch(`${http.url}${path}`, { headers });
  const post = (path: string, body: string | Uint8Array<ArrayBuffer> | null, headers: Record<string, string> = {}) =>
    fetch(`${http.url}${path}`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', 'idempotency-key': 'c1', ...headers },
    });
  const dispense = (headers: Record<string, string> = {}, body: string | Uint8Array<ArrayBuffer> | null = '{"amount":60}') =>
    post('/v1/cash-location/a/dispense', body, headers);
  return { url: http.url, asked, lines, get, post, dispense };
}
const problemOver = async (url: string, bytes: string) => {
  const { status, headers, body } = await spoken(url, bytes);
  expect(headers['content-type']).toBe('application/problem+json');
  return { ...(JSON.parse(body) as object), status };
};
const problemIn = async (answer: Response) => {
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  const told = (await answer.json()) as Record<string, unknown>;
  expect(told.status).toBe(answer.status);
  return told;
};

describe('posting a command', () => {
  it('answers 200 with the stored outcome, byte for byte', async () => {
    const { dispense, asked } = await setup();
    const answer = await dispense();
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toContain('application/json');
    expect(await answer.text()).toBe(DONE);
    expect(asked.submissions).toEqual([
      { address: 'cash-location/a', name: 'dispense', commandId: 'c1', input: { amount: 60 }, waitMs: 10_000 },
    ]);
  });

  it('answers a refusal 200, and 412 when it was If-Match that did not hold', async () => {
    const refused = (code: string) => `{"status":"refused","code":"${code}","seq":7}`;
    const poor = await setup({ submit: async () => ({ kind: 'final', status: 'refused', text: refused('INSUFFICIENT_CASH') }) });
    expect((await poor.dispense()).status).toBe(200);
    const late = await setup({ submit: async () => ({ kind: 'final', status: 'refused', text: refused('PRECONDITION_FAILED') }) });
    const answer = await late.dispense({ 'if-match': '"6"' });
    expect(answer.status).toBe(412);
    expect(await answer.text()).toBe(refused('PRECONDITION_FAILED'));
  });

  it.each(['in-doubt', 'parked', 'pending'] as const)('answers 202 and where to look while it is %s', async (status) => {
    const { post } = await setup({ submit: async () => ({ kind: 'waiting', status }) });
    const answer = await post('/v1/cash-location/a/dispense', '{}', { 'idempotency-key': 'order:17.b' });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('location')).toBe('/v1/cash-location/a/commands/order%3A17.b');
    expect(await answer.json()).toEqual({ status });
  });

  it.each<[string, number, string | null]>([
    ['wait=3', 3_000, 'wait=3'],
    ['wait=600', 60_000, 'wait=60'],
    ['wait=0', 0, 'wait=0'],
    ['respond-async', 0, 'respond-async'],
    ['respond-async, wait=5', 5_000, 'wait=5'],
    ['handling=lenient', 10_000, null],
  ])('waits as Prefer: %s asks', async (prefer, waitMs, applied) => {
    const { dispense, asked } = await setup();
    const answer = await dispense({ prefer });
    expect(asked.submissions[0]?.waitMs).toBe(waitMs);
    expect(answer.headers.get('preference-applied')).toBe(applied);
  });

  it('hands on If-Match, the deadline and the trace', async () => {
    const { dispense, asked } = await setup();
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await dispense({ 'if-match': '"42"', 'locus-deadline': '2026-01-31T12:00:00Z', traceparent });
    expect(asked.submissions[0]).toMatchObject({ ifSeq: 42, deadlineMs: Date.UTC(2026, 0, 31, 12), traceparent });
  });

  it('drops a malformed trace and goes on', async () => {
    const { dispense, asked } = await setup();
    expect((await dispense({ traceparent: 'nonsense' })).status).toBe(200);
    expect(asked.submissions[0]).not.toHaveProperty('traceparent');
  });

  it('takes every address and commandId that the contract allows', async () => {
    const { post, asked } = await setup();
    const commandId = 'A'.repeat(128);
    const id = `.${'z'.repeat(62)}_`;
    expect((await post(`/v1/t${'-'.repeat(31)}/${id}/open`, '{}', { 'idempotency-key': commandId })).status).toBe(200);
    expect(asked.submissions[0]).toMatchObject({ address: `t${'-'.repeat(31)}/${id}`, commandId });
  });

  it('says 422 when the key was used with another body', async () => {
    const { dispense } = await setup({ submit: async () => ({ kind: 'id-reused' }) });
    const answer = await dispense();
    expect(answer.status).toBe(422);
    expect(await problemIn(answer)).toMatchObject({
      type: 'urn:locus:error:id-reused',
      code: 'ID_REUSED',
      faults: [{ field: 'idempotency-key', value: '"c1"' }],
    });
  });

  it.each<['TYPE_UNKNOWN' | 'COMMAND_UNKNOWN' | 'INPUT_INVALID', number]>([
    ['TYPE_UNKNOWN', 404],
    ['COMMAND_UNKNOWN', 404],
    ['INPUT_INVALID', 400],
  ])('says what the runtime found invalid: %s is %i', async (code, status) => {
    const faults = [fault(code, 'input.amount', -5, 'must be positive'), fault(code, 'input.currency', 'x', 'must be ISO 4217')];
    const { dispense } = await setup({ submit: async () => ({ kind: 'invalid', faults }) });
    const answer = await dispense();
    expect(answer.status).toBe(status);
    expect(await problemIn(answer)).toMatchObject({
      code,
      detail: 'input.amount is -5: must be positive\ninput.currency is "x": must be ISO 4217',
      faults: [
        { field: 'input.amount', value: '-5', rule: 'must be positive' },
        { field: 'input.currency', value: '"x"', rule: 'must be ISO 4217' },
      ],
    });
  });

  it.each<['LOG_DOWN' | 'DRAINING' | 'BUSY' | 'LOG_UNACKNOWLEDGED' | 'STORE_DOWN', boolean]>([
    ['LOG_DOWN', false],
    ['DRAINING', false],
    ['BUSY', false],
    ['LOG_UNACKNOWLEDGED', true],
    ['STORE_DOWN', false],
  ])('asks to come back on %s, and says whether it may have been accepted', async (code, maybeAccepted) => {
    const { dispense, lines } = await setup({ submit: () => Promise.reject(new LocusError(code, 'no answer')) });
    const answer = await dispense();
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('1');
    const told = await problemIn(answer);
    expect(told.maybeAccepted).toBe(maybeAccepted ? true : undefined);
    expect(told.code).toBe(code);
    expect(lines[0]).toMatchObject({ level: 'warn', fields: { route: '/v1/:type/:id/:command' } });
  });

  it('says nothing of the inside on the unforeseen, but logs it, and does not call it failed', async () => {
    const { dispense, lines } = await setup({ submit: () => Promise.reject(new Error('secret detail')) });
    const answer = await dispense();
    expect(answer.status).toBe(500);
    const told = await problemIn(answer);
    expect(told).toMatchObject({ code: 'INTERNAL', maybeAccepted: true });
    expect(JSON.stringify(told)).not.toContain('secret');
    expect(lines[0]).toMatchObject({ level: 'error' });
  });
});

describe('a bad request', () => {
  type Bad = { readonly path?: string; readonly headers?: Record<string, string>; readonly body?: string | Uint8Array<ArrayBuffer> | null };
  const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  it.each<[string, Bad, number, string, string]>([
    ['a key that begins with ~', { headers: { 'idempotency-key': '~op/1' } }, 400, 'COMMAND_ID_INVALID', 'idempotency-key'],
    ['a key with a space', { headers: { 'idempotency-key': 'a b' } }, 400, 'COMMAND_ID_INVALID', 'idempotency-key'],
    ['a key that is too long', { headers: { 'idempotency-key': 'a'.repeat(129) } }, 400, 'COMMAND_ID_INVALID', 'idempotency-key'],
    ['an empty key', { headers: { 'idempotency-key': '' } }, 400, 'COMMAND_ID_INVALID', 'idempotency-key'],
    ['a type in capitals', { path: '/v1/Cash/a/open' }, 400, 'ADDRESS_INVALID', 'path'],
    ['an id that is too long', { path: `/v1/cash/${'a'.repeat(65)}/open` }, 400, 'ADDRESS_INVALID', 'path'],
    ['a slash in an id', { path: '/v1/cash/a%2Fb/open' }, 400, 'ADDRESS_INVALID', 'path'],
    ['malformed JSON', { body: '{"amount":' }, 400, 'JSON_INVALID', 'body'],
    ['no body', { body: null }, 400, 'JSON_INVALID', 'body'],
    ['bytes that are not UTF-8', { body: Uint8Array.of(0x7b, 0xff, 0x7d) }, 400, 'JSON_INVALID', 'body'],
    ['a number no double holds', { body: '{"amount":1e999}' }, 400, 'JSON_INVALID', 'input.amount'],
    ['JSON 33 deep', { body: nested(33) }, 400, 'JSON_TOO_DEEP', 'input'],
    ['JSON 100,000 deep', { body: '['.repeat(100_000) }, 400, 'JSON_INVALID', 'body'],
    ['a __proto__ key', { body: '{"a":{"__proto__":{}}}' }, 400, 'KEY_FORBIDDEN', 'input.a.__proto__'],
    ['a body over 256 KiB', { body: `{"a":"${'x'.repeat(262_144)}"}` }, 413, 'VALUE_TOO_LARGE', 'body'],
    ['text', { headers: { 'content-type': 'text/plain' } }, 415, 'CONTENT_TYPE_UNSUPPORTED', 'content-type'],
    ['a form', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 415, 'CONTENT_TYPE_UNSUPPORTED', 'content-type'],
    ['a media type that is none', { headers: { 'content-type': 'json' } }, 415, 'CONTENT_TYPE_UNSUPPORTED', 'content-type'],
    ['a packed body', { headers: { 'content-encoding': 'gzip' } }, 415, 'CONTENT_TYPE_UNSUPPORTED', 'content-encoding'],
    ['a weak If-Match', { headers: { 'if-match': 'W/"7"' } }, 400, 'ENVELOPE_INVALID', 'if-match'],
    ['If-Match: *', { headers: { 'if-match': '*' } }, 400, 'ENVELOPE_INVALID', 'if-match'],
    ['a wait that is no number', { headers: { prefer: 'wait=long' } }, 400, 'ENVELOPE_INVALID', 'prefer'],
    ['a deadline that is no time', { headers: { 'locus-deadline': 'tomorrow' } }, 400, 'ENVELOPE_INVALID', 'locus-deadline'],
    ['the reserved name', { path: '/v1/cash/a/commands' }, 404, 'COMMAND_UNKNOWN', 'command'],
  ])(
    'with %s is refused before the runtime hears of it',
    async (_what, { path = '/v1/cash/a/open', headers = {}, body = '{}' }, status, code, field) => {
      const { post, asked } = await setup();
      const answer = await post(path, body, headers);
      expect(answer.status).toBe(status);
      const told = await problemIn(answer);
      expect(told).toMatchObject({ code, type: `urn:locus:error:${code.toLowerCase().replaceAll('_', '-')}` });
      expect(told.faults).toEqual([expect.objectContaining({ field, value: expect.any(String), rule: expect.any(String) })]);
      expect(asked.submissions).toEqual([]);
    },
  );

  it('without Idempotency-Key is refused', async () => {
    const { url } = await setup();
    const answer = await fetch(`${url}/v1/cash/a/open`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });
    expect(answer.status).toBe(400);
    expect(await problemIn(answer)).toMatchObject({ code: 'COMMAND_ID_MISSING', faults: [{ field: 'idempotency-key' }] });
  });

  it('with several faults hears of all of them', async () => {
    const { post } = await setup();
    const told = await problemIn(await post('/v1/Cash/a/open', '{', { 'idempotency-key': '~', prefer: 'wait=x' }));
    expect((told.faults as { field: string }[]).map(({ field }) => field)).toEqual(['path', 'body', 'idempotency-key', 'prefer']);
  });

  it('to nowhere, or with a broken path, is a problem as well', async () => {
    const { get } = await setup();
    expect((await problemIn(await get('/nowhere'))).code).toBe('NOT_FOUND');
    const broken = await get('/v1/cash/%zz');
    expect([broken.status, (await problemIn(broken)).code]).toEqual([400, 'ENVELOPE_INVALID']);
  });

  it('that is not HTTP is told so, and does not stop the next one', async () => {
    const { url, dispense } = await setup();
    expect(await problemOver(url, '\x16\x03\x01 not http\r\n\r\n')).toMatchObject({ status: 400, code: 'ENVELOPE_INVALID' });
    expect((await dispense()).status).toBe(200);
  });

  it('with more than 16 KiB of headers is refused', async () => {
    const { url, asked } = await setup();
    const told = await problemOver(
      url,
      `POST /v1/cash/a/open HTTP/1.1\r\nhost: a\r\nidempotency-key: c1\r\nx: ${'x'.repeat(16_384)}\r\n\r\n`,
    );
    expect(told).toMatchObject({ status: 431, code: 'HEADERS_TOO_LARGE', faults: [{ field: 'headers' }] });
    expect(asked.submissions).toEqual([]);
  });

  it.each([
    ['its headers', 'POST /v1/cash/a/open HTTP/1.1\r\nhost: a\r\nx-slow: '],
    ['its body', 'POST /v1/cash/a/open HTTP/1.1\r\nhost: a\r\nidempotency-key: c1\r\ncontent-length: 20\r\n\r\n{"a'],
  ])('that never ends %s is ended', async (_what, begun) => {
    const { url, asked } = await setup({}, { patience: { headersMs: 50, requestMs: 100, lookMs: 20 } });
    expect(await problemOver(url, begun)).toMatchObject({ status: 408, code: 'REQUEST_TIMEOUT' });
    expect(asked.submissions).toEqual([]);
  });

  it('that is 32 deep is good', async () => {
    const { dispense } = await setup();
    expect((await dispense({}, nested(32))).status).toBe(200);
  });
});

describe('a principal', () => {
  const as = (authorization: string) => ({ authorization });
  it('that asks too often in a second is told when to come back; others go on', async () => {
    const { dispense, get, asked } = await setup({}, { rateMax: 3 });
    // One second, even when the machine is slow: as many as it takes until the limit answers.
    let last = await dispense(as('Bearer one'));
    for (let n = 0; n < 100 && last.status === 200; n++) last = await dispense(as('Bearer one'));
    expect(last.status).toBe(429);
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await problemIn(last)).toMatchObject({ code: 'RATE_LIMITED', type: 'urn:locus:error:rate-limited' });
    const reached = asked.submissions.length;
    expect((await dispense(as('Bearer two'))).status).toBe(200);
    expect((await dispense()).status).toBe(200);
    expect(asked.submissions).toHaveLength(reached + 2);
    let nowhere = await get('/nowhere');
    for (let n = 0; n < 100 && nowhere.status === 404; n++) nowhere = await get('/nowhere');
    expect(nowhere.status).toBe(429);
  });
});

describe('looking up an outcome', () => {
  it('answers the stored text, 202 while it waits, 404 while nothing is known', async () => {
    const final = await setup();
    expect(await (await final.get('/v1/cash-location/a/commands/c1')).text()).toBe(DONE);

    const waiting = await setup({ outcome: async () => ({ kind: 'waiting', status: 'in-doubt' }) });
    const answer = await waiting.get('/v1/cash-location/a/commands/c1');
    expect([answer.status, await answer.json()]).toEqual([202, { status: 'in-doubt' }]);

    const unknown = await setup({ outcome: async () => ({ kind: 'unknown' }) });
    const none = await unknown.get('/v1/cash-location/a/commands/c1');
    expect(none.status).toBe(404);
    expect((await problemIn(none)).detail).toContain('that does not mean that it will not happen');
  });

  it('answers 503 when the store is away', async () => {
    const { get } = await setup({ outcome: () => Promise.reject(new LocusError('STORE_DOWN', 'no connection')) });
    const answer = await get('/v1/cash-location/a/commands/c1');
    expect([answer.status, (await problemIn(answer)).maybeAccepted]).toEqual([503, undefined]);
  });

  it('refuses an id that no caller can have', async () => {
    const { get } = await setup();
    expect((await get('/v1/cash-location/a/commands/~timer')).status).toBe(400);
  });
});

describe('reading committed state', () => {
  it('answers with its seq as a strong ETag', async () => {
    const { get } = await setup({ query: async (address, query) => ({ seq: 7, body: { address, query: query ?? 'all' } }) });
    const whole = await get('/v1/cash-location/a');
    expect([whole.status, whole.headers.get('etag'), await whole.json()]).toEqual([
      200,
      '"7"',
      { address: 'cash-location/a', query: 'all' },
    ]);
    expect(await (await get('/v1/cash-location/a/position')).json()).toEqual({ address: 'cash-location/a', query: 'position' });
  });

  it.each([
    ['"7"', 304],
    ['"6", W/"7"', 304],
    ['*', 304],
    ['"6"', 200],
    ['"77"', 200],
  ])('answers If-None-Match: %s with %i', async (tag, status) => {
    const { get } = await setup();
    const answer = await get('/v1/cash-location/a', { 'if-none-match': tag });
    expect([answer.status, answer.headers.get('etag')]).toEqual([status, '"7"']);
    expect(await answer.text()).toBe(status === 304 ? '' : '{"open":true}');
  });

  it('answers 404 where nothing was committed, and for a query that is none', async () => {
    const empty = await setup({ query: async () => undefined });
    expect((await problemIn(await empty.get('/v1/cash-location/a'))).detail).toBe('nothing was ever committed at cash-location/a');
    const other = await setup({ query: async () => 'no-such-query' });
    expect((await problemIn(await other.get('/v1/cash-location/a/secrets'))).detail).toBe('cash-location/a has no query secrets');
    expect((await other.get('/v1/cash-location/a/commands')).status).toBe(404);
  });
});

it('stops after the requests in hand are answered, and twice does no harm', async () => {
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let arrived: () => void = () => {};
  const submitted = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const { desk } = fakeDesk({
    submit: async () => {
      arrived();
      await held;
      return { kind: 'waiting', status: 'pending' };
    },
  });
  const http = await startHttp({ host: '127.0.0.1', port: 0, rateMax: 1_000, desk, log: fakeLog().log });
  const answer = fetch(`${http.url}/v1/cash/a/open`, {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'c1' },
  });
  await submitted;
  const stopped = http.stop();
  release();
  expect((await answer).status).toBe(202);
  await stopped;
  await http.stop();
  await expect(fetch(http.url)).rejects.toThrow();
});
