/** What `locus doctor` makes of what its instruments find: one line each, with the fix, and whether all is well. */
import { expect, it } from 'vitest';
import { examine, type Instruments, type Patient } from '../../src/cli/doctor.ts';
import { type AloneInstruments, examineAlone } from '../../src/cli/doctor-alone.ts';
import type { KafkaFacts, KafkaInstruments, TopicFacts } from '../../src/cli/doctor-kafka.ts';
import { type Finding, report } from '../../src/cli/findings.ts';
import { fault, LocusError, linkRefused } from '../../src/errors.ts';

const patient: Patient = {
  kafkaBrokers: ['kafka-1:9092', 'kafka-2:9092'],
  kafkaSsl: false,
  origins: {},
  redisUrl: 'redis://user:secret@store',
  lockRedisUrls: ['redis://lock-1:6379', 'redis://lock-2:6380', 'redis://lock-3:6379'],
  deviceUrl: 'http://device:7070',
  commandsTopic: 'locus.commands',
  bulkTopic: 'locus.commands.bulk',
  eventsTopic: 'locus.events',
  deadLettersTopic: 'locus.dead-letters',
};
const settings = { stamp: 'LogAppendTime', retentionMs: 604_800_000, cleanup: 'delete' };
const topicFacts = (
  topic: string,
  { partitions = 12, ...more }: Partial<typeof settings> & { readonly partitions?: number } = {},
): TopicFacts => ({ topic, partitions, replicas: 3, settings: { ...settings, ...more } });
const topics = [
  topicFacts('locus.commands'),
  topicFacts('locus.commands.bulk'),
  topicFacts('locus.events'),
  topicFacts('locus.dead-letters'),
];
const exact = { aheadMs: 3, withinMs: 2 };
const brokers = ['kafka-1', 'kafka-2', 'kafka-3'].map((host) => ({ host, port: 9092 }));
const healthyKafka: KafkaInstruments = {
  login: async () => {},
  rights: async () => {},
  facts: async () => ({ brokers, topics }),
  clock: async () => exact,
};
const certificate = { subject: 'server', issuer: 'our-ca', until: '2027-01-31' };
const healthy: Instruments = {
  resolve: async () => ['10.0.0.1'],
  connect: async () => 2,
  handshake: async () => certificate,
  kafka: healthyKafka,
  store: async () => ({ lacking: [], skew: exact, faults: [], partitions: 12 }),
  lock: async () => ({ lacking: [] }),
  device: async () => 'answers, its journal is 0123',
};
const bad = (findings: readonly Finding[]) => findings.filter(({ state }) => state !== 'ok');
const found = (more: Partial<Instruments>, of: Partial<Patient> = {}) => examine({ ...patient, ...of }, { ...healthy, ...more });
const withKafka = (more: Partial<KafkaInstruments>): Partial<Instruments> => ({ kafka: { ...healthyKafka, ...more } });
const factsWith = (more: Partial<KafkaFacts>) => withKafka({ facts: async () => ({ brokers, topics, ...more }) });
const kafkaWith = (...changed: TopicFacts[]) =>
  factsWith({ topics: topics.map((it) => changed.find(({ topic }) => topic === it.topic) ?? it) });
const storeWith = (more: Partial<Awaited<ReturnType<Instruments['store']>>>): Partial<Instruments> => ({
  store: async () => ({ lacking: [], skew: exact, faults: [], partitions: 12, ...more }),
});

it('says of everything that it is well, and exits 0', async () => {
  const findings = await found({});
  expect(bad(findings)).toEqual([]);
  expect(new Set(findings.map(({ check }) => check))).toEqual(
    new Set(['dns', 'tcp', 'kafka', 'acl', 'topic', 'clock', 'auth', 'redis', 'lock', 'device']),
  );
  const { text, exit } = report(findings, 'text');
  expect(exit).toBe(0);
  expect(text).toMatch(/^ok +topic +locus\.commands +12 partitions, 3 replicas, kept 168 h, LogAppendTime$/m);
  expect(text).not.toContain('secret');
  expect(JSON.parse(report(findings, 'json').text)).toEqual({ well: true, findings });
});

it('has one line for a host that serves for several things, and none for the name of an address', async () => {
  const one = await found({}, { lockRedisUrls: ['redis://store:1', 'redis://store:2', 'redis://127.0.0.1:3'] });
  expect(one.filter(({ check, target }) => check === 'dns' && target === 'store')).toHaveLength(1);
  expect(one.filter(({ check, target }) => check === 'dns' && target === '127.0.0.1')).toEqual([]);
});

it('names what does not resolve or does not listen, and asks no further there', async () => {
  const findings = await found({
    resolve: async (host) => (host === 'lock-1' ? Promise.reject(new Error('getaddrinfo ENOTFOUND lock-1')) : ['10.0.0.1']),
    connect: async ({ host }) => (host === 'store' || host === 'kafka-2' ? Promise.reject(new Error('connect ECONNREFUSED')) : 1),
  });
  expect(bad(findings)).toEqual([
    { state: 'wrong', check: 'tcp', target: 'kafka-2:9092', told: expect.stringContaining('ECONNREFUSED: see that it runs') },
    { state: 'wrong', check: 'tcp', target: 'store:6379', told: expect.stringContaining('ECONNREFUSED') },
    { state: 'wrong', check: 'dns', target: 'lock-1', told: expect.stringContaining('ENOTFOUND lock-1: write a name') },
  ]);
  // One broker of several is enough to be asked.
  expect(findings.some(({ check }) => check === 'kafka')).toBe(true);
  expect(findings.some(({ check }) => check === 'redis')).toBe(false);
  expect(report(findings, 'text').exit).toBe(1);
});

/** All that speak TLS, with a user each. */
const secure: Partial<Patient> = {
  kafkaSsl: true,
  kafkaSslCa: 'PEM',
  kafkaSaslMechanism: 'SCRAM-SHA-512',
  kafkaSaslUsername: 'locus',
  redisUrl: 'rediss://locus:secret@store',
  redisSslCa: undefined,
  lockRedisUrls: ['rediss://locus:secret@lock-1'],
  deviceUrl: 'https://device',
  origins: { KAFKA_SSL_CA: 'KAFKA_SSL_CA_FILE=/run/ca.pem' },
};

it('has a line for each certificate and for each user', async () => {
  const asked: unknown[] = [];
  const handshake: Instruments['handshake'] = async ({ host }, ca) => {
    asked.push([host, ca]);
    return certificate;
  };
  const findings = await found({ handshake }, secure);
  expect(bad(findings)).toEqual([]);
  const lines = (check: string) => findings.filter((it) => it.check === check).map(({ target, told }) => [target, told]);
  const told = 'server, by our-ca, good until 2027-01-31';
  expect(lines('tls')).toEqual(
    ['kafka-1:9092', 'kafka-2:9092', 'kafka-3:9092', 'store:6379', 'lock-1:6379', 'device:443'].map((it) => [it, told]),
  );
  expect(lines('sasl')).toEqual([['kafka-1:9092,kafka-2:9092', 'SCRAM-SHA-512, user locus']]);
  expect(lines('auth')).toEqual([
    ['store:6379', 'user locus'],
    ['lock-1:6379', 'user locus'],
  ]);
  // A CA is trusted for its own kind of link only.
  expect(asked.sort()).toEqual([
    ['device', undefined],
    ...['kafka-1', 'kafka-2', 'kafka-3'].map((host) => [host, 'PEM']),
    ['lock-1', undefined],
    ['store', undefined],
  ]);
});

const tlsError = (code: string, message = code) => Object.assign(new Error(message), { code });
it.each([
  [
    'another CA',
    'kafka',
    tlsError('UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
    'KAFKA_SSL_CA_FILE=/run/ca.pem is not the CA of kafka-1:9092: set it to the PEM',
  ],
  [
    'no CA',
    'store',
    tlsError('DEPTH_ZERO_SELF_SIGNED_CERT'),
    'REDIS_SSL_CA is not set, and no CA that Node trusts signed the certificate of store:6379',
  ],
  [
    'another name',
    'kafka',
    tlsError('ERR_TLS_CERT_ALTNAME_INVALID', 'not in the list'),
    'KAFKA_BROKERS is not the name in the certificate of kafka-1:9092: use a name',
  ],
  ['an old one', 'lock', tlsError('CERT_HAS_EXPIRED'), 'the certificate of lock-1:6379 is CERT_HAS_EXPIRED: renew it, or set the clock'],
  [
    'no TLS at all',
    'store',
    tlsError('ERR_SSL_WRONG_VERSION_NUMBER', 'wrong version number'),
    'wrong version number: what listens there may not speak TLS: see REDIS_URL',
  ],
])('says what is wrong with a certificate, and asks no further there: %s', async (_what, host, error, told) => {
  const handshake: Instruments['handshake'] = async (place) => (place.host.startsWith(host) ? Promise.reject(error) : certificate);
  const findings = await found({ handshake }, secure);
  expect(bad(findings)[0]).toMatchObject({ state: 'wrong', check: 'tls', told: expect.stringContaining(told) });
  const beyond = { kafka: ['sasl', 'topic'], store: ['redis'], lock: ['lock'] }[host] ?? [];
  expect(findings.filter(({ check }) => beyond.includes(check))).toEqual([]);
});

const refusedBy = (field: string) =>
  Promise.reject(linkRefused([{ code: 'LINK_REFUSED', field, value: 'refused', rule: 'write the right one' }]));
it('says which user is refused where, and asks no further there', async () => {
  const of = { ...secure, lockRedisUrls: ['rediss://locus:secret@lock-1'] };
  const by = {
    ...withKafka({ login: () => refusedBy('KAFKA_SASL_PASSWORD') }),
    store: () => refusedBy('REDIS_URL'),
    lock: () => refusedBy('LOCK_REDIS_URLS'),
  };
  const findings = await found(by, of);
  expect(bad(findings).map(({ check, target, told }) => [check, target, told])).toEqual([
    ['sasl', 'kafka-1:9092,kafka-2:9092', 'KAFKA_SASL_PASSWORD is refused: write the right one'],
    ['auth', 'store:6379', 'REDIS_URL is refused: write the right one'],
    ['auth', 'lock-1:6379', 'LOCK_REDIS_URLS is refused: write the right one'],
  ]);
  expect(findings.filter(({ check }) => ['topic', 'acl', 'redis', 'lock'].includes(check))).toEqual([]);
});

it('tells each right that is lacking, and the reason of what is no refusal', async () => {
  const faults = [
    fault('LINK_REFUSED', 'topic locus.events', 'without Write', 'grant it'),
    fault('LINK_REFUSED', 'group locus', 'without Read', 'grant it'),
  ];
  const findings = await found({
    ...withKafka({ rights: () => Promise.reject(linkRefused(faults)) }),
    store: async () => ({
      lacking: [fault('LINK_REFUSED', 'REDIS_URL', 'not allowed +hset', 'ACL SETUSER locus +hset')],
      skew: undefined,
      faults: [],
      partitions: 12,
    }),
    lock: () => Promise.reject(new LocusError('STORE_DOWN', 'Redis cannot be reached', { cause: new Error('it is loading') })),
    device: () => Promise.reject(new Error('no answer from the device in 2000 ms')),
  });
  expect(bad(findings).map(({ check, told }) => [check, told])).toEqual([
    ['acl', 'topic locus.events is "without Write": grant it'],
    ['acl', 'group locus is "without Read": grant it'],
    ['acl', 'REDIS_URL is "not allowed +hset": ACL SETUSER locus +hset'],
    ...['lock-1', 'lock-2', 'lock-3'].map(() => ['lock', 'Redis cannot be reached: it is loading']),
    ['device', 'no answer from the device in 2000 ms'],
  ]);
});

it('looks at every broker under the name that the cluster gives it', async () => {
  const resolve: Instruments['resolve'] = async (host) =>
    host === 'kafka-3' ? Promise.reject(new Error('ENOTFOUND kafka-3')) : ['10.0.0.1'];
  expect(bad(await found({ resolve }))).toMatchObject([
    { state: 'wrong', check: 'dns', target: 'kafka-3', told: expect.stringMatching(/ENOTFOUND.*see its advertised\.listeners/) },
  ]);
});

it('does not call wrong a topic whose settings it may not see, as a replica may not', async () => {
  const findings = await found(kafkaWith({ ...topicFacts('locus.events'), settings: undefined }));
  expect(bad(findings)).toEqual([
    {
      state: 'skipped',
      check: 'topic',
      target: 'locus.events',
      told: expect.stringContaining('its settings were not looked at: that takes DescribeConfigs'),
    },
  ]);
  expect(report(findings, 'text').exit).toBe(0);
});

it.each<readonly [TopicFacts, string]>([
  [topicFacts('locus.commands', { stamp: 'CreateTime' }), '--entity-name locus.commands --add-config message.timestamp.type=LogAppendTime'],
  [topicFacts('locus.commands', { retentionMs: 3_600_000 }), 'retention.ms is 3600000: must be at least a day'],
  [topicFacts('locus.commands', { cleanup: 'compact' }), 'cleanup.policy is compact: must be delete'],
  [topicFacts('locus.commands.bulk', { partitions: 6 }), 'it has 6 partitions, and locus.commands 12: name another topic in BULK_TOPIC'],
  [topicFacts('locus.commands.bulk', { stamp: 'CreateTime' }), '--entity-name locus.commands.bulk --add-config message.timestamp.type'],
  [topicFacts('locus.events', { partitions: 6 }), 'it has 6 partitions, and locus.commands 12: name another topic in EVENTS_TOPIC'],
  [topicFacts('locus.dead-letters', { cleanup: 'compact,delete' }), 'cleanup.policy is compact,delete'],
])('refuses a topic such as %j', async (facts, told) => {
  expect(bad(await found(kafkaWith(facts)))).toEqual([
    { state: 'wrong', check: 'topic', target: facts.topic, told: expect.stringContaining(told) },
  ]);
});

it.each([
  topicFacts('locus.commands', { retentionMs: -1 }),
  topicFacts('locus.events', { stamp: 'CreateTime', retentionMs: 1_000 }),
  topicFacts('locus.dead-letters', { partitions: 1 }),
])('takes a topic such as %j', async (facts) => expect(bad(await found(kafkaWith(facts)))).toEqual([]));

it('says that topics are not there yet, which the first replica mends', async () => {
  const findings = await found(factsWith({ topics: [] }));
  expect(bad(findings)).toEqual([]);
  expect(findings).toContainEqual({
    state: 'ok',
    check: 'topic',
    target: 'locus.commands',
    told: 'not there yet: the first replica creates it',
  });
});

it('compares the topic with what the store was filled from', async () => {
  const findings = await found(storeWith({ partitions: 6 }));
  expect(bad(findings)).toEqual([
    {
      state: 'wrong',
      check: 'layout',
      target: 'locus.commands',
      told: expect.stringContaining('it has 12 partitions, the store was filled with 6'),
    },
  ]);
});

it('tells what is wrong with the settings of the store', async () => {
  const faults = [fault('STORE_POLICY', 'appendfsync', 'everysec', 'must be always: CONFIG SET appendfsync always')];
  expect(bad(await found(storeWith({ faults, partitions: undefined })))).toEqual([
    {
      state: 'wrong',
      check: 'redis',
      target: 'store:6379',
      told: 'appendfsync is "everysec": must be always: CONFIG SET appendfsync always',
    },
  ]);
});

it('compares clocks, no finer than it can see', async () => {
  const late = await found(withKafka({ clock: async () => ({ aheadMs: -2_500, withinMs: 4 }) }));
  expect(bad(late)).toMatchObject([{ check: 'clock', target: 'Kafka kafka-1:9092,kafka-2:9092' }]);
  expect(bad(late)[0]?.told).toContain('2500 ms behind this machine, within 4 ms: must be within 1000 ms');
  const store = await found(storeWith({ skew: { aheadMs: 1_400, withinMs: 10 } }));
  expect(bad(store)).toMatchObject([{ check: 'clock', target: 'Redis store:6379' }]);
  expect(bad(await found(withKafka({ clock: async () => ({ aheadMs: 1_400, withinMs: 500 }) })))).toEqual([]);
});

it('does not call wrong what it was not allowed to measure', async () => {
  const findings = await found(withKafka({ clock: () => Promise.reject(new Error('Topic authorization failed')) }));
  expect(bad(findings)).toMatchObject([{ state: 'skipped', check: 'clock', told: 'not measured: Topic authorization failed' }]);
  expect(report(findings, 'text').exit).toBe(0);
});

const alone = { dataDir: '/data', deviceUrl: undefined, httpHost: '127.0.0.1', httpPort: 8080, adminHost: '127.0.0.1', adminPort: 9090 };
const healthyAlone: AloneInstruments = {
  ...healthy,
  folder: async () => 'may be written to',
  room: async () => 12_345_678_901,
  holder: async () => undefined,
  free: async () => {},
};
const foundAlone = (more: Partial<AloneInstruments>, of: Partial<Parameters<typeof examineAlone>[0]> = {}) =>
  examineAlone({ ...alone, ...of }, { ...healthyAlone, ...more });

it('looks at an embedded replica: folder, disk, file, ports, and a device only if it names one', async () => {
  const findings = await foundAlone({});
  expect(findings.map(({ state, check, target, told }) => [state, check, target, told])).toEqual([
    ['ok', 'folder', '/data', 'may be written to'],
    ['ok', 'disk', '/data', '12345 MB free'],
    ['ok', 'file', '/data/locus.db', 'nobody holds it'],
    ['ok', 'port', '127.0.0.1:8080', 'free'],
    ['ok', 'port', '127.0.0.1:9090', 'free'],
  ]);
  expect((await foundAlone({}, { deviceUrl: 'http://device:7070' })).at(-1)).toMatchObject({ state: 'ok', check: 'device' });
});

it('says of an embedded replica what is wrong and what to do', async () => {
  const reject = (message: string) => () => Promise.reject(new Error(message));
  const findings = await foundAlone({
    room: async () => 1_000_000,
    free: reject('listen EADDRINUSE'),
    holder: reject('ENOENT: /proc/locks'),
  });
  expect(bad(findings).map(({ state, check, told }) => [state, check, told])).toEqual([
    ['wrong', 'disk', expect.stringContaining('1 MB free: must be at least 500')],
    ['skipped', 'file', expect.stringContaining('who holds it cannot be seen here')],
    ['wrong', 'port', 'listen EADDRINUSE: stop what listens there, or set HTTP_PORT'],
    ['wrong', 'port', 'listen EADDRINUSE: stop what listens there, or set ADMIN_PORT'],
  ]);
  expect(bad(await foundAlone({ folder: reject('EACCES: permission denied') }))).toMatchObject([
    { check: 'folder', told: expect.stringContaining('EACCES: permission denied: give DATA_DIR a folder') },
  ]);
});

it('takes ports in use for those of the program that holds the file', async () => {
  const findings = await foundAlone({ holder: async () => 4711, free: () => Promise.reject(new Error('EADDRINUSE')) });
  expect(bad(findings)).toEqual([]);
  expect(findings.map(({ told }) => told)).toContain('held by process 4711: while that runs, no second one can start on this DATA_DIR');
});
