/** What `locus doctor` makes of what its instruments find: one line each, with the fix, and whether all is well. */
import { expect, it } from 'vitest';
import { examine, examineAlone, type Finding, type Instruments, type Patient, report, type TopicFacts } from '../../src/cli/doctor.ts';
import { fault, LocusError } from '../../src/errors.ts';

const patient: Patient = {
  kafkaBrokers: ['kafka-1:9092', 'kafka-2:9092'],
  redisUrl: 'redis://user:secret@store',
  lockRedisUrls: ['redis://lock-1:6379', 'redis://lock-2:6380', 'redis://lock-3:6379'],
  deviceUrl: 'http://device:7070',
  commandsTopic: 'locus.commands',
  bulkTopic: 'locus.commands.bulk',
  eventsTopic: 'locus.events',
  deadLettersTopic: 'locus.dead-letters',
};
const topicFacts = (topic: string, more: Partial<TopicFacts> = {}): TopicFacts => ({
  topic,
  partitions: 12,
  replicas: 3,
  stamp: 'LogAppendTime',
  retentionMs: 604_800_000,
  cleanup: 'delete',
  ...more,
});
const topics = [
  topicFacts('locus.commands'),
  topicFacts('locus.commands.bulk'),
  topicFacts('locus.events'),
  topicFacts('locus.dead-letters'),
];
const exact = { aheadMs: 3, withinMs: 2 };
const healthy: Instruments = {
  resolve: async () => ['10.0.0.1'],
  connect: async () => 2,
  kafka: async () => ({ brokers: 3, topics }),
  kafkaClock: async () => exact,
  store: async () => ({ ...exact, faults: [], partitions: 12 }),
  lock: async () => exact,
  device: async () => 'answers, its journal is 0123',
};
const bad = (findings: readonly Finding[]) => findings.filter(({ state }) => state !== 'ok');
const found = (more: Partial<Instruments>, of: Partial<Patient> = {}) => examine({ ...patient, ...of }, { ...healthy, ...more });
const kafkaWith = (...changed: TopicFacts[]): Partial<Instruments> => ({
  kafka: async () => ({ brokers: 3, topics: topics.map((it) => changed.find(({ topic }) => topic === it.topic) ?? it) }),
});

it('says of everything that it is well, and exits 0', async () => {
  const findings = await found({});
  expect(bad(findings)).toEqual([]);
  expect(new Set(findings.map(({ check }) => check))).toEqual(
    new Set(['dns', 'tcp', 'kafka', 'topic', 'clock', 'redis', 'lock', 'device']),
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

it('tells each fault of a link, or the reason when there is none', async () => {
  const faults = [
    fault('STORE_POLICY', 'KAFKA_SASL_PASSWORD', 'refused', 'write the right one'),
    fault('STORE_POLICY', 'ACL', 'no', 'grant it'),
  ];
  const findings = await found({
    kafka: () => Promise.reject(new LocusError('LOG_DOWN', 'refused', { faults })),
    lock: () => Promise.reject(new Error('Redis cannot be reached', { cause: new Error('WRONGPASS') })),
    device: () => Promise.reject(new Error('no answer from the device in 2000 ms')),
  });
  expect(bad(findings).map(({ check, told }) => [check, told])).toEqual([
    ['kafka', 'KAFKA_SASL_PASSWORD is "refused": write the right one'],
    ['kafka', 'ACL is "no": grant it'],
    ...['lock-1', 'lock-2', 'lock-3'].map(() => ['lock', 'Redis cannot be reached: WRONGPASS']),
    ['device', 'no answer from the device in 2000 ms'],
  ]);
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
  const findings = await found({ kafka: async () => ({ brokers: 1, topics: [] }) });
  expect(bad(findings)).toEqual([]);
  expect(findings).toContainEqual({
    state: 'ok',
    check: 'topic',
    target: 'locus.commands',
    told: 'not there yet: the first replica creates it',
  });
});

it('compares the topic with what the store was filled from', async () => {
  const findings = await found({ store: async () => ({ ...exact, faults: [], partitions: 6 }) });
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
  expect(bad(await found({ store: async () => ({ ...exact, faults, partitions: undefined }) }))).toEqual([
    {
      state: 'wrong',
      check: 'redis',
      target: 'store:6379',
      told: 'appendfsync is "everysec": must be always: CONFIG SET appendfsync always',
    },
  ]);
});

it('compares clocks, no finer than it can see', async () => {
  const late = await found({ kafkaClock: async () => ({ aheadMs: -2_500, withinMs: 4 }) });
  expect(bad(late)).toMatchObject([{ check: 'clock', target: 'Kafka kafka-1:9092,kafka-2:9092' }]);
  expect(bad(late)[0]?.told).toContain('2500 ms behind this machine, within 4 ms: must be within 1000 ms');
  const store = await found({ store: async () => ({ aheadMs: 1_400, withinMs: 10, faults: [], partitions: 12 }) });
  expect(bad(store)).toMatchObject([{ check: 'clock', target: 'Redis store:6379' }]);
  expect(bad(await found({ kafkaClock: async () => ({ aheadMs: 1_400, withinMs: 500 }) }))).toEqual([]);
});

it('does not call wrong what it was not allowed to measure', async () => {
  const findings = await found({ kafkaClock: () => Promise.reject(new Error('Topic authorization failed')) });
  expect(bad(findings)).toMatchObject([{ state: 'skipped', check: 'clock', told: 'not measured: Topic authorization failed' }]);
  expect(report(findings, 'text').exit).toBe(0);
});

it('looks at an embedded replica: its folder, and a device only if it names one', async () => {
  const folder = async () => 'may be written to';
  const alone = await examineAlone({ dataDir: './data', deviceUrl: undefined }, { ...healthy, folder });
  expect(alone).toEqual([{ state: 'ok', check: 'folder', target: './data', told: 'may be written to' }]);
  const refused = () => Promise.reject(new Error('EACCES: permission denied'));
  const findings = await examineAlone({ dataDir: '/data', deviceUrl: 'http://device:7070' }, { ...healthy, folder: refused });
  expect(bad(findings)).toMatchObject([
    { check: 'folder', told: expect.stringContaining('EACCES: permission denied: give DATA_DIR a folder') },
  ]);
  expect(findings.at(-1)).toMatchObject({ state: 'ok', check: 'device' });
});
