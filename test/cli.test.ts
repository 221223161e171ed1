/** The compiled command line against replicas whose desk is a fake: what it prints, where, and with which exit code. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../infra/dev/free-port.ts';
import { startAdmin } from '../infra/http/admin.ts';
import { startHttp } from '../infra/http/server.ts';
import type { Desk } from '../src/desk.ts';
import { LocusError } from '../src/errors.ts';
import { DONE, fakeDesk, fakeLog } from './http/fake-desk.ts';

const CLI = fileURLToPath(new URL('../dist/src/cli.js', import.meta.url));
const TOKEN = 'a-token-of-enough-length';
const POLL = { timeout: 20_000, interval: 50 };
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

type Ran = { readonly exit: number | null; readonly out: string; readonly err: string };
function locus(words: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [CLI, ...words], { env: { PATH: process.env.PATH, ...env } }, (_error, out, err) =>
      resolve({ exit: child.exitCode, out, err }),
    );
  });
}

/** A fleet of one, whose addresses the command line finds in its environment. */
async function setup(answers: Partial<Desk> = {}) {
  const { desk, asked } = fakeDesk(answers);
  const { log } = fakeLog();
  const http = await startHttp({ host: '127.0.0.1', port: 0, rateMax: 1_000, desk, log });
  const admin = await startAdmin({ host: '127.0.0.1', port: 0, token: TOKEN, desk, log });
  ends.push(http.stop, admin.stop);
  const env = { LOCUS_URL: http.url, LOCUS_ADMIN_URL: admin.url, ADMIN_TOKEN: TOKEN };
  return { asked, env, run: (...words: string[]) => locus(words, env) };
}
const ACTIONS = ['pause', 'resume', 'unfreeze', 'evict', 'settle', 'accept', 'raise'];
/** A few at a time: each is a process. */
async function inTurns<T, R>(all: readonly T[], run: (one: T) => Promise<R>): Promise<(readonly [T, R])[]> {
  const done: (readonly [T, R])[] = [];
  for (let from = 0; from < all.length; from += 4)
    done.push(...(await Promise.all(all.slice(from, from + 4).map(async (one) => [one, await run(one)] as const))));
  return done;
}
const isOneLine = (text: string) => /^locus: [^\n]+\n$/.test(text);

describe('locus send', () => {
  it('prints the outcome and exits 0', async () => {
    const { run, asked } = await setup();
    const { exit, out, err } = await run('send', 'cash-location/a', 'dispense', '{"amount":60}', '--id', 'c1', '--wait', '3');
    expect([exit, err]).toEqual([0, '']);
    expect(out).toBe('id      c1\nstatus  done\nreply   {"amount":60,"notes":{"2000":3}}\nseq     7\nepoch   3\n');
    expect(asked.submissions).toEqual([
      { address: 'cash-location/a', name: 'dispense', commandId: 'c1', input: { amount: 60 }, waitMs: 3_000 },
    ]);
  });

  it('prints the stored text byte for byte with -o json, and takes {} and a new id when none is given', async () => {
    const { run, asked } = await setup();
    const { out } = await run('send', 'cash-location/a', 'open', '-o', 'json');
    expect(out).toBe(`${DONE}\n`);
    await run('send', 'cash-location/a', 'open');
    const [first, second] = asked.submissions;
    expect(first).toMatchObject({ input: {}, commandId: expect.stringMatching(/^cli-[0-9a-f]{16}$/) });
    expect(second?.commandId).not.toBe(first?.commandId);
  });

  it('exits 1 on a refusal', async () => {
    const text = '{"status":"refused","code":"INSUFFICIENT_CASH","detail":{"available":20},"seq":7}';
    const { run } = await setup({ submit: async () => ({ kind: 'final', status: 'refused', text }) });
    const { exit, out } = await run('send', 'cash-location/a', 'dispense', '{}', '--id', 'c1');
    expect(exit).toBe(1);
    expect(out).toContain('code    INSUFFICIENT_CASH\ndetail  {"available":20}\n');
  });

  it('exits 1 while the outcome is not final, and says how to ask again', async () => {
    const { run } = await setup({ submit: async () => ({ kind: 'waiting', status: 'in-doubt' }) });
    const { exit, out, err } = await run('send', 'cash-location/a', 'dispense', '{}', '--id', 'c1');
    expect([exit, out, err]).toEqual([
      1,
      'id      c1\nstatus  in-doubt\n',
      'locus: not final yet: repeat it with --id c1 to hear its outcome\n',
    ]);
  });

  it('tells a problem in one line, or as it came with -o json', async () => {
    const { run } = await setup({ submit: async () => ({ kind: 'id-reused' }) });
    const words = ['send', 'cash-location/a', 'dispense', '{}', '--id', 'c1'];
    const plain = await run(...words);
    expect([plain.exit, plain.out, isOneLine(plain.err)]).toEqual([1, '', true]);
    expect(plain.err).toContain('locus: ID_REUSED: idempotency-key is "c1"');
    expect(JSON.parse((await run(...words, '-o', 'json')).err)).toMatchObject({ code: 'ID_REUSED', status: 422 });
  });

  it('names the id to repeat with when the command may have been accepted', async () => {
    const { run } = await setup({ submit: () => Promise.reject(new LocusError('LOG_UNACKNOWLEDGED', 'no acknowledgement')) });
    const { exit, err } = await run('send', 'cash-location/a', 'dispense', '{}');
    expect(exit).toBe(1);
    expect(err).toMatch(
      /^locus: LOG_UNACKNOWLEDGED: no acknowledgement; it may have been accepted: repeat it with --id cli-[0-9a-f]{16}\n$/,
    );
  });

  it('says that nobody answers, and that nothing was sent', async () => {
    const { exit, err } = await locus(['send', 'cash-location/a', 'open', '--url', 'http://127.0.0.1:1']);
    expect([exit, isOneLine(err)]).toEqual([1, true]);
    expect(err).toContain('http://127.0.0.1:1 does not answer');
    expect(err).not.toContain('accepted');
  });

  it('does not take another program for a replica', async () => {
    const stranger = createServer((_request, response) => void response.writeHead(500).end('<html>'));
    await new Promise<void>((done) => stranger.listen(0, '127.0.0.1', done));
    ends.push(() => new Promise((done) => void stranger.close(() => done())));
    const url = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
    const { exit, err } = await locus(['send', 'cash-location/a', 'open', '--url', url, '--id', 'c1']);
    expect([exit, err]).toEqual([
      1,
      'locus: answered 500, not as a replica of Locus does; it may have been accepted: repeat it with --id c1\n',
    ]);
  });

  it.each([
    [['send'], "missing required argument 'ADDRESS'"],
    [['send', 'cash-location', 'open'], 'ADDRESS is "cash-location": must be type/id'],
    [['send', 'cash-location/a', 'open', '{amount:60}'], 'JSON is "{amount:60}"'],
    [['send', 'cash-location/a', 'open', '--id', '~op/1'], '--id is "~op/1": must not begin with ~'],
    [['send', 'cash-location/a', 'open', '--id', 'a b'], '--id is "a b": must be 1 to 128'],
    [['send', 'cash-location/a', 'open', '--wait', '61'], 'must be a whole number from 0 to 60'],
    [['send', 'cash-location/a', 'open', '--url', 'replica'], 'must be an http:// or https:// URL'],
    [['send', 'cash-location/a', 'open', '-o', 'xml'], 'Allowed choices are text, json'],
    [['pause', 'cash-location/a'], "required option '--because <reason>' not specified"],
    [['settle', 'cash-location/a', 'c1', '{x', '--because', 'y'], 'EVIDENCE is "{x"'],
    [['accept', 'locus.commands', 'x', '--because', 'y'], 'PARTITION is "x": must be a number'],
    [['events', 'cash-location/a', '--after', '-1'], 'must be a whole number from 0'],
    [['dead-letters', 'replay', '--max', '0'], 'must be a whole number from 1 to 10000'],
    [['dead-letters', 'replay', '0:1'], "required option '--because <reason>' not specified"],
    [['dead-letters', 'replay', '0-1', '--because', 'y'], 'ID is "0-1": must be partition:offset'],
    [['dead-letters', 'ls', '--where', 'colour=red'], '--where is "colour=red": must be one of'],
    [['locations', '--limit', '0'], 'must be a whole number from 1 to 1000'],
    [['parked', 'drop', 'cash-location/a', 'c1'], "required option '--because <reason>' not specified"],
    [['device', '--latency', '50..5'], 'must be a number of milliseconds or a range such as 5..50'],
    [['device', '--lost-replies', '2'], 'must be a share from 0 to 1'],
    [['demo', '--rol'], "unknown option '--rol'"],
    [['sned'], 'Did you mean send?'],
    [['locations', '--nope'], "unknown option '--nope' (see locus locations --help)"],
  ])('wrong use is one line and exit 2: %j', async (words, told) => {
    const { exit, out, err } = await locus(words);
    expect([exit, out, isOneLine(err)]).toEqual([2, '', true]);
    expect(err).toContain(told);
  });
});

describe('locus locations', () => {
  const rows = [
    { address: 'cash-location/a', phase: 'active', partition: 11, epoch: 3, seq: 41, waiting: 0, leaseLeftMs: 8_400 },
    { address: 'cash-location/branch-7', phase: 'active', partition: 2, epoch: 4_294_967_297, seq: 7, waiting: 12, inDoubt: 'c9' },
  ];

  it('prints a table', async () => {
    const { run, asked } = await setup({ locations: () => rows });
    const { exit, out } = await run('locations', '--stuck', '--limit', '7');
    expect(exit).toBe(0);
    expect(out).toBe(
      [
        'ADDRESS                 PHASE   PARTITION       EPOCH  SEQ  WAITING  LEASE LEFT  HELD BY  IN DOUBT',
        'cash-location/a         active         11           3   41        0  8.4 s       -        -',
        'cash-location/branch-7  active          2  4294967297    7       12  -           -        c9',
        '',
      ].join('\n'),
    );
    expect(asked.filters).toEqual([{ stuck: true, limit: 7 }]);
  });

  it('says so when there are none, or more than asked for', async () => {
    const none = await setup({ locations: () => [] });
    expect((await none.run('locations', '--stuck')).out).toBe('no stuck location in the memory of this replica\n');
    const many = await setup({ locations: () => rows });
    expect((await many.run('locations', '--limit', '2')).err).toBe('locus: only the first 2: see --limit\n');
  });

  it('needs the token', async () => {
    const { env } = await setup();
    const { exit, err } = await locus(['locations'], { ...env, ADMIN_TOKEN: 'another-token-of-length' });
    expect([exit, err]).toEqual([1, 'locus: UNAUTHORIZED: send Authorization: Bearer with ADMIN_TOKEN\n']);
  });
});

it('locus location prints one field a line, or the JSON', async () => {
  const state = {
    open: true,
    cash: { USD: 1_000_000 },
    cassettes: { USD: { 2000: 500, 5000: 200, 10000: 300 } },
    inDoubt: [{ commandId: 'c9' }],
  };
  const { run } = await setup({ location: async (address) => ({ address, seq: 7, owner: 'replica-0/3', state, parked: null }) });
  const { exit, out } = await run('location', 'cash-location/a');
  expect(exit).toBe(0);
  expect(out).toMatch(/^address {2}cash-location\/a\nseq {6}7\nowner {4}replica-0\/3\nstate {4}\{\n {11}"open": true,\n/);
  expect(out).not.toContain('parked');
  expect(JSON.parse((await run('location', 'cash-location/a', '-o', 'json')).out)).toMatchObject({ seq: 7, state });
});

describe('locus parked', () => {
  const row = {
    address: 'cash-location/a',
    commandId: 'c1',
    command: 'dispense',
    input: { amount: 1 },
    error: 'boom',
    attempts: 5,
    since: '2026-01-31T12:00:00.000Z',
  };

  it('lists and shows what is parked', async () => {
    const { run } = await setup({ parked: async () => [row] });
    expect((await run('parked', 'ls')).out).toBe(
      [
        'ADDRESS          COMMAND ID  COMMAND   ATTEMPTS  SINCE                     ERROR',
        'cash-location/a  c1          dispense         5  2026-01-31T12:00:00.000Z  boom',
        '',
      ].join('\n'),
    );
    expect((await run('parked', 'show', 'cash-location/a')).out).toContain('input      {"amount":1}\n');
    const none = await run('parked', 'show', 'cash-location/b');
    expect([none.exit, none.err]).toEqual([1, 'locus: nothing is parked at cash-location/b\n']);
  });

  it.each(['replay', 'drop'] as const)('can %s it, with a reason and a key', async (verb) => {
    const { run, asked } = await setup();
    const { exit, out } = await run('parked', verb, 'cash-location/a', 'c1', '--because', 'seen by hand', '--key', 'k1');
    expect([exit, asked.acts]).toEqual([
      0,
      [{ address: 'cash-location/a', action: { verb, key: 'k1', commandId: 'c1', because: 'seen by hand' }, forwarded: false }],
    ]);
    expect(out).toContain('status  done\n');
  });

  it('says with which key to repeat an action that may have been done', async () => {
    const { run } = await setup({ act: async () => ({ kind: 'refused', code: 'OWNER_UNREACHABLE', why: 'the owner did not answer' }) });
    const { exit, err } = await run('parked', 'drop', 'cash-location/a', 'c1', '--because', 'x', '--key', 'k1');
    expect([exit, err]).toEqual([1, 'locus: OWNER_UNREACHABLE: the owner did not answer; repeat it with --key k1\n']);
  });
});

describe("an operator's action", () => {
  const because = ['--because', 'counted by hand', '--key', 'k1'];

  it.each(['pause', 'resume', 'unfreeze', 'evict'] as const)('locus %s names the location, the reason and the key', async (verb) => {
    const { run, asked } = await setup();
    const { exit, out } = await run(verb, 'cash-location/a', ...because);
    expect([exit, asked.acts]).toEqual([
      0,
      [{ address: 'cash-location/a', action: { verb, key: 'k1', because: 'counted by hand' }, forwarded: false }],
    ]);
    expect(out).toContain('status  done\n');
  });

  it('locus settle hands on the evidence', async () => {
    const { run, asked } = await setup();
    const evidence = { status: 'failed', code: 'NEVER_DISPENSED' };
    const { exit, out } = await run('settle', 'cash-location/a', 'c1', JSON.stringify(evidence), ...because, '-o', 'json');
    expect([exit, asked.acts[0]?.action]).toEqual([
      0,
      { verb: 'settle', key: 'k1', commandId: 'c1', because: 'counted by hand', evidence },
    ]);
    expect(JSON.parse(out)).toMatchObject({ status: 'done' });
  });

  it('locus accept names the partition, and locus raise asks for another generation', async () => {
    const raised: string[] = [];
    const { run, asked } = await setup({
      raiseGeneration: async (reason) => {
        raised.push(reason);
        return { kind: 'acted', text: '{"generation":"2:ab"}' };
      },
    });
    expect((await run('accept', 'locus.commands', '3', ...because)).exit).toBe(0);
    expect(asked.accepted).toEqual([{ topic: 'locus.commands', partition: 3, because: 'counted by hand' }]);
    expect((await run('raise', ...because)).out).toBe('generation  2:ab\n');
    expect(raised).toEqual(['counted by hand']);
  });

  it('exits 1 with the reason when it is refused', async () => {
    const { run } = await setup({ act: async () => ({ kind: 'refused', code: 'CONFLICT', why: 'the location is not frozen' }) });
    const { exit, out, err } = await run('unfreeze', 'cash-location/a', ...because);
    expect([exit, out, err]).toEqual([1, '', 'locus: CONFLICT: the location is not frozen\n']);
  });

  it('locus partitions lists what is refused', async () => {
    const { run } = await setup();
    const { exit, out } = await run('partitions');
    expect([exit, out]).toEqual([0, 'TOPIC           PARTITION  CODE    WHY\nlocus.commands          3  CANARY  another life\n']);
    expect(JSON.parse((await run('partitions', '-o', 'json')).out)).toMatchObject({ refused: [{ partition: 3 }] });
    const none = await setup({ refusedPartitions: () => [] });
    expect((await none.run('partitions')).out).toBe('this replica refuses no partition\n');
  });

  it('reads the token from a file as a replica does', async () => {
    const { env } = await setup();
    const dir = await mkdtemp(join(tmpdir(), 'locus-cli-'));
    ends.push(() => rm(dir, { recursive: true }));
    await writeFile(join(dir, 'token'), `${TOKEN}\n`);
    const { ADMIN_TOKEN: _, ...rest } = env;
    expect((await locus(['partitions'], { ...rest, ADMIN_TOKEN_FILE: join(dir, 'token') })).exit).toBe(0);
    expect((await locus(['partitions'], { ...rest, ADMIN_TOKEN: 'short' })).exit).toBe(78);
  });
});

describe('locus doctor', () => {
  it('exits 78 when the configuration itself is wrong, before it looks at anything', async () => {
    const { exit, out, err } = await locus(['doctor'], { KAFKA_BROKERS: 'kafka', HTTP_PORT: 'eighty' });
    expect([exit, out]).toEqual([78, '']);
    expect(err).toContain('locus: KAFKA_BROKERS is "kafka": must be host:port');
    expect(err).toContain('locus: HTTP_PORT is "eighty"');
  });

  it('looks at an embedded replica before it runs and while it does: folder, disk, file and ports', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'locus-cli-'));
    ends.push(() => rm(dir, { recursive: true }));
    const [http, admin] = [await freePort(), await freePort()];
    const env = { DATA_DIR: join(dir, 'data'), HTTP_PORT: String(http), ADMIN_PORT: String(admin) };
    const before = await locus(['doctor'], env);
    expect([before.exit, before.err]).toEqual([0, '']);
    expect(before.out).toContain('not there yet: the first start makes it');
    expect(before.out).toMatch(/^ok +file +\S+locus\.db +nobody holds it$/m);
    expect(before.out).toMatch(new RegExp(`^ok +port +127\\.0\\.0\\.1:${http} +free$`, 'm'));
    expect(before.out).toMatch(/^ok +disk +\S+ +\d+ MB free$/m);

    // While it runs: its file is held and its ports are taken, which is as it should be.
    const child = spawn(process.execPath, [CLI, 'serve'], { env: { PATH: process.env.PATH, ...env }, stdio: 'ignore' });
    const exited = new Promise<number | null>((resolve) => void child.on('exit', resolve));
    ends.push(async () => void child.kill('SIGKILL'));
    await expect.poll(async () => (await fetch(`http://127.0.0.1:${http}/openapi.json`).catch(() => undefined))?.status, POLL).toBe(200);
    const during = await locus(['doctor'], env);
    expect(during.exit).toBe(0);
    expect(during.out).toMatch(new RegExp(`^ok +file +\\S+locus\\.db +held by process ${child.pid}: `, 'm'));
    expect(during.out.match(/in use, as it is while the program runs/g)).toHaveLength(2);
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect((await locus(['doctor'], env)).out).toContain('nobody holds it');
  }, 30_000);

  it('tells an embedded replica that its folder is none and that a port of it is taken', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'locus-cli-'));
    ends.push(() => rm(dir, { recursive: true }));
    const { env } = await setup();
    await writeFile(join(dir, 'taken'), '');
    const port = new URL(env.LOCUS_URL).port;
    const { exit, out } = await locus(['doctor'], { DATA_DIR: join(dir, 'taken', 'data'), HTTP_PORT: port });
    expect(exit).toBe(1);
    expect(out).toMatch(/^wrong +folder .*: give DATA_DIR a folder that this user may write to$/m);
    expect(out).toMatch(/^wrong +port .*EADDRINUSE.*: stop what listens there, or set HTTP_PORT$/m);
  });

  it('exits 1 with one line for each thing that does not answer', async () => {
    const urls = { REDIS_URL: 'redis://127.0.0.1:1', DEVICE_URL: 'http://127.0.0.1:1' };
    const locks = ['redis://127.0.0.1:2', 'redis://127.0.0.1:3', 'redis://127.0.0.1:4'].join(',');
    const { exit, out, err } = await locus(['doctor'], { KAFKA_BROKERS: '127.0.0.1:1', LOCK_REDIS_URLS: locks, ...urls });
    expect([exit, err]).toEqual([1, '']);
    const wrong = out.split('\n').filter((line) => line.startsWith('wrong'));
    expect(wrong.every((line) => line.includes('ECONNREFUSED') && line.includes('see that it runs'))).toBe(true);
    const locked = Array.from({ length: 3 }, () => 'LOCK_REDIS_URLS');
    expect(wrong.map((line) => /\((\w+)\)$/.exec(line)?.[1])).toEqual(['KAFKA_BROKERS', 'REDIS_URL', ...locked, 'DEVICE_URL']);
  });
});

describe('what lies on the topics', () => {
  const letter = { id: '3:71', reason: 'JSON_INVALID', error: 'body is no JSON', attempts: '1', topic: 'locus.commands', partition: '2' };
  const row = { ...letter, offset: '9', key: null, appended: '', failed: '2026-01-31T12:00:00.000Z', at: '2026-01-31T12:00:00.000Z' };

  it('locus events prints one a line, asked of a replica', async () => {
    const event = { type: 'cash-location.Opened', time: '2026-01-31T12:00:00.000Z', locusseq: 8, locuscommand: 'c1', data: {} };
    const { run } = await setup({ events: async () => ({ topic: 'locus.events', events: [event], strange: [], next: 9, more: false }) });
    const { exit, out, err } = await run('events', 'cash-location/a', '--after', '7');
    expect([exit, out, err]).toEqual([0, '    8  2026-01-31T12:00:00.000Z  Opened  c1  {}\n', '']);
    expect((await run('events', 'cash-location/a', '--after', '7', '-o', 'json')).out).toBe(`${JSON.stringify(event)}\n`);
  });

  it('locus dead-letters lists, shows and replays, asked of a replica', async () => {
    const replayed: unknown[] = [];
    const { run } = await setup({
      letters: async () => ({ topic: 'locus.dead-letters', letters: [row] }),
      letter: async () => ({ ...row, headers: { ce_id: 'c1' }, value: '{' }),
      replayLetter: async (...all) => {
        replayed.push(all);
        return { kind: 'acted', text: JSON.stringify({ ...row, result: 'sent' }) };
      },
    });
    expect((await run('dead-letters', 'ls')).out).toBe(
      [
        'ID    REASON        KEY  FROM                FAILED',
        '3:71  JSON_INVALID  -    locus.commands/2@9  2026-01-31T12:00:00.000Z',
        '',
      ].join('\n'),
    );
    expect((await run('dead-letters', 'show', '3:71')).out).toContain('value      {\n');
    const sent = await run('dead-letters', 'replay', '3:71', '--because', 'mended', '--never-ran');
    expect([sent.exit, sent.out]).toEqual([0, expect.stringMatching(/^3:71 +JSON_INVALID +- +sent$/m)]);
    expect(replayed).toEqual([
      [
        { partition: 3, offset: 71 },
        { because: 'mended', neverRan: true, dryRun: false },
      ],
    ]);
  });

  it('exits 1 with the reason when a letter must not be sent, or the log is away', async () => {
    const { run } = await setup({
      replayLetter: async () => ({ kind: 'refused', code: 'CONFLICT', why: 'it came from payments' }),
      letters: () => Promise.reject(new LocusError('LOG_DOWN', 'locus.dead-letters cannot be read: connect ECONNREFUSED')),
    });
    const refused = await run('dead-letters', 'replay', '3:71', '--because', 'mended');
    expect([refused.exit, refused.out]).toEqual([1, expect.stringContaining('refused: it came from payments')]);
    const away = await run('dead-letters', 'ls');
    expect([away.exit, away.err]).toEqual([1, 'locus: LOG_DOWN: locus.dead-letters cannot be read: connect ECONNREFUSED\n']);
  });

  it.each([[['events', 'cash-location/a']], [['dead-letters', 'ls']], [['dead-letters', 'show', '0:1']]])(
    'exits 1 with a line that says where nobody answers, 78 when that is no URL: %j',
    async (words) => {
      const { exit, out, err } = await locus(words, { LOCUS_ADMIN_URL: 'http://127.0.0.1:1' });
      expect([exit, out, isOneLine(err)]).toEqual([1, '', true]);
      expect(err).toContain('http://127.0.0.1:1 does not answer');
      expect((await locus(words, { LOCUS_ADMIN_URL: 'replica' })).exit).toBe(78);
    },
  );
});

describe('locus', () => {
  it('has help for every command, on standard output with exit 0', async () => {
    const groups = { parked: ['ls', 'show', 'replay', 'drop'], 'dead-letters': ['ls', 'show', 'replay'] };
    const singles = [...'serve send locations location partitions events doctor device demo'.split(' '), ...ACTIONS];
    const deep = Object.entries(groups).flatMap(([group, verbs]) => [[group], ...verbs.map((verb) => [group, verb])]);
    const every = [[], ...singles.map((it) => [it]), ...deep];
    const ran = await inTurns(every, (words) => locus([...words, '--help']));
    for (const [words, { exit, out, err }] of ran) {
      expect([words, exit, err]).toEqual([words, 0, '']);
      expect(out).toContain(`Usage: locus ${words.join(' ')}`.trim());
      const isGroup = words.length === 0 || (words.length === 1 && Object.hasOwn(groups, words[0] ?? ''));
      expect([words, isGroup || out.includes('-o, --output <format>')]).toEqual([words, true]);
    }
    // Nobody adds a command without adding it here.
    const listed = [...(ran[0]?.[1].out ?? '').matchAll(/^ {2}([a-z-]+) /gm)].map(([, name]) => name);
    expect(listed.sort()).toEqual([...singles, ...Object.keys(groups)].sort());
  }, 30_000);

  it('lists every variable in the help of serve', async () => {
    const { out } = await locus(['serve', '--help']);
    expect(out).toContain('LEASE_TTL_MS (10000)\n');
    expect(out).toContain('ADMIN_TOKEN (none: only loopback may call; or the file that ADMIN_TOKEN_FILE names)');
  });

  it('says its version', async () => {
    const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
    expect((await locus(['--version'])).out).toBe(`${version}\n`);
  });

  it('serve tells every fault of the configuration, one a line, and exits 78', async () => {
    const { exit, out, err } = await locus(['serve'], { HTTP_PORT: 'eighty', DURABILITY: 'journal', REDIS_URL: 'redis://store' });
    expect([exit, out]).toEqual([78, '']);
    const lines = err.trimEnd().split('\n');
    expect(lines.every((line) => line.startsWith('locus: '))).toBe(true);
    expect(lines).toContain('locus: HTTP_PORT is "eighty": must be a whole number from 1 to 65535');
    expect(err).toContain('DURABILITY is "journal": journal is not there yet');
    expect(err).toContain('KAFKA_BROKERS is not set');
  });

  it('exits 78 when the URL in its environment is none', async () => {
    const { exit, err } = await locus(['send', 'cash-location/a', 'open'], { LOCUS_URL: 'replica' });
    expect([exit, err]).toEqual([78, 'locus: LOCUS_URL is "replica": must be an http:// or https:// URL\n']);
  });
});

it('locus device answers as a gateway until it is told to stop', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'locus-cli-'));
  ends.push(() => rm(dir, { recursive: true }));
  const child = spawn(process.execPath, [CLI, 'device', '--port', '0', '--journal', join(dir, 'device.journal'), '--jam', '1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<number | null>((resolve) => void child.on('exit', resolve));
  ends.push(async () => void child.kill('SIGKILL'));
  const line = await new Promise<string>((resolve) => void createInterface(child.stdout).once('line', resolve));
  const url = /^device gateway at (http:\S+), journal /.exec(line)?.[1];
  const answer = await fetch(`${url}/a/dispense`, {
    method: 'POST',
    body: JSON.stringify({ commandId: 'c1', currency: 'USD', notes: { 2000: 3 }, fence: { epoch: 1, seq: 1 } }),
  });
  expect(await answer.json()).toMatchObject({ status: 'failed' });
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
});
