/** `locus doctor`: looks at everything that a replica will need, from names to clocks, and says of each what is wrong and what to do. */
import { type Fault, LocusError, sentence } from '../errors.ts';
import { type KafkaInstruments, type KafkaPatient, kafkaFindings } from './doctor-kafka.ts';
import { type LinkInstruments, listenerIn, reached, targetOf } from './doctor-links.ts';
import { clock, type Finding, met, ok, type Skew, wrong } from './findings.ts';
import { placeIn } from './reach.ts';

/** `lacking`: rights that the user is without. */
export type LockFacts = { readonly lacking: readonly Fault[] };
/** `skew` undefined: this user may not ask for the time; `partitions`: what the store was filled from, if it is known. */
export type StoreFacts = LockFacts & {
  readonly skew: Skew | undefined;
  readonly faults: readonly Fault[];
  readonly partitions: number | undefined;
};

/** How it gets at things; whatever it meets is a rejection, whose faults, if it has any, are told one by one. */
export type Instruments = LinkInstruments & {
  readonly kafka: KafkaInstruments;
  readonly store: () => Promise<StoreFacts>;
  readonly lock: (url: string) => Promise<LockFacts>;
  /** What the device said, in words. */
  readonly device: () => Promise<string>;
};
/** What of the configuration is looked at. */
export type Patient = KafkaPatient & {
  readonly kafkaSsl: boolean;
  readonly kafkaSslCa?: string | undefined;
  readonly redisUrl: string;
  readonly lockRedisUrls: readonly string[];
  readonly redisSslCa?: string | undefined;
  readonly deviceUrl: string;
  readonly origins: Readonly<Record<string, string>>;
};

export async function examine(it: Patient, by: Instruments): Promise<readonly Finding[]> {
  const named = (variable: string) => it.origins[variable] ?? variable;
  const kafkaTls = it.kafkaSsl ? { tls: { ca: named('KAFKA_SSL_CA'), trusted: it.kafkaSslCa } } : {};
  const brokers = it.kafkaBrokers.map((text) => ({ ...placeIn(text), address: named('KAFKA_BROKERS'), ...kafkaTls }));
  const redis = (url: string, variable: string) => listenerIn(url, named(variable), { ca: named('REDIS_SSL_CA'), trusted: it.redisSslCa });
  /** Of the commands topic, and what the store was filled from. */
  let topic: number | undefined;
  let filled: number | undefined;
  const groups = await Promise.all([
    reached(brokers, by, async () => {
      const { findings, partitions } = await kafkaFindings(it, brokers, by);
      topic = partitions;
      return findings;
    }),
    reached([redis(it.redisUrl, 'REDIS_URL')], by, async () => {
      const { findings, partitions } = await store(it, by);
      filled = partitions;
      return findings;
    }),
    ...it.lockRedisUrls.map((url) => reached([redis(url, 'LOCK_REDIS_URLS')], by, () => lock(url, by))),
    device(it.deviceUrl, by),
  ]);
  const all = [...groups.flat(), ...layout(it, topic, filled)];
  // One host may serve for several things.
  const first = new Map(all.map((one) => [JSON.stringify(one), one]));
  return [...first.values()];
}

/** Locations would move to other partitions, away from what is known of them. */
function layout({ commandsTopic }: Patient, topic: number | undefined, filled: number | undefined): readonly Finding[] {
  if (topic === undefined || filled === undefined || topic === filled) return [];
  const fix = 'name the topic that it was filled from in COMMANDS_TOPIC, or an empty store in REDIS_URL';
  return [wrong('layout', commandsTopic, `it has ${topic} partitions, the store was filled with ${filled}: ${fix}`)];
}

/** A line of its own for the user, where the URL names one. */
function user(url: string): readonly Finding[] {
  const { username, password } = new URL(url);
  return username === '' && password === '' ? [] : [ok('auth', targetOf(url), `user ${decodeURIComponent(username) || 'default'}`)];
}

async function store({ redisUrl }: Patient, by: Instruments): Promise<{ findings: readonly Finding[]; partitions?: number | undefined }> {
  const target = targetOf(redisUrl);
  try {
    const { lacking, faults, skew, partitions } = await by.store();
    const durable = ok('redis', target, 'the state store answers, and is as durable as DURABILITY asks');
    const found = faults.map((fault) => wrong('redis', target, sentence(fault)));
    const time = skew === undefined ? [] : [clock(`Redis ${target}`, skew)];
    return { partitions, findings: [...user(redisUrl), ...rights(target, lacking), ...(found.length === 0 ? [durable] : found), ...time] };
  } catch (error) {
    return { findings: met(entry(error, 'redis'), target, error) };
  }
}

async function lock(url: string, by: Instruments): Promise<readonly Finding[]> {
  const target = targetOf(url);
  try {
    const { lacking } = await by.lock(url);
    return [...user(url), ...rights(target, lacking), ok('lock', target, 'answers')];
  } catch (error) {
    return met(entry(error, 'lock'), target, error);
  }
}
const rights = (target: string, lacking: readonly Fault[]): readonly Finding[] =>
  lacking.length === 0
    ? [ok('acl', target, 'all rights of a replica are there')]
    : lacking.map((fault) => wrong('acl', target, sentence(fault)));
/** Where name, listener and certificate are as they should be, it is the user who is refused. */
const entry = (error: unknown, other: string): string => (error instanceof LocusError && error.code === 'LINK_REFUSED' ? 'auth' : other);

export const device = (url: string, by: LinkInstruments & Pick<Instruments, 'device'>): Promise<readonly Finding[]> =>
  reached([listenerIn(url, 'DEVICE_URL', { ca: 'NODE_EXTRA_CA_CERTS', trusted: undefined })], by, async () => {
    try {
      return [ok('device', url, await by.device())];
    } catch (error) {
      return met('device', url, error);
    }
  });
