/** The program as a stranger starts it, with nothing configured: killed, started again, and started twice. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { freePort } from '../../infra/dev/free-port.ts';
import { EmbeddedFile } from '../../infra/embedded/file.ts';
import { EmbeddedLog, embeddedWriter } from '../../infra/embedded/log.ts';
import { systemClock } from '../../src/clock.ts';
import { encodeCommand } from '../../src/message/codec.ts';

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url));
const SLOW = 60_000;
const POLL = { timeout: 20_000, interval: 50 };
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

type Line = { readonly kind: string; readonly location?: string; readonly commandId?: string };

/** A folder and two ports; `serve` may be called again and again. */
async function setup() {
  const dir = mkdtempSync(join(tmpdir(), 'locus-process-'));
  ends.push(async () => rmSync(dir, { recursive: true, force: true }));
  const [http, admin] = [await freePort(), await freePort()];
  const env = { PATH: process.env.PATH ?? '', DATA_DIR: join(dir, 'data'), HTTP_PORT: String(http), ADMIN_PORT: String(admin) };

  /** `said`: what it told the person who started it; resolves once it did, or once it ended. */
  async function serve(more: Readonly<Record<string, string>> = {}) {
    const child: ChildProcess = spawn(process.execPath, [CLI, 'serve'], { cwd: dir, env: { ...env, ...more } });
    let [out, err] = ['', ''];
    const gone = new Promise<number | string>((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal ?? 'gone')));
    const spoke = new Promise<void>((resolve) => {
      child.stdout?.on('data', (text) => (out += text));
      child.stderr?.on('data', (text) => {
        err += text;
        if (err.includes('\n\n  curl') && err.includes('known by its key')) resolve();
      });
    });
    const kill = (signal: NodeJS.Signals) => {
      child.kill(signal);
      return gone;
    };
    ends.push(() => kill('SIGKILL'));
    await Promise.race([spoke, gone]);
    return { said: err, out: () => out, kill, gone };
  }
  async function ask(path: string, key?: string, body?: string) {
    const headers = { 'content-type': 'application/json', 'idempotency-key': key ?? '' };
    const answer = await fetch(
      `http://127.0.0.1:${http}/v1/cash-location/${path}`,
      key === undefined ? {} : { method: 'POST', headers, body: body ?? '' },
    );
    return { status: answer.status, text: await answer.text(), etag: answer.headers.get('etag') };
  }
  const journal = (): readonly Line[] =>
    readFileSync(join(dir, 'data', 'device.journal'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line);
  const tools = { ...env, LOCUS_ADMIN_URL: `http://127.0.0.1:${admin}` };
  /** One command of the command line, as its user types it. */
  const locus = (...words: string[]) =>
    new Promise<{ exit: number | null; out: string; err: string }>((resolve) => {
      const child = execFile(process.execPath, [CLI, ...words], { env: tools }, (_error, out, err) =>
        resolve({ exit: child.exitCode, out, err }),
      );
    });
  return { dir, http, serve, ask, journal, locus, tools };
}
const LOAD = '{"currency":"USD","cassettes":[{"denomination":2000,"count":5000}]}';
const DISPENSE = '{"amount":6000,"currency":"USD"}';
const epochOf = (text: string): number => (JSON.parse(text) as { readonly epoch: number }).epoch;

describe('locus serve with nothing configured', () => {
  test('prints lines for curl that work as they stand', { timeout: SLOW }, async () => {
    const { serve } = await setup();
    const { said } = await serve();
    const lines = said.split('\n').filter((line) => line.startsWith('  curl '));
    const answers: unknown[] = [];
    for (const line of lines) {
      const [, body = '', headers = '', url = ''] = /^ {2}curl -d '([^']*)'((?: -H '[^']*')+) (\S+)$/.exec(line) ?? [];
      const pairs = [...headers.matchAll(/'([^:]+): ([^']*)'/g)].map(([, name, value]) => [name, value] as [string, string]);
      answers.push(await (await fetch(url, { method: 'POST', headers: pairs, body })).json());
    }
    expect(answers).toMatchObject([
      { status: 'done', reply: { cash: 200_000 } },
      { status: 'done', reply: { amount: 6_000, notes: { 2000: 3 } } },
    ]);
  });

  test('after kill -9 it has the same state, gives the same answer byte for byte, and owns under a higher epoch', {
    timeout: SLOW,
  }, async () => {
    const { serve, ask, journal, dir } = await setup();
    const first = await serve();
    await ask('ATM-1/load', 'load-1', LOAD);
    const dispensed = await ask('ATM-1/dispense', 'd-1', DISPENSE);
    expect(dispensed.status).toBe(200);
    const state = await ask('ATM-1');
    expect(await first.kill('SIGKILL')).toBe('SIGKILL');

    const second = await serve();
    expect(await ask('ATM-1')).toEqual(state);
    expect(await ask('ATM-1/dispense', 'd-1', DISPENSE)).toEqual(dispensed);
    expect((await ask('ATM-1/dispense', 'd-1', '{"amount":2000,"currency":"USD"}')).status).toBe(422);
    expect(epochOf((await ask('ATM-1/dispense', 'd-2', DISPENSE)).text)).toBeGreaterThan(epochOf(dispensed.text));
    expect(journal().filter((line) => line.kind === 'moved')).toMatchObject([{ commandId: 'd-1' }, { commandId: 'd-2' }]);

    expect(await second.kill('SIGTERM')).toBe(0);
    expect(readdirSync(join(dir, 'data')).sort()).toEqual(['device.journal', 'locus.db']);
    await serve();
    expect(await ask('ATM-1/dispense', 'd-1', DISPENSE)).toEqual(dispensed);
  });

  test('killed while cash is moving, it neither loses nor repeats any: the books agree with the device', { timeout: SLOW }, async () => {
    const { serve, ask, journal } = await setup();
    const [locations, each, lives] = [8, 60, 3];
    let running = await serve();
    for (let n = 0; n < locations; n++) expect((await ask(`L${n}/load`, 'fill', LOAD)).status).toBe(200);
    const told = new Map<string, string>();
    /** One client of one location: each dispense once more after a lost answer, until it is final. */
    const client = async (location: string, from: number) => {
      for (let n = from; n < from + each; n++) {
        const answer = await ask(`${location}/dispense`, `d-${n}`, DISPENSE).catch(() => undefined);
        if (answer === undefined) return;
        if (answer.status === 200) told.set(`${location}/d-${n}`, answer.text);
      }
    };
    for (let life = 0; life < lives; life++) {
      const clients = Array.from({ length: locations }, (_, n) => client(`L${n}`, life * each));
      const goal = told.size + (life + 1) * 50;
      await expect.poll(() => told.size, { timeout: 20_000, interval: 1 }).toBeGreaterThanOrEqual(goal);
      await running.kill('SIGKILL');
      await Promise.all(clients);
      running = await serve();
    }
    for (const [name, text] of told) {
      const [location, id = ''] = name.split('/');
      expect((await ask(`${location}/dispense`, id, DISPENSE)).text).toBe(text);
    }
    // Whatever was never answered, or never sent, is decided now: paid once, or known not to have been paid by what the device says.
    const paid: string[] = [];
    for (let n = 0; n < locations; n++) {
      let count = 0;
      for (let id = 0; id < lives * each; id++) {
        const outcome = JSON.parse((await ask(`L${n}/dispense`, `d-${id}`, DISPENSE)).text) as { readonly status: string };
        expect(outcome).toMatchObject(
          outcome.status === 'done' ? { reply: { amount: 6_000 } } : { status: 'refused', code: 'DEVICE_FAILED' },
        );
        if (outcome.status !== 'done') continue;
        count += 1;
        paid.push(`L${n}/d-${id}`);
      }
      const position = JSON.parse((await ask(`L${n}/position`)).text) as object;
      expect(position).toMatchObject({ cassettes: { USD: { 2000: 5_000 - 3 * count } }, inDoubt: [] });
    }
    const moved = journal().filter((line) => line.kind === 'moved');
    expect(moved.map((line) => `${line.location}/${line.commandId}`).sort()).toEqual(paid.sort());
  });

  test('a second process on the same DATA_DIR is refused with a sentence, and the first one goes on', { timeout: SLOW }, async () => {
    const { serve, ask } = await setup();
    await serve();
    const second = await serve({ HTTP_PORT: String(await freePort()), ADMIN_PORT: String(await freePort()) });
    expect(await second.gone).toBe(78);
    expect(second.out()).toMatch(/DATA_DIR is in use: another process holds \S+locus\.db\. Stop that one, or give this one a DATA_DIR/);
    expect((await ask('ATM-1/load', 'load-1', LOAD)).status).toBe(200);
  });

  test('another partition count than the file was filled with is refused', { timeout: SLOW }, async () => {
    const { serve } = await setup();
    const first = await serve();
    await first.kill('SIGTERM');
    const second = await serve({ COMMANDS_PARTITIONS: '24' });
    expect(await second.gone).toBe(78);
    expect(second.out()).toContain('the store was filled with 12: locations would move to other partitions');
  });

  test('opens its public port before it takes anything up: whoever hears that it is ready finds it, and a port that is taken is told first', {
    timeout: SLOW,
  }, async () => {
    const { http, serve } = await setup();
    const squatter = createServer().listen(http, '127.0.0.1');
    ends.push(async () => squatter.close());
    await once(squatter, 'listening');
    const second = await serve();
    expect(await second.gone).toBe(1);
    expect(second.out()).toContain('EADDRINUSE');
    expect(second.out()).not.toContain('"msg":"assigned"');
  });

  test('shows the events of a location through its admin port, and follows those that come', { timeout: SLOW }, async () => {
    const { serve, ask, locus, tools } = await setup();
    await serve();
    await ask('ATM-1/load', 'load-1', LOAD);
    await ask('ATM-2/load', 'load-1', LOAD);
    await expect
      .poll(async () => (await locus('events', 'cash-location/ATM-1')).out, POLL)
      .toMatch(/^ {4}1 {2}\S+ {2}Loaded {2}load-1 {2}\{.*\}\n$/);
    const child = spawn(process.execPath, [CLI, 'events', 'cash-location/ATM-1', '--after', '1', '--follow', '-o', 'json'], {
      env: tools,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const gone = new Promise((resolve) => child.once('exit', resolve));
    const seen: string[] = [];
    createInterface(child.stdout).on('line', (line) => seen.push((JSON.parse(line) as { type: string }).type));
    await ask('ATM-1/dispense', 'd-1', DISPENSE);
    await expect.poll(() => seen, POLL).toEqual(['cash-location.DispenseIntended', 'cash-location.Dispensed']);
    child.kill('SIGINT');
    expect(await gone).toBe(0);
    expect((await locus('dead-letters', 'ls')).out).toBe('no dead letter is on locus.dead-letters\n');
  });

  test('lists, shows and replays dead letters of the file that it alone can read', { timeout: SLOW }, async () => {
    const { dir, serve, ask, locus } = await setup();
    const first = await serve();
    expect(await first.kill('SIGTERM')).toBe(0);
    // What an older program set aside because it did not know the command, and what nobody knows.
    const file = new EmbeddedFile({ path: join(dir, 'data', 'locus.db'), clock: systemClock, broken: () => {} });
    file.open();
    const topics = ['locus.commands', 'locus.commands.bulk', 'locus.events', 'locus.dead-letters'];
    const log = await EmbeddedLog.open({ file, topics, partitions: 12 });
    const writer = embeddedWriter(log, { events: 'locus.events', deadLetters: 'locus.dead-letters' });
    const time = new Date().toISOString();
    const record = (name: string, commandId: string) =>
      encodeCommand({ address: 'cash-location/ATM-1', name, commandId, input: JSON.parse(LOAD), source: 'test', time });
    const mended = record('load', 'late');
    const headers = { ...mended.headers, dlq_reason: 'COMMAND_UNKNOWN', dlq_topic: 'locus.commands', dlq_timestamp: time };
    await writer.deadLetter({ ...mended, headers });
    await writer.command('locus.commands', record('unheard-of', 'strange'));
    file.close();

    await serve();
    const letters = async (...more: string[]) =>
      (JSON.parse((await locus('dead-letters', 'ls', ...more, '-o', 'json')).out) as { letters: { id: string; error: string }[] }).letters;
    await expect.poll(async () => (await letters()).length, POLL).toBe(2);
    const [known, strange] = await letters('--where', 'key=cash-location/ATM-1');
    expect(strange?.error).toContain('unheard-of');
    expect((await locus('dead-letters', 'show', strange?.id ?? '')).out).toContain('"id":"strange"');
    const sent = await locus('dead-letters', 'replay', known?.id ?? '', '--because', 'the command is known now');
    expect([sent.exit, sent.err, sent.out]).toEqual([0, '', expect.stringMatching(/ sent\n$/)]);
    await expect.poll(async () => (await ask('ATM-1/commands/late')).status, POLL).toBe(200);
    // Twice runs once; what is not mended comes back.
    expect((await locus('dead-letters', 'replay', known?.id ?? '', strange?.id ?? '', '--because', 'again')).exit).toBe(0);
    await expect.poll(async () => (await letters()).length, POLL).toBe(3);
    expect(JSON.parse((await ask('ATM-1/position')).text)).toMatchObject({ cassettes: { USD: { 2000: 5_000 } } });
  });
});
