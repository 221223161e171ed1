/** The device gateway from both ends: what the simulated device does, and what the client makes of what it says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { CashLocation } from '../../actors/cash-location/actor.ts';
import type { Switches } from '../../infra/device/device.ts';
import { gatewayHandlers } from '../../infra/device/gateway-client.ts';
import type { Line } from '../../infra/device/journal.ts';
import { startSimulatedGateway } from '../../infra/device/simulated-gateway.ts';
import { bind, type Fence } from '../../src/actor.ts';
import { systemClock } from '../../src/clock.ts';
import { systemRandom } from '../../src/random.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'locus-device-'));
  ends.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
async function gateway(switches: Partial<Switches> = {}, journalPath = join(folder(), 'journal')) {
  const it = await startSimulatedGateway({ journalPath, switches, clock: systemClock, random: systemRandom, log: quiet });
  ends.push(() => it.stop());
  const lines = () =>
    readFileSync(journalPath, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line);
  return {
    ...it,
    journalPath,
    lines,
    moved: () => lines().filter((line) => line.kind === 'moved'),
    admin: (verb: string, body: object = {}) => post(`${it.url}/admin/${verb}`, body),
  };
}
async function post(url: string, body: unknown) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(url, { method: 'POST', body: text });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const at = (epoch: number, seq: number): Fence => ({ epoch, seq });
const notes = { 2000: 3 };
const ask = (commandId: string, fence: Fence) => ({ commandId, currency: 'USD', notes, fence });

describe('the simulated device', () => {
  test('dispenses once per commandId, and answers every repeat the same', async () => {
    const device = await gateway();
    const first = await post(`${device.url}/ATM-1/dispense`, ask('d-1', at(1, 1)));
    expect(first).toEqual({
      status: 200,
      body: {
        status: 'dispensed',
        notes,
        retracted: {},
        rejected: {},
        journal: expect.stringMatching(/^[0-9a-f]{16}$/),
        highest: at(0, 0),
      },
    });
    const again = await post(`${device.url}/ATM-1/dispense`, ask('d-1', at(1, 2)));
    expect(again.body).toEqual({ ...first.body, highest: at(1, 1) });
    expect(await post(`${device.url}/ATM-2/dispense`, ask('d-1', at(1, 1)))).toMatchObject({ body: { status: 'dispensed' } });
    expect(device.moved()).toMatchObject([
      { location: 'ATM-1', commandId: 'd-1', currency: 'USD', ordered: notes, status: 'dispensed', notes },
      { location: 'ATM-2', commandId: 'd-1' },
    ]);
  });

  test('moves cash once for one commandId that is asked for many times at once', async () => {
    const device = await gateway({ latencyMaxMs: 10 });
    const all = await Promise.all([...Array(20)].map(() => post(`${device.url}/ATM-1/dispense`, ask('d-1', at(1, 1)))));
    expect(new Set(all.map((it) => JSON.stringify(it.body.notes)))).toEqual(new Set([JSON.stringify(notes)]));
    expect(device.moved()).toHaveLength(1);
  });

  test('obeys only fences at least as high as it has seen, epoch first, as integers', async () => {
    const device = await gateway();
    await post(`${device.url}/ATM-1/probe`, { fence: at(2, 10) });
    expect(await post(`${device.url}/ATM-1/dispense`, ask('d-1', at(2, 9)))).toEqual({
      status: 409,
      body: { status: 'fenced', highest: at(2, 10) },
    });
    expect(await post(`${device.url}/ATM-1/dispense`, ask('d-1', at(1, 99)))).toMatchObject({ status: 409 });
    expect(await post(`${device.url}/ATM-1/probe`, { commandId: 'd-1', fence: at(1, 99) })).toMatchObject({ status: 409 });
    expect(await post(`${device.url}/ATM-1/dispense`, ask('d-1', at(10, 1)))).toMatchObject({ status: 200, body: { highest: at(2, 10) } });
    expect(await post(`${device.url}/ATM-1/dispense`, ask('d-2', at(9, 9)))).toMatchObject({ status: 409 });
  });

  test('promises with `none` that a commandId never moves cash, and keeps it', async () => {
    const device = await gateway();
    expect((await post(`${device.url}/ATM-1/probe`, { commandId: 'd-1', fence: at(1, 5) })).body).toMatchObject({
      status: 'none',
      notes: {},
    });
    expect((await post(`${device.url}/ATM-1/dispense`, ask('d-1', at(1, 6)))).body).toMatchObject({ status: 'failed', notes: {} });
    expect((await post(`${device.url}/ATM-1/probe`, { commandId: 'd-1', fence: at(1, 7) })).body).toMatchObject({ status: 'none' });
    expect(device.moved()).toEqual([]);
  });

  test('tells a probe what it did', async () => {
    const device = await gateway({ partialRate: 1 });
    const { body } = await post(`${device.url}/ATM-1/dispense`, ask('d-1', at(1, 1)));
    expect(body).toMatchObject({ status: 'partial', notes: { 2000: 2 } });
    expect((await post(`${device.url}/ATM-1/probe`, { commandId: 'd-1', fence: at(1, 2) })).body).toEqual({ ...body, highest: at(1, 1) });
  });

  test('jams without moving anything, and remembers that as well', async () => {
    const device = await gateway({ jamRate: 1 });
    expect((await post(`${device.url}/ATM-1/dispense`, ask('d-1', at(1, 1)))).body).toMatchObject({ status: 'failed', notes: {} });
    await device.admin('switches', { jamRate: 0 });
    expect((await post(`${device.url}/ATM-1/dispense`, ask('d-1', at(1, 2)))).body).toMatchObject({ status: 'failed' });
  });

  test('loses a reply after the cash has moved', async () => {
    const device = await gateway({ lostReplyRate: 1 });
    await expect(post(`${device.url}/ATM-1/dispense`, ask('d-1', at(1, 1)))).rejects.toThrow();
    expect(device.moved()).toHaveLength(1);
  });

  test('with amnesia forgets what it did and has another identity, yet its journal file and its fences stay', async () => {
    const device = await gateway();
    const { body: before } = await post(`${device.url}/ATM-1/dispense`, ask('d-1', at(1, 5)));
    await device.admin('amnesia');
    expect(await post(`${device.url}/ATM-1/dispense`, ask('d-2', at(1, 4)))).toMatchObject({ status: 409 });
    const { body: after } = await post(`${device.url}/ATM-1/probe`, { commandId: 'd-1', fence: at(1, 6) });
    expect(after.status).toBe('none');
    expect(after.journal).not.toBe(before.journal);
    expect(device.moved()).toHaveLength(1);
  });

  test('with the wrong switches does what must never happen', async () => {
    const device = await gateway({ noFence: true, noDedupe: true });
    await post(`${device.url}/ATM-1/dispense`, ask('d-1', at(5, 5)));
    expect(await post(`${device.url}/ATM-1/dispense`, ask('d-1', at(1, 1)))).toMatchObject({ status: 200, body: { highest: at(0, 0) } });
    expect(device.moved()).toHaveLength(2);
  });

  test('holds a call on the wire before or after its cash moves, until it is released', async () => {
    const device = await gateway();
    const waiting = async () => (await fetch(`${device.url}/admin/holds`)).json();
    await device.admin('hold', { location: 'ATM-1', point: 'before' });
    await device.admin('hold', { location: 'ATM-2', point: 'after' });
    const before = post(`${device.url}/ATM-1/dispense`, ask('d-1', at(1, 1)));
    const after = post(`${device.url}/ATM-2/dispense`, ask('d-1', at(1, 1)));
    await expect.poll(waiting).toEqual({ 'ATM-1': 1, 'ATM-2': 1 });
    expect(device.moved()).toMatchObject([{ location: 'ATM-2' }]);
    // Another owner recovers while the old call is still under way.
    expect((await post(`${device.url}/ATM-1/probe`, { commandId: 'd-1', fence: at(2, 1) })).body).toMatchObject({ status: 'none' });
    expect((await post(`${device.url}/ATM-2/probe`, { commandId: 'd-1', fence: at(2, 1) })).body).toMatchObject({ status: 'dispensed' });
    await device.admin('release', { location: 'ATM-1' });
    await device.admin('release', { location: 'ATM-2' });
    expect(await before).toMatchObject({ status: 409, body: { highest: at(2, 1) } });
    expect(await after).toMatchObject({ status: 200, body: { status: 'dispensed' } });
    expect(device.moved()).toHaveLength(1);
  });

  test('can be silent about one location while it serves the others', async () => {
    const device = await gateway();
    await device.admin('hold', { location: 'ATM-1', point: 'silent' });
    const silent = post(`${device.url}/ATM-1/probe`, { fence: at(1, 1) });
    expect(await post(`${device.url}/ATM-2/probe`, { fence: at(1, 1) })).toMatchObject({ status: 200 });
    await device.admin('release', { location: 'ATM-1' });
    expect(await silent).toMatchObject({ status: 200 });
  });

  test('streams its journal', async () => {
    const device = await gateway();
    await post(`${device.url}/ATM-1/dispense`, ask('d-1', at(1, 1)));
    const text = await (await fetch(`${device.url}/journal`)).text();
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).kind),
    ).toEqual(['created', 'moved']);
  });

  test.each<readonly [string, unknown, RegExp]>([
    ['ATM-1/dispense', '{', /body is "{": must be JSON/],
    ['ATM-1/dispense', [], /body is \[\]: must be a JSON object/],
    ['ATM-1/dispense', { ...ask('d-1', at(1, 1)), commandId: 5 }, /commandId is 5: must be text/],
    ['ATM-1/dispense', { ...ask('d-1', at(1, 1)), notes: { 2000: -1 } }, /notes is {"2000":-1}: must be counts/],
    ['ATM-1/dispense', { ...ask('d-1', at(1, 1)), fence: { epoch: '1', seq: 1 } }, /fence is .*: must be {epoch, seq}, two integers/],
    ['ATM-1/probe', {}, /fence is undefined/],
    ['admin/hold', { location: 'ATM-1', point: 'x' }, /point is "x": must be before, after or silent/],
    ['admin/switches', { jam: 1 }, /jam is 1: must be one of latencyMinMs/],
    ['ATM-1/dispense', 'x'.repeat(70_000), /must be shorter/],
  ])('%s refuses %j', async (path, body, message) => {
    const device = await gateway();
    const found = await post(`${device.url}/${path}`, body);
    expect(found).toMatchObject({ status: 400, body: { error: expect.stringMatching(message) } });
    expect(await (await fetch(`${device.url}/nowhere`)).json()).toMatchObject({
      error: expect.stringContaining('GET /nowhere is not among'),
    });
  });
});

describe("the device's journal", () => {
  test('brings back what was done, what was voided and the fences, after a torn last line', async () => {
    const journalPath = join(folder(), 'journal');
    const first = await gateway({}, journalPath);
    const { body } = await post(`${first.url}/ATM-1/dispense`, ask('d-1', at(3, 1)));
    await post(`${first.url}/ATM-1/probe`, { commandId: 'd-2', fence: at(3, 2) });
    await first.stop();
    appendFileSync(journalPath, '{"kind":"moved","location":"ATM-1","comma');
    const second = await gateway({}, journalPath);
    expect((await post(`${second.url}/ATM-1/probe`, { commandId: 'd-1', fence: at(3, 3) })).body).toEqual({ ...body, highest: at(3, 2) });
    expect((await post(`${second.url}/ATM-1/dispense`, ask('d-2', at(3, 4)))).body).toMatchObject({ status: 'failed' });
    expect(await post(`${second.url}/ATM-1/dispense`, ask('d-3', at(3, 3)))).toMatchObject({ status: 409 });
    expect(second.lines().map((it) => it.kind)).toEqual(['created', 'moved', 'void', 'fence', 'fence']);
  });

  test('that is damaged in the middle is refused', async () => {
    const journalPath = join(folder(), 'journal');
    appendFileSync(journalPath, '{"kind":"crea\n{}\n');
    await expect(gateway({}, journalPath)).rejects.toThrow(/line 1 of the device's journal .* is no JSON/);
  });

  test('holds every cash movement that was reported, when the process is killed with -9 under load', async () => {
    const journalPath = join(folder(), 'journal');
    const start = async () => {
      const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
      const child = spawn(process.execPath, ['--import', file('typescript-loader.mjs'), file('gateway-process.ts'), journalPath], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      ends.push(() => child.kill('SIGKILL'));
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      return { child, url: line.toString().trim() };
    };
    const { child, url } = await start();
    const told: string[] = [];
    const teller = async (n: number) => {
      for (let i = 1; ; i += 1) {
        const found = await post(`${url}/ATM-${n}/dispense`, ask(`d-${i}`, at(1, i))).catch(() => undefined);
        if (!found) return;
        told.push(`ATM-${n} d-${i}`);
        if (told.length === 300) child.kill('SIGKILL');
      }
    };
    await Promise.all([...Array(16)].map((_, n) => teller(n)));
    expect(told.length).toBeGreaterThanOrEqual(300);
    const again = await start();
    const repeats = await Promise.all(
      told.map((it) => post(`${again.url}/${it.split(' ')[0]}/dispense`, ask(it.split(' ')[1] ?? '', at(2, 1)))),
    );
    expect(repeats.every((it) => it.body.status === 'dispensed')).toBe(true);
    const moved = readFileSync(journalPath, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line)
      .flatMap((line) => (line.kind === 'moved' ? [`${line.location} ${line.commandId}`] : []));
    expect(new Set(moved).size).toBe(moved.length);
    expect(moved).toEqual(expect.arrayContaining(told));
  }, 30_000);
});

describe('the client', () => {
  const signal = new AbortController().signal;
  const order = { currency: 'USD', notes };
  const handlers = (url: string, timeoutMs = 5_000) => {
    const it = gatewayHandlers({ url, clock: systemClock, log: quiet, timeoutMs });
    // What main.ts does: it compiles only while the shapes on both sides agree.
    bind(CashLocation, { dispenseCash: it });
    return it;
  };
  const address = 'cash-location/ATM-1';
  const context = (fence: Fence, witness?: string, key = 'd-1') => ({ address, key, fence, witness, signal });

  test('opens, runs and probes', async () => {
    const device = await gateway();
    const { open, run, probe } = handlers(`${device.url}/`);
    const witness = await open({ address, fence: at(1, 0), signal });
    expect(witness).toMatch(/^[0-9a-f]{16}$/);
    const confirmed = { status: 'confirmed', result: { status: 'dispensed', notes, retracted: {}, rejected: {} } };
    expect(await run(order, context(at(1, 1), witness as string))).toEqual(confirmed);
    expect(await probe(order, context(at(1, 2), witness as string))).toEqual(confirmed);
    expect(device.moved()).toHaveLength(1);
  });

  test('takes `none` for failed from the device of the intent only, and never without a witness', async () => {
    const device = await gateway();
    const { open, probe } = handlers(device.url);
    const witness = (await open({ address, fence: at(1, 0), signal })) as string;
    expect(await probe(order, context(at(1, 1)))).toEqual({ status: 'unknown' });
    expect(await probe(order, context(at(1, 2), 'another journal'))).toEqual({ status: 'unknown' });
    expect(await probe(order, context(at(1, 3), witness))).toEqual({ status: 'failed', code: 'NEVER_DISPENSED' });
    await device.admin('amnesia');
    expect(await probe(order, context(at(1, 4), witness))).toEqual({ status: 'unknown' });
  });

  test('does not take `none` at the fence of its own run for evidence, but does when an earlier probe raised it', async () => {
    const device = await gateway();
    const { open, run, probe } = handlers(device.url);
    const witness = (await open({ address, fence: at(1, 0), signal })) as string;
    await device.admin('hold', { location: 'ATM-1', point: 'before' });
    const aborted = new AbortController();
    const lost = run(order, { ...context(at(1, 1), witness), signal: aborted.signal });
    await expect.poll(async () => (await fetch(`${device.url}/admin/holds`)).json()).toEqual({ 'ATM-1': 1 });
    aborted.abort();
    await expect(lost).rejects.toThrow();
    await post(`${device.url}/ATM-1/probe`, { fence: at(1, 1) });
    expect(await probe(order, context(at(1, 1), witness))).toEqual({ status: 'unknown' });
    await post(`${device.url}/ATM-1/probe`, { fence: at(1, 2) });
    expect(await probe(order, context(at(1, 2), witness))).toEqual({ status: 'failed', code: 'NEVER_DISPENSED' });
    await device.admin('release', { location: 'ATM-1' });
    expect(device.moved()).toEqual([]);
  });

  test('says that it was fenced, and by what', async () => {
    const device = await gateway();
    const { open, run, probe } = handlers(device.url);
    await open({ address, fence: at(7, 7), signal });
    const fenced = { status: 'fenced', highest: at(7, 7) };
    expect(await open({ address, fence: at(1, 0), signal })).toEqual(fenced);
    expect(await run(order, context(at(1, 1)))).toEqual(fenced);
    expect(await probe(order, context(at(1, 2)))).toEqual(fenced);
  });

  test('maps a failure in which nothing moved to failed', async () => {
    const device = await gateway({ jamRate: 1 });
    expect(await handlers(device.url).run(order, context(at(1, 1)))).toEqual({ status: 'failed', code: 'DISPENSE_FAILED' });
  });

  test('throws, so that the dispense is in doubt, on a lost reply, a silent device and none at all', async () => {
    const lossy = await gateway({ lostReplyRate: 1 });
    await expect(handlers(lossy.url).run(order, context(at(1, 1)))).rejects.toThrow();
    const silent = await gateway();
    await silent.admin('hold', { location: 'ATM-1', point: 'silent' });
    await expect(handlers(silent.url, 30).run(order, context(at(1, 1)))).rejects.toThrow(/no answer from the device in 30 ms/);
    await silent.stop();
    await expect(handlers(silent.url).probe(order, context(at(1, 2)))).rejects.toThrow();
  });

  const good = { status: 'dispensed', notes, journal: 'j', highest: at(0, 0) };
  test.each<readonly [string, number, unknown, RegExp]>([
    ['a server error', 500, good, /status code is 500: must be 200 or 409/],
    ['no JSON', 200, '<html>', /status is undefined: must be text/],
    ['an unknown status', 200, { ...good, status: 'unknown' }, /status is "unknown": must be dispensed, partial or failed/],
    ['a negative note', 200, { ...good, notes: { 2000: -1 } }, /notes is {"2000":-1}: must be counts/],
    ['no notes', 200, { ...good, notes: undefined }, /notes is undefined/],
    ['a rejected that is a list', 200, { ...good, rejected: [1] }, /rejected is \[1\]/],
    ['no journal', 200, { ...good, journal: '' }, /journal is "": must be the id of the journal/],
    ['a fence of text', 409, { highest: { epoch: '1', seq: 1 } }, /highest is .*: must be a fence/],
  ])('throws on an answer that cannot be used: %s', async (_, status, body, message) => {
    const { run } = handlers(await saying(status, body));
    await expect(run(order, context(at(1, 1)))).rejects.toThrow(message);
  });

  test('keeps its connections', async () => {
    const { url, connections } = await server((request, response) => {
      request.resume().on('end', () => response.end(JSON.stringify(good)));
    });
    const { run } = handlers(url);
    for (let i = 0; i < 50; i += 1) await run(order, context(at(1, i)));
    // A call that follows in the same tick finds the connection of the one before it still closing that answer, and opens a second.
    expect(connections()).toBeLessThanOrEqual(2);
  });

  test('sends nothing twice when the connection that it kept is closed under a call', async () => {
    const asked: string[] = [];
    const { url } = await server((request, response) => {
      asked.push(request.url ?? '');
      request.resume().on('end', () => (asked.length === 1 ? response.end(JSON.stringify(good)) : request.socket.destroy()));
    });
    const { run, probe } = handlers(url);
    await run(order, context(at(1, 1)));
    await expect(run(order, context(at(1, 2)))).rejects.toThrow(/other side closed|ECONNRESET/);
    await expect(probe(order, context(at(1, 3)))).rejects.toThrow();
    expect(asked).toEqual(['/ATM-1/dispense', '/ATM-1/dispense', '/ATM-1/probe']);
  });

  test('opens another connection after the device closed the one that it kept', async () => {
    const { url, connections, sockets } = await server((request, response) => {
      request.resume().on('end', () => response.end(JSON.stringify(good)));
    });
    const { run } = handlers(url);
    await run(order, context(at(1, 1)));
    const [kept] = sockets();
    kept?.end();
    await once(kept as Socket, 'close');
    expect(await run(order, context(at(1, 2)))).toMatchObject({ status: 'confirmed' });
    expect(connections()).toBe(2);
  });

  test('throws on an answer that begins and does not end, and ends the connection', async () => {
    const { url, sockets } = await server((_request, response) => void response.writeHead(200).write('{"status":'));
    await expect(handlers(url, 30).run(order, context(at(1, 1)))).rejects.toThrow(/no answer from the device in 30 ms/);
    await expect.poll(() => sockets().every((it) => it.destroyed)).toBe(true);
  });

  test('throws on an answer without end', async () => {
    const { run } = handlers(await saying(200, { ...good, journal: 'j'.repeat(70_000) }));
    await expect(run(order, context(at(1, 1)))).rejects.toThrow(/exceeded max size/);
  });

  test('follows nobody elsewhere: cash is asked for where the operator said', async () => {
    const elsewhere = await gateway();
    const { url } = await server((request, response) => {
      request.resume().on('end', () => response.writeHead(307, { location: `${elsewhere.url}/ATM-1/dispense` }).end());
    });
    await expect(handlers(url).run(order, context(at(1, 1)))).rejects.toThrow(/status code is 307/);
    expect(elsewhere.moved()).toEqual([]);
  });

  test('ends with the reason of a signal that was aborted before it began, and sends nothing', async () => {
    const { url, connections } = await server(() => {});
    const signal = AbortSignal.abort(new Error('draining'));
    await expect(handlers(url).run(order, { ...context(at(1, 1)), signal })).rejects.toThrow('draining');
    expect(connections()).toBe(0);
  });

  test('speaks to a gateway below a path of its URL', async () => {
    const asked: string[] = [];
    const { url } = await server((request, response) => {
      asked.push(request.url ?? '');
      request.resume().on('end', () => response.end(JSON.stringify(good)));
    });
    await handlers(`${url}/bank/7`).run(order, context(at(1, 1)));
    expect(asked).toEqual(['/bank/7/ATM-1/dispense']);
  });

  test('books a failure that moved notes as a dispense of nothing', async () => {
    const { run } = handlers(await saying(200, { ...good, status: 'failed', notes: {}, rejected: { 2000: 2 } }));
    expect(await run(order, context(at(1, 1)))).toEqual({
      status: 'confirmed',
      result: { status: 'partial', notes: {}, rejected: { 2000: 2 } },
    });
  });

  test('refuses an id that no URL can name', async () => {
    const { open } = handlers('http://127.0.0.1:9');
    await expect(open({ address: 'cash-location/..', fence: at(1, 1), signal })).rejects.toThrow(/id is "..": must not be a dot segment/);
  });

  async function saying(status: number, body: unknown): Promise<string> {
    const { url } = await server((request, response) => {
      request.resume().on('end', () => response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body)));
    });
    return url;
  }
  async function server(answer: RequestListener) {
    const opened: Socket[] = [];
    const it = createServer(answer).on('connection', (socket) => opened.push(socket));
    it.listen(0, '127.0.0.1');
    await once(it, 'listening');
    ends.push(() => {
      it.closeAllConnections();
      it.close();
    });
    const url = `http://127.0.0.1:${(it.address() as AddressInfo).port}`;
    return { url, connections: () => opened.length, sockets: () => opened };
  }
});
