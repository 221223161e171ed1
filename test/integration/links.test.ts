/** The links to Kafka and Redis: TLS, users of few rights, and what an operator is told when one of them is refused. */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../infra/dev/free-port.ts';
import { redisLeaseStore } from '../../infra/redis/lease-store.ts';
import { redisNotices } from '../../infra/redis/notices.ts';
import { redisStateStore } from '../../infra/redis/state-store.ts';
import { systemClock } from '../../src/clock.ts';
import { systemRandom } from '../../src/random.ts';
import { quiet } from '../contract/quiet.ts';
import { type Device, startDevice } from './device.ts';
import { type Certificates, certificates, grantsOf, type SecureKafka, type SecureRedis, secureKafka, secureRedis } from './secure.ts';
import { until } from './until.ts';

/** With all that must be escaped somewhere on the way. */
const SECRETS = {
  kafka: 'k@fka:9/%41 #pw',
  redis: 'red!s@:/?#%20pw',
  lock: 'l0ck=&+pw-secret',
  token: 'an-admin-token-of-length',
  wrong: 'wr0ng-p@ss',
};
/** Known to PLAIN, with what they send. */
const USERS = { locus: SECRETS.kafka, mute: SECRETS.kafka, halfway: SECRETS.kafka };
const SESSION_MS = 6_000;

let dir: string;
let certs: Certificates;
let kafka: SecureKafka;
let store: SecureRedis;
let lock: SecureRedis;
let device: Device;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'locus-links-'));
  certs = certificates(dir);
  [kafka, store, lock] = await Promise.all([
    secureKafka(join(dir, 'kafka'), certs, USERS),
    secureRedis(join(dir, 'store'), certs, 'store', SECRETS.redis),
    secureRedis(join(dir, 'lock'), certs, 'lock', SECRETS.lock),
  ]);
  device = await startDevice(dir, []);
  await Promise.all([kafka.grant('locus'), kafka.grant('halfway', /events|--group|--cluster/)]);
});

const running = new Set<Awaited<ReturnType<typeof serve>>>();
/** All that any process here has written. */
let said = '';
afterEach(async () => {
  await Promise.all(
    [...running].map((one) => {
      one.kill('SIGKILL');
      return one.gone;
    }),
  );
  running.clear();
});
afterAll(async () => {
  await Promise.all([kafka?.stop(), store?.stop(), lock?.stop(), device?.stop()]);
  rmSync(dir, { recursive: true, force: true });
});

const file = (name: string, text: string): string => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};
const environment = (): Record<string, string> => ({
  KAFKA_BROKERS: kafka.brokers,
  KAFKA_SSL: 'true',
  KAFKA_SSL_CA: certs.ca,
  KAFKA_SASL_MECHANISM: 'PLAIN',
  KAFKA_SASL_USERNAME: 'locus',
  KAFKA_SASL_PASSWORD: SECRETS.kafka,
  REDIS_URL: store.url('locus', SECRETS.redis),
  LOCK_REDIS_URLS: lock.url('locus', SECRETS.lock),
  REDIS_SSL_CA: certs.ca,
  ADMIN_TOKEN: SECRETS.token,
  COMMANDS_PARTITIONS: '3',
  LEASE_TTL_MS: '3000',
  SESSION_TIMEOUT_MS: String(SESSION_MS),
  LOG_LEVEL: 'debug',
});

/** A replica as a process; `bent` replaces variables, an empty one unsets. */
async function serve(id: string, bent: Readonly<Record<string, string>> = {}) {
  const [http, admin] = [await freePort(), await freePort()];
  const own = { PATH: process.env.PATH ?? '', REPLICA_ID: id, HTTP_PORT: String(http), ADMIN_PORT: String(admin) };
  const env = { ...own, ...environment(), ...bent };
  const child = spawn(process.execPath, ['dist/src/cli.js', 'serve'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      said += text;
    });
  // 'close' comes when all output was read.
  const gone = new Promise<number | string>((resolve) => child.once('close', (code, signal) => resolve(code ?? signal ?? 'gone')));
  const one = {
    gone,
    admin: `http://127.0.0.1:${admin}`,
    kill: (signal: NodeJS.Signals) => void child.kill(signal),
    output: () => output,
    /** What stands in the line that says why it does not start. */
    refusals: () => [...output.matchAll(/^\{.*"msg":"cannot start"\}$/gm)].map(([line]) => (JSON.parse(line) as { why: string }).why),
    async readyz() {
      const answer = await fetch(`http://127.0.0.1:${admin}/readyz`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
      return answer === undefined ? 'no answer' : `${answer.status} ${(await answer.text()).trim()}`;
    },
    async load(location: string, commandId: string) {
      const answer = await fetch(`http://127.0.0.1:${http}/v1/cash-location/${location}/load`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': commandId },
        body: JSON.stringify({ currency: 'USD', cassettes: [{ denomination: 2000, count: 1 }] }),
      });
      return ((await answer.json()) as { status?: unknown }).status;
    },
  };
  running.add(one);
  return one;
}
async function ready(one: Awaited<ReturnType<typeof serve>>): Promise<void> {
  const ended = one.gone.then((code) => {
    throw new Error(`ended with ${code} before it was ready: ${one.output().slice(-3_000)}`);
  });
  await Promise.race([until('it is ready', async () => (await one.readyz()) === '200 ok', 30_000), ended]);
}

/** One command of the command line, with the environment of a replica. */
function locus(words: readonly string[], bent: Readonly<Record<string, string>> = {}) {
  const env = { PATH: process.env.PATH ?? '', DEVICE_URL: device.url, ...environment(), ...bent };
  return new Promise<{ exit: number | null; out: string; err: string }>((resolve) => {
    const child = execFile(process.execPath, ['dist/src/cli.js', ...words], { env }, (_error, out, err) => {
      said += out + err;
      resolve({ exit: child.exitCode, out, err });
    });
  });
}
/** Lines of docs/links.md that a replica does without, once its topics are there. */
const BEYOND = /User:locus --operation (Read|DescribeConfigs) --topic|doctor-|--cluster/;
/** Waits until `/readyz` says it. */
const telling = (one: Awaited<ReturnType<typeof serve>>) => (what: RegExp) =>
  until(`readyz tells ${what}`, async () => what.test(await one.readyz()), 30_000).catch(async (error: unknown) => {
    throw new Error(`it told ${await one.readyz()}`, { cause: error });
  });

describe('the links', () => {
  it('carry a fleet whose replicas come by PLAIN and by both SCRAMs, with the rights of docs/links.md and secrets from files', async () => {
    const fromFiles = {
      KAFKA_SASL_PASSWORD: '',
      KAFKA_SASL_PASSWORD_FILE: file('kafka-password', `${SECRETS.kafka}\n`),
      REDIS_URL: '',
      REDIS_URL_FILE: file('redis-url', `${store.url('locus', SECRETS.redis)}\r\n`),
      LOCK_REDIS_URLS: '',
      LOCK_REDIS_URLS_FILE: file('lock-urls', lock.url('locus', SECRETS.lock)),
      ADMIN_TOKEN: '',
      ADMIN_TOKEN_FILE: file('token', `${SECRETS.token}\n`),
      KAFKA_SSL_CA: readFileSync(certs.ca, 'utf8'),
      REDIS_SSL_CA: '',
      REDIS_SSL_CA_FILE: certs.ca,
    };
    await kafka.revoke('locus', /--cluster/);
    const early = await serve('a');
    expect(await early.gone, early.output()).toBe(78);
    expect(early.refusals()).toEqual([
      expect.stringContaining("ACL of Kafka's topic locus.dead-letters is without Create for User:locus: "),
    ]);
    await kafka.grant('locus');
    const first = await serve('a', fromFiles);
    await ready(first);
    // The topics are there now: nobody may create any more.
    await kafka.revoke('locus', /--cluster/);
    const others = [
      await serve('b', { KAFKA_SASL_MECHANISM: 'SCRAM-SHA-256' }),
      await serve('c', { KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512' }),
    ];
    await Promise.all(others.map(ready));
    const fleet = [first, ...others];
    const answers = await Promise.all(fleet.flatMap((one, n) => [0, 1, 2, 3].map((m) => one.load(`L${m}`, `c-${n}-${m}`))));
    expect(answers).toEqual(Array.from({ length: 12 }, () => 'done'));
    for (const one of fleet) one.kill('SIGTERM');
    expect(await Promise.all(fleet.map((one) => one.gone))).toEqual([0, 0, 0]);
    expect(fleet.map((one) => one.output().match(/_AUTHORIZATION_FAILED|[Nn]ot authorized|NOPERM/g))).toEqual([null, null, null]);
  });

  const everything = () => ({ other: certs.otherCa, password: file('wrong-password', `${SECRETS.wrong}\n`) });
  type Case = [what: string, bent: () => Record<string, string>, ...told: RegExp[]];
  it.each<Case>([
    [
      'the broker by a CA of another name',
      () => ({ KAFKA_SSL_CA: everything().other }),
      /KAFKA_SSL_CA=\S+other-ca.pem is not the CA of the Kafka broker at 127\.0\.0\.1:\d+: set it/,
    ],
    [
      'the broker by no CA',
      () => ({ KAFKA_SSL_CA: '' }),
      /KAFKA_SSL_CA is not set, and no CA that Node trusts signed the certificate of the Kafka broker/,
    ],
    [
      'the broker by another name',
      () => ({ KAFKA_BROKERS: kafka.brokers.replace('127.0.0.1', 'localhost') }),
      /KAFKA_BROKERS is not the name in the certificate of .* localhost\S* is not/,
    ],
    [
      'a PLAIN password',
      () => ({ KAFKA_SASL_PASSWORD: SECRETS.wrong }),
      /^KAFKA_SASL_PASSWORD is refused by the Kafka broker at \S+ for user locus \(PLAIN\): write the password/,
    ],
    [
      'a SCRAM password from a file',
      () => ({ KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512', KAFKA_SASL_PASSWORD: '', KAFKA_SASL_PASSWORD_FILE: everything().password }),
      /^KAFKA_SASL_PASSWORD_FILE=\S+wrong-password is refused by the Kafka broker at \S+ for user locus \(SCRAM-SHA-512\)/,
    ],
    [
      'a user without any ACL',
      () => ({ KAFKA_SASL_USERNAME: 'mute' }),
      /topic locus\.commands is without Read, Write, DescribeConfigs for User:mute: kafka-acls\.sh --add --allow-principal User:mute --operation Read/,
      /topic locus\.commands\.bulk is without Read, Write, DescribeConfigs for User:mute/,
      /topic locus\.events is without Write/,
      /topic locus\.dead-letters is without Write/,
      /group locus is without Read for User:mute: kafka-acls\.sh --add --allow-principal User:mute --operation Read --group locus/,
    ],
    [
      'a user who lacks the group and one topic',
      () => ({ KAFKA_SASL_USERNAME: 'halfway' }),
      /^ACL of Kafka's topic locus\.events is without Write for User:halfway: \S+ --add --allow-principal User:halfway --operation Write --topic locus\.events; ACL of Kafka's group locus is without Read for User:halfway: [^;]*$/,
    ],
    [
      'the store by another CA',
      () => ({ REDIS_SSL_CA: everything().other }),
      /REDIS_SSL_CA=\S+other-ca\.pem is not the CA of Redis at 127\.0\.0\.1:\d+/,
    ],
    [
      'the password of the store',
      () => ({ REDIS_URL: store.url('locus', SECRETS.wrong) }),
      /^REDIS_URL is refused by Redis at 127\.0\.0\.1:\d+ for user locus \(WRONGPASS\): write the password/,
    ],
    [
      'the password of a lock node',
      () => ({ LOCK_REDIS_URLS: lock.url('locus', SECRETS.wrong) }),
      /^LOCK_REDIS_URLS is refused by Redis at 127\.0\.0\.1:\d+ for user locus/,
    ],
    [
      'a missing database right',
      () => ({ REDIS_URL: `${store.url('locus', SECRETS.redis)}/1` }),
      /^REDIS_URL .*is not allowed \+select: grant it there: ACL SETUSER locus \+select/,
    ],
    [
      'two of them, which are told at once',
      () => ({ KAFKA_SASL_PASSWORD: SECRETS.wrong, REDIS_URL: store.url('nobody', SECRETS.wrong) }),
      /KAFKA_SASL_PASSWORD is refused .*; REDIS_URL is refused by .* for user nobody/,
    ],
  ])('refused for %s: one line, and exit 78', async (_what, bent, ...told) => {
    const one = await serve('refused', bent());
    expect(await one.gone).toBe(78);
    const [why = '', ...more] = one.refusals();
    expect(more).toEqual([]);
    for (const rule of told) expect(why).toMatch(rule);
  });

  it('refused by a Redis that asks for certificates of its clients, as it does unless told: one line, and exit 78', async () => {
    await store.tell('CONFIG', 'SET', 'tls-auth-clients', 'yes');
    const one = await serve('refused');
    expect(await one.gone).toBe(78);
    expect(one.refusals()).toEqual([
      expect.stringMatching(/^TLS is refused by Redis at 127\.0\.0\.1:\d+: it must not ask for a certificate/),
    ]);
    await store.tell('CONFIG', 'SET', 'tls-auth-clients', 'no');
  });

  it.each<[what: string, bent: () => Record<string, string>, told: RegExp]>([
    ['KAFKA_SSL is unset', () => ({ KAFKA_SSL: '', KAFKA_SSL_CA: '' }), /cannot be reached.*perhaps that listener asks for KAFKA_SSL=true/],
    [
      'SASL is unset',
      () => ({ KAFKA_SASL_MECHANISM: '', KAFKA_SASL_USERNAME: '', KAFKA_SASL_PASSWORD: '' }),
      /perhaps that listener asks for KAFKA_SASL_MECHANISM/,
    ],
    ['the listener has no TLS', () => ({ KAFKA_BROKERS: kafka.server.brokers }), /perhaps that listener does not speak TLS: see KAFKA_SSL/],
    [
      'the store has TLS only there',
      () => ({ REDIS_URL: store.url('locus', SECRETS.redis).replace('rediss:', 'redis:') }),
      /REDIS_URL should begin with rediss:/,
    ],
    [
      'the store has no TLS',
      () => ({ REDIS_URL: `rediss://locus:${encodeURIComponent(SECRETS.redis)}@${new URL(store.server.url).host}` }),
      /REDIS_URL should begin with redis:/,
    ],
  ])('guess aloud when a server hangs up without a word: %s', async (_what, bent, told) => {
    const one = await serve('guess', bent());
    expect(await one.gone).toBe(1);
    expect(one.refusals()).toEqual([expect.stringMatching(told)]);
  });

  it('say in /readyz what is refused later, and carry on when it is mended', async () => {
    const one = await serve('later');
    await ready(one);
    const tells = telling(one);

    // The store: its password is rotated, then a right is taken away.
    await store.user('locus', SECRETS.wrong);
    await store.tell('CLIENT', 'KILL', 'USER', 'locus');
    await tells(/^503 the state store is not reachable: REDIS_URL is refused by Redis at 127.* for user locus \(WRONGPASS\)/);
    await store.user('locus', SECRETS.redis);
    await ready(one);
    await store.user('locus', SECRETS.redis, ['+hset']);
    // Found out by the first that needs it, which waits meanwhile.
    const waits = one.load('L8', 'meanwhile');
    await tells(/^503 the state store is not reachable: REDIS_URL .*is not allowed \+hset: grant it there: ACL SETUSER locus \+hset/);
    await store.user('locus', SECRETS.redis);
    await ready(one);
    await waits;
    expect(await one.load('L8', 'meanwhile')).toBe('done');

    // The broker: a right is taken away, and given back.
    await kafka.revoke('locus', /--group/);
    await tells(
      /^503 not in the consumer group: .*group locus is without Read for User:locus: \S+ --add --allow-principal User:locus \S+ Read --group locus/,
    );
    await kafka.grant('locus');
    await ready(one);

    // The broker: gone, then back with another password, then with the right one.
    await kafka.server.stop();
    await tells(/^503 not in the consumer group: .*: .*ECONNREFUSED/);
    kafka.passwords({ locus: SECRETS.wrong });
    await kafka.server.restart();
    await tells(/^503 not in the consumer group: .*: KAFKA_SASL_PASSWORD is refused by the Kafka broker at \S+ for user locus \(PLAIN\)/);
    kafka.passwords(USERS);
    await kafka.server.restart();
    await ready(one);
    expect(await one.load('L9', 'after-all')).toBe('done');
  });

  it('are looked at by doctor with the rights of a replica: a line for each certificate, user and right', async () => {
    await kafka.grant('locus');
    await ready(await serve('patient'));
    await kafka.revoke('locus', BEYOND);
    const look = async () => {
      const { exit, out, err } = await locus(['doctor', '-o', 'json']);
      const { findings } = JSON.parse(out) as { findings: { state: string; check: string; target: string; told: string }[] };
      return {
        exit,
        err,
        findings,
        not: findings.filter(({ state }) => state !== 'ok').map(({ state, check, target }) => [state, check, target]),
      };
    };
    const few = await look();
    expect([few.exit, few.err, few.not]).toEqual([
      0,
      '',
      [
        ['skipped', 'topic', 'locus.events'],
        ['skipped', 'topic', 'locus.dead-letters'],
        ['skipped', 'clock', `Kafka ${kafka.brokers}`],
      ],
    ]);
    const told = (check: string) => few.findings.filter((it) => it.check === check).map((it) => [it.target, it.told]);
    const certificate = expect.stringMatching(/^server \(IP Address:127\.0\.0\.1\), by ca, good until 20\d\d-\d\d-\d\d$/);
    expect(told('tls')).toEqual([kafka.brokers, store.at, lock.at].map((at) => [at, certificate]));
    expect(told('sasl')).toEqual([[kafka.brokers, 'PLAIN, user locus']]);
    expect(told('auth')).toEqual([store.at, lock.at].map((at) => [at, 'user locus']));
    expect(told('acl')).toEqual([kafka.brokers, store.at, lock.at].map((at) => [at, 'all rights of a replica are there']));
    // With the lines that docs/links.md adds for it, it sees all.
    await kafka.grant('locus');
    expect(await look()).toMatchObject({ exit: 0, not: [] });
  });

  type Sick = [what: string, bent: () => Record<string, string>, check: string, told: RegExp];
  it.each<Sick>([
    [
      'the CA of the brokers',
      () => ({ KAFKA_SSL_CA: everything().other }),
      'tls',
      /KAFKA_SSL_CA=\S+ is not the CA of 127\.0\.0\.1:\d+: set it to the PEM/,
    ],
    [
      'the name of a broker',
      () => ({ KAFKA_BROKERS: kafka.brokers.replace('127.0.0.1', 'localhost') }),
      'tls',
      /KAFKA_BROKERS is not the name in the certificate/,
    ],
    [
      'a listener without TLS',
      () => ({ KAFKA_BROKERS: kafka.server.brokers }),
      'tls',
      /what listens there may not speak TLS: see KAFKA_BROKERS/,
    ],
    [
      'the password at the brokers',
      () => ({ KAFKA_SASL_PASSWORD: SECRETS.wrong }),
      'sasl',
      /KAFKA_SASL_PASSWORD is refused .* for user locus \(PLAIN\): write the password/,
    ],
    [
      'the mechanism',
      () => ({ KAFKA_SASL_USERNAME: 'nobody', KAFKA_SASL_MECHANISM: 'SCRAM-SHA-256' }),
      'sasl',
      /for user nobody \(SCRAM-SHA-256\)/,
    ],
    [
      'the rights at the brokers',
      () => ({ KAFKA_SASL_USERNAME: 'halfway' }),
      'acl',
      /topic locus\.events is without Write for User:halfway: kafka-acls\.sh --add/,
    ],
    ['the CA of the store', () => ({ REDIS_SSL_CA: everything().other }), 'tls', /REDIS_SSL_CA=\S+ is not the CA of/],
    [
      'the password of the store',
      () => ({ REDIS_URL: store.url('locus', SECRETS.wrong) }),
      'auth',
      /REDIS_URL is refused by Redis at .* for user locus \(WRONGPASS\)/,
    ],
    [
      'the password of a lock node',
      () => ({ LOCK_REDIS_URLS: lock.url('locus', SECRETS.wrong) }),
      'auth',
      /LOCK_REDIS_URLS is refused by Redis at/,
    ],
  ])('wrong in one thing, are told so by doctor, which exits 1: %s', async (_what, bent, check, told) => {
    const { exit, out } = await locus(['doctor', '-o', 'json'], bent());
    expect(exit).toBe(1);
    const { findings } = JSON.parse(out) as { findings: { state: string; check: string; told: string }[] };
    const [first] = findings.filter(({ state }) => state === 'wrong');
    expect([first?.check, first?.told]).toEqual([check, expect.stringMatching(told)]);
  });

  it('tell doctor of rights that are lacking in Redis, all at once', async () => {
    await store.user('locus', SECRETS.redis, ['+hset', '+time']);
    await lock.user('locus', SECRETS.lock, ['+pexpire']);
    const { exit, out } = await locus(['doctor']);
    await Promise.all([store.user('locus', SECRETS.redis), lock.user('locus', SECRETS.lock)]);
    expect(exit).toBe(1);
    expect(out).toMatch(/^wrong +acl +\S+ +REDIS_URL .*not allowed \+hset \+time: grant it there: ACL SETUSER locus \+hset \+time$/m);
    expect(out).toMatch(/^wrong +acl +\S+ +LOCK_REDIS_URLS .*not allowed \+pexpire: grant it there/m);
  });

  it('let events and dead letters be read with the lines of docs/links.md, and say which is missing without', async () => {
    await kafka.grant('locus');
    const one = await serve('reader');
    await ready(one);
    expect(await one.load('L5', 'e-1')).toBe('done');
    const look = (...words: string[]) => locus(words, { LOCUS_ADMIN_URL: one.admin });
    const events = () => look('events', 'cash-location/L5');
    await until('it is published', async () => / Loaded {2}e-1 /.test((await events()).out));
    await kafka.revoke('locus', BEYOND);
    const line = String.raw`kafka-acls\.sh --add --allow-principal User:locus --operation Read --topic locus\.events`;
    const missing = new RegExp(`LOG_DOWN: locus\\.events cannot be read: .*without Read for User:locus: ${line}\n$`);
    expect(await events()).toMatchObject({ exit: 1, out: '', err: expect.stringMatching(missing) });
    expect(await look('dead-letters', 'ls')).toMatchObject({ exit: 0, out: expect.stringContaining('no dead letter') });
    await kafka.grant('locus');
    expect(await events()).toMatchObject({ exit: 0, out: expect.stringContaining(' Loaded  e-1 ') });
  });

  it('say in /readyz which right to write was taken away, and serve as long as they can', async () => {
    const one = await serve('writes', { KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512' });
    await ready(one);
    const tells = telling(one);
    const grant = (topic: string) =>
      `ACL of Kafka's topic ${topic} is without Write for User:locus: \\S+ --add .*--operation Write --topic ${topic}`;

    await kafka.revoke('locus', /--topic locus\.(events|dead-letters)/);
    const [events, letters] = [grant('locus.events'), grant('locus.dead-letters')];
    await tells(new RegExp(`^200 ok\nevents cannot be published: \\d+ wait.*: ${events}\ndead letters cannot be written: .*: ${letters}$`));
    expect(await one.load('L7', 'unheard')).toBe('done');
    await tells(/^200 ok\nevents cannot be published: [1-9]\d* wait, safe in the store: /);

    await kafka.grant('locus');
    await kafka.revoke('locus', /--topic locus\.commands/, 'Write');
    const commands = `${grant('locus.commands')}; ${grant('locus.commands.bulk')}`;
    await tells(new RegExp(`^503 commands cannot be written: none is taken over HTTP, and timers wait: ${commands}$`));
    // A problem of HTTP, whose status is a number.
    expect(await one.load('L7', 'refused')).toBe(503);
    await kafka.revoke('locus', /--topic locus\.commands/, 'Read');
    await tells(
      /^503 (commands cannot be read|not in the consumer group.*): ACL of Kafka's topic locus\.commands is without Read, Write.* for User:locus: /,
    );

    await kafka.grant('locus');
    await ready(one);
    expect(await one.load('L7', 'refused')).toBe('done');

    // A password that works no more, while the connections that stand do.
    await kafka.scramPassword('locus', SECRETS.wrong);
    await tells(
      /^200 ok\nKafka takes no new connections; .*: KAFKA_SASL_PASSWORD is refused by \S+ .* for user locus \(SCRAM-SHA-512\): write/,
    );
    expect(await one.load('L7', 'on-old-connections')).toBe('done');
    await kafka.scramPassword('locus', SECRETS.kafka);
    await ready(one);
  });

  it('say in /readyz that lock nodes refuse or are away, and serve without them', async () => {
    const one = await serve('locks');
    await ready(one);
    const tells = telling(one);
    const without = (why: string) =>
      new RegExp(`^200 ok\nno leases can be had: after \\d+ s locations go on without them, .*: lock node \\S+: ${why}`);

    await lock.user('locus', SECRETS.wrong);
    await lock.tell('CLIENT', 'KILL', 'USER', 'locus');
    await tells(without('LOCK_REDIS_URLS is refused by Redis at \\S+ for user locus \\(WRONGPASS\\): write the password'));
    await lock.user('locus', SECRETS.lock);
    await ready(one);
    await lock.user('locus', SECRETS.lock, ['+eval']);
    await tells(without('LOCK_REDIS_URLS .*is not allowed \\+eval: grant it there: ACL SETUSER locus \\+eval'));
    await lock.user('locus', SECRETS.lock);
    await ready(one);
    await lock.server.kill9();
    await tells(without('.*ECONNREFUSED'));
    await lock.server.restart();
    await ready(one);
    expect(await one.load('L6', 'with-a-lease')).toBe('done');
  });

  it('never write a secret, at debug level, whoever refuses whom', () => {
    const forms = Object.values(SECRETS).flatMap((secret) => [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')]);
    const shown = forms.filter((form) => said.includes(form) || said.includes(JSON.stringify(form).slice(1, -1)));
    expect(said.length).toBeGreaterThan(10_000);
    expect(shown).toEqual([]);
  });
});

describe('the ACL lines of docs/links.md', () => {
  const tools = { clock: systemClock, random: systemRandom, log: quiet };
  const started = async (parts: readonly { start(): Promise<void>; stop(): Promise<void> }[]) => {
    try {
      for (const part of parts) await part.start();
    } finally {
      await Promise.all(parts.map((part) => part.stop()));
    }
  };
  const openStore = () => {
    const link = { ...tools, url: store.url('probe', SECRETS.redis), ca: readFileSync(certs.ca, 'utf8') };
    return started([redisStateStore({ ...link, policy: 'durable' }), redisNotices(link)]);
  };
  const openLocks = () => {
    const options = { ...tools, urls: [lock.url('probe', SECRETS.lock)], ca: readFileSync(certs.ca, 'utf8') };
    return started([redisLeaseStore(options)]);
  };

  it('hold nothing that the program does without, and what is lacking is named, each by itself', async () => {
    for (const [kind, on, password, open] of [
      ['store', store, SECRETS.redis, openStore],
      ['lock', lock, SECRETS.lock, openLocks],
    ] as const) {
      await on.user('probe', password);
      await open();
      for (const grant of grantsOf(kind)) {
        await on.user('probe', password, [grant]);
        const told = await open().then(
          () => 'nothing',
          (error: unknown) => (error as Error).message,
        );
        expect({ grant, told }).toEqual({ grant, told: expect.stringContaining(grant) });
      }
    }
  });

  it('tell all that is lacking at once', async () => {
    await store.user('probe', SECRETS.redis, ['+hset', '+time', '~c:*', '+config|get']);
    await expect(openStore()).rejects.toThrow(
      /not allowed \+hset \+time ~c:\*: grant it there: ACL SETUSER probe \+hset \+time ~c:\*; CONFIG is .*\+config\|get/,
    );
  });
});
