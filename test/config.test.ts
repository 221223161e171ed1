/** The configuration tells every fault at once, in words an operator can act on, and never a secret. */
import { describe, expect, it } from 'vitest';
import { environment, readAdminToken, readConfig } from '../src/config.ts';
import { LocusError } from '../src/errors.ts';
import { variables } from '../src/variables.ts';
import { CA as ca } from './ca.ts';

const enough = {
  KAFKA_BROKERS: 'k1:9092',
  REDIS_URL: 'redis://store:6379',
  LOCK_REDIS_URLS: 'redis://l1:6379,redis://l2:6379,redis://l3:6379',
};
const sasl = { KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_USERNAME: 'locus', KAFKA_SASL_PASSWORD: 'hush' };
const machine = {
  hostName: 'replica-0',
  readFile: (path: string) => {
    if (path === '/run/token') return 'a-token-of-enough-length\n';
    if (path === '/run/password') return ' p@ss \r\n\n';
    if (path === '/run/lines') return 'two\nlines\n';
    if (path === '/run/key') return '-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----\n';
    if (path === '/run/ca.pem') return `Issued for a test\n${ca}\n`;
    throw new Error(`ENOENT: no such file, open '${path}'`);
  },
};
const read = (env: Record<string, string> = {}) => readConfig({ ...enough, ...env }, machine);

function faultsOf(env: Record<string, string | undefined>): readonly string[] {
  try {
    readConfig(env, machine);
  } catch (error) {
    if (error instanceof LocusError && error.code === 'CONFIG_INVALID')
      return error.faults.map((it) => `${it.field}=${it.value}: ${it.rule}`);
    throw error;
  }
  return [];
}
const faults = (env: Record<string, string | undefined> = {}) => faultsOf({ ...enough, ...env });

describe('configuration', () => {
  it('needs Kafka, the store and the lock nodes, and has a default for all else', () => {
    expect(read()).toEqual({
      embedded: false,
      kafkaBrokers: ['k1:9092'],
      kafkaClientId: 'locus',
      kafkaGroupId: 'locus',
      kafkaSsl: false,
      redisUrl: 'redis://store:6379',
      lockRedisUrls: ['redis://l1:6379', 'redis://l2:6379', 'redis://l3:6379'],
      durability: 'store',
      deviceUrl: 'http://127.0.0.1:7070',
      dataDir: './data',
      httpHost: '127.0.0.1',
      httpPort: 8080,
      httpRateMax: 5_000,
      adminHost: '127.0.0.1',
      adminPort: 9090,
      adminToken: undefined,
      advertiseUrl: 'http://127.0.0.1:9090',
      replicaId: 'replica-0',
      commandsTopic: 'locus.commands',
      bulkTopic: 'locus.commands.bulk',
      commandsPartitions: 12,
      eventsTopic: 'locus.events',
      deadLettersTopic: 'locus.dead-letters',
      leaseTtlMs: 10_000,
      sessionTimeoutMs: 10_000,
      idleMs: 600_000,
      mailboxMax: 256,
      inboxMax: 100_000,
      inboxAfterMs: 1_000,
      residentMax: 100_000,
      inflightMax: 8_000,
      dedupeWindowMs: 604_800_000,
      dedupeMax: 1_000_000,
      probeTimeoutMs: 2_000,
      drainMs: 30_000,
      logLevel: 'info',
      origins: {},
    });
  });

  it('runs embedded when nothing is configured, with a device of its own unless one is named', () => {
    expect(readConfig({}, machine)).toMatchObject({ embedded: true, dataDir: './data', deviceUrl: undefined, httpPort: 8080 });
    expect(readConfig({ DEVICE_URL: 'http://device:7070', DATA_DIR: '/var/lib/locus' }, machine)).toMatchObject({
      embedded: true,
      dataDir: '/var/lib/locus',
      deviceUrl: 'http://device:7070',
    });
  });

  it.each<[string, Record<string, string>, readonly string[]]>([
    ['Kafka', { KAFKA_BROKERS: 'k1:9092', DURABILITY: 'relaxed' }, ['REDIS_URL=not set: must be set, because KAFKA_BROKERS is']],
    ['the store', { REDIS_URL: 'redis://store', DURABILITY: 'relaxed' }, ['KAFKA_BROKERS=not set: must be set, because REDIS_URL is']],
    [
      'the lock nodes',
      { LOCK_REDIS_URLS: 'redis://l1' },
      ['KAFKA_BROKERS=not set: must be set, because LOCK_REDIS_URLS is', 'REDIS_URL=not set: must be set, because LOCK_REDIS_URLS is'],
    ],
    [
      'TLS to Kafka',
      { KAFKA_SSL: 'true', DURABILITY: 'relaxed' },
      ['KAFKA_BROKERS=not set: must be set, because KAFKA_SSL is', 'REDIS_URL=not set: must be set, because KAFKA_SSL is'],
    ],
    ['a secret in a file', { REDIS_URL_FILE: '/run/absent' }, ['REDIS_URL_FILE', 'KAFKA_BROKERS=not set', 'LOCK_REDIS_URLS=not set']],
  ])('does not run embedded when only %s is configured, and names what is missing', (_, env, told) => {
    const found = faultsOf(env);
    expect(found).toHaveLength(told.length);
    for (const [n, text] of told.entries()) expect(found[n]).toContain(text);
  });

  it('tells all faults at once', () => {
    const all = faults({ HTTP_PORT: '99999', LOG_LEVEL: 'loud', LEASE_TTL_MS: '-1', KAFKA_SSL: 'yes', EVENTS_TOPIC: 'a b' });
    expect(all.map((it) => it.split('=')[0])).toEqual(['KAFKA_SSL', 'HTTP_PORT', 'EVENTS_TOPIC', 'LEASE_TTL_MS', 'LOG_LEVEL']);
  });

  it.each<[string, string, string]>([
    ['DURABILITY', 'journal', 'DURABILITY="journal": journal is not there yet'],
    ['DURABILITY', 'fast', 'must be one of store, relaxed'],
    ['KAFKA_BROKERS', 'kafka', 'must be host:port'],
    ['KAFKA_BROKERS', 'a:1,,b:2', 'must be host:port'],
    ['KAFKA_BROKERS', 'a:99999', 'must be host:port'],
    ['KAFKA_SSL', '1', 'must be true or false'],
    ['KAFKA_SSL_CA', '/run/ca.pem', 'KAFKA_SSL_CA=set: is of no use without KAFKA_SSL=true'],
    ['KAFKA_SSL_CA', '/run/absent', 'KAFKA_SSL_CA="/run/absent": must name a file that can be read'],
    ['KAFKA_SSL_CA_FILE', '/run/key', 'KAFKA_SSL_CA_FILE="/run/key": its content must be a file of certificates in PEM'],
    ['KAFKA_SASL_PASSWORD', 'hush', 'KAFKA_SASL_MECHANISM=not set: must be set with KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD'],
    ['REDIS_SSL_CA', '/run/ca.pem', 'is of no use without rediss:// in REDIS_URL or LOCK_REDIS_URLS'],
    ['REDIS_URL', 'redis://u:50%@store', 'what is special in a password as %XX'],
    ['REDIS_URL', 'redis://u:a#b@store', 'what is special in a password as %XX'],
    ['BULK_TOPIC', 'a/b', 'must be a Kafka topic name'],
    ['BULK_TOPIC', 'locus.commands', 'must not be another topic’s: COMMANDS_TOPIC'],
    ['EVENTS_TOPIC', 'locus.commands.bulk', 'must not be another topic’s: COMMANDS_TOPIC, BULK_TOPIC'],
    ['REDIS_URL', 'store:6379', 'must be redis://'],
    ['LOCK_REDIS_URLS', 'redis://l1,redis://l2', 'must be an odd number, not 2'],
    ['LOCK_REDIS_URLS', 'redis://l1,redis://l1:6379,redis://l2', 'must not name one server twice'],
    ['LOCK_REDIS_URLS', 'redis://l1,redis://STORE:6379/1,redis://l2', 'must not name the server of REDIS_URL'],
    ['LOCK_REDIS_URLS', 'redis://l1,http://l2,redis://l3', 'each of them, separated by commas, must be redis://'],
    ['DEVICE_URL', 'ftp://device', 'must be an http:// or https:// URL'],
    ['HTTP_PORT', '0', 'must be a whole number from 1 to 65535'],
    ['HTTP_PORT', '80.5', 'must be a whole number'],
    ['HTTP_PORT', '0x50', 'must be a whole number'],
    ['HTTP_PORT', '9090', 'ADMIN_PORT=9090: must not be HTTP_PORT'],
    ['ADMIN_HOST', '10.0.0.1', 'must be loopback, such as 127.0.0.1, unless ADMIN_TOKEN is set'],
    ['ADMIN_TOKEN', 'short', 'must be 16 to 512 visible ASCII characters'],
    ['ADMIN_TOKEN_FILE', '/run/absent', 'must name a file that can be read'],
    ['REPLICA_ID', 'a/b', 'must be 1 to 128 of'],
    ['DEAD_LETTERS_TOPIC', 'locus.events', 'must not be another topic’s: COMMANDS_TOPIC, BULK_TOPIC, EVENTS_TOPIC'],
    ['EVENTS_TOPIC', 'locus.commands', 'must not be another topic’s: COMMANDS_TOPIC, BULK_TOPIC'],
    ['COMMANDS_TOPIC', '..', 'must be a Kafka topic name'],
    ['SESSION_TIMEOUT_MS', '5000', 'must be a whole number from 6000 to 1800000'],
    ['LEASE_TTL_MS', '20000', 'must be at most SESSION_TIMEOUT_MS (10000)'],
    ['PROBE_TIMEOUT_MS', '12000', 'must be at most LEASE_TTL_MS (10000)'],
    ['DRAIN_MS', '1500', 'must be at least PROBE_TIMEOUT_MS (2000)'],
    ['DEDUPE_WINDOW_MS', '60000', 'must be a whole number from 7200000'],
    ['MAILBOX_MAX', '1e3', 'must be a whole number'],
  ])('refuses %s=%s alone, naming the rule', (name, value, rule) => {
    const told = faults({ [name]: value });
    expect(told).toHaveLength(1);
    expect(told[0]).toContain(rule);
  });

  it('takes a secret from a file, without its last line break, but not from both places', () => {
    expect(read({ ADMIN_TOKEN_FILE: '/run/token' }).adminToken).toBe('a-token-of-enough-length');
    expect(faults({ ADMIN_TOKEN_FILE: '/run/token', ADMIN_TOKEN: 'another-token-of-length' })).toEqual([
      'ADMIN_TOKEN_FILE="/run/token": set either ADMIN_TOKEN or ADMIN_TOKEN_FILE, not both',
    ]);
  });

  it('reads links to Kafka and Redis that are secure, and says which values came from files', () => {
    const links = {
      ...sasl,
      KAFKA_SASL_PASSWORD: '',
      KAFKA_SASL_PASSWORD_FILE: '/run/password',
      KAFKA_SSL: 'true',
      KAFKA_SSL_CA: ca,
      REDIS_URL: 'rediss://locus:p%40ss@store:6380/1',
      REDIS_SSL_CA: '/run/ca.pem',
    };
    expect(read(links)).toMatchObject({
      kafkaSsl: true,
      kafkaSslCa: ca,
      kafkaSaslMechanism: 'PLAIN',
      kafkaSaslUsername: 'locus',
      kafkaSaslPassword: ' p@ss ',
      redisUrl: 'rediss://locus:p%40ss@store:6380/1',
      redisSslCa: ca,
      origins: { KAFKA_SASL_PASSWORD: 'KAFKA_SASL_PASSWORD_FILE=/run/password', REDIS_SSL_CA: 'REDIS_SSL_CA=/run/ca.pem' },
    });
  });

  it.each([
    [{ ...sasl, KAFKA_SASL_MECHANISM: 'SCRAM' }, 'KAFKA_SASL_MECHANISM="SCRAM": must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512'],
    [{ ...sasl, KAFKA_SASL_USERNAME: '' }, 'KAFKA_SASL_USERNAME=not set: must be set with KAFKA_SASL_MECHANISM'],
    [{ ...sasl, KAFKA_SASL_PASSWORD: '' }, 'KAFKA_SASL_PASSWORD=not set: must be set with KAFKA_SASL_MECHANISM'],
    [
      { ...sasl, KAFKA_SASL_PASSWORD: '', KAFKA_SASL_PASSWORD_FILE: '/run/lines' },
      'KAFKA_SASL_PASSWORD_FILE="/run/lines": its content must be 1 to 1024 characters on one line',
    ],
  ])('refuses half a user of Kafka, and one that cannot be: %o', (env, told) => expect(faults(env)).toEqual([told]));

  it('never shows a secret', () => {
    const told = faults({
      ADMIN_TOKEN: 'hush hush hush hush',
      REDIS_URL: 'redis://:hush@store/x',
      LOCK_REDIS_URLS: 'redis://:hush@l1,redis://:hush@l2',
      KAFKA_SASL_PASSWORD: 'hush\nhush',
      KAFKA_SSL_CA: '-----BEGIN PRIVATE KEY-----hush',
      REDIS_SSL_CA_FILE: '/run/key',
    });
    expect(told).toHaveLength(6);
    expect(told.join('\n')).not.toContain('hush');
  });

  it('lets the store hold the leases only when relaxed', () => {
    const relaxed = { ...enough, DURABILITY: 'relaxed', LOCK_REDIS_URLS: '' };
    expect(readConfig(relaxed, machine)).toMatchObject({ lockRedisUrls: ['redis://store:6379'] });
  });

  it('opens the admin port beyond loopback with a token and an address that others can reach', () => {
    const open = { ADMIN_HOST: '0.0.0.0', ADMIN_TOKEN: 'a-token-of-enough-length' };
    expect(faults(open)).toEqual([expect.stringContaining('ADVERTISE_URL=not set: must be set with ADMIN_HOST=0.0.0.0')]);
    expect(read({ ...open, ADVERTISE_URL: 'http://replica-0.locus:9090/' }).advertiseUrl).toBe('http://replica-0.locus:9090');
    expect(read({ ADMIN_HOST: '::1' }).advertiseUrl).toBe('http://[::1]:9090');
  });

  it('asks for REPLICA_ID when the host name does not do', () => {
    const odd = () => readConfig(enough, { ...machine, hostName: 'a host' });
    expect(odd).toThrow('the host name does not do as a name: set REPLICA_ID');
  });

  it('takes an empty variable as one that is not set', () => {
    expect(read({ HTTP_PORT: '', ADMIN_TOKEN: ' ' })).toMatchObject({ httpPort: 8080, adminToken: undefined });
  });

  it('hands out a part of it without judging the rest', () => {
    expect(readAdminToken({ ADMIN_TOKEN_FILE: '/run/token', HTTP_PORT: 'eighty' }, machine)).toBe('a-token-of-enough-length');
    expect(readAdminToken({}, machine)).toBeUndefined();
    expect(() => readAdminToken({ ADMIN_TOKEN: 'short' }, machine)).toThrow(/^ADMIN_TOKEN is \(a secret, not shown\): [^\n]+$/);
  });

  it('describes every variable in one sentence or two on one line', () => {
    for (const it of Object.values(variables)) expect(it.what, it.name).toMatch(/^[^\n]{20,160}\.$/);
  });

  it('reads the environment of the process', () => {
    expect(environment()).toBe(process.env);
  });
});
