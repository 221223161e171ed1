/** The Kafka part of `locus doctor`: the user, its rights, the brokers that the cluster names, topics and the clock. */
import { LocusError, why } from '../errors.ts';
import { type LinkInstruments, type Listener, looked, nameOf } from './doctor-links.ts';
import { clock, type Finding, met, ok, type Skew, skipped, wrong } from './findings.ts';
import type { Place } from './reach.ts';

export type TopicFacts = {
  readonly topic: string;
  readonly partitions: number;
  readonly replicas: number;
  /** Undefined: this user may not see them. */
  readonly settings: { readonly stamp: string; readonly retentionMs: number; readonly cleanup: string } | undefined;
};
/** `brokers`: as the cluster names them to its clients. */
export type KafkaFacts = { readonly brokers: readonly Place[]; readonly topics: readonly TopicFacts[] };
export type KafkaInstruments = {
  /** Connects as the user. */
  readonly login: () => Promise<void>;
  /** Asks for every right of a replica. */
  readonly rights: () => Promise<void>;
  readonly facts: () => Promise<KafkaFacts>;
  readonly clock: () => Promise<Skew>;
};
/** What of the configuration is looked at. */
export type KafkaPatient = {
  readonly kafkaBrokers: readonly string[];
  readonly kafkaSaslMechanism?: string | undefined;
  readonly kafkaSaslUsername?: string | undefined;
  readonly commandsTopic: string;
  readonly bulkTopic: string;
  readonly eventsTopic: string;
  readonly deadLettersTopic: string;
};
type By = LinkInstruments & { readonly kafka: KafkaInstruments };

/** `partitions`: of the commands topic, if it is there. */
export async function kafkaFindings(
  it: KafkaPatient,
  listeners: readonly Listener[],
  by: By,
): Promise<{ readonly findings: readonly Finding[]; readonly partitions?: number }> {
  const target = it.kafkaBrokers.join(',');
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: user } = it;
  const entry = await by.kafka.login().then(
    () => (mechanism === undefined ? [] : [ok('sasl', target, `${mechanism}, user ${user}`)]),
    (error: unknown) => met(mechanism !== undefined && isRefusal(error) ? 'sasl' : 'kafka', target, error),
  );
  if (entry.some(({ state }) => state === 'wrong')) return { findings: entry };
  const rights = await by.kafka.rights().then(
    () => [ok('acl', target, 'all rights of a replica are there')],
    (error: unknown) => met('acl', target, error),
  );
  try {
    const facts = await by.kafka.facts();
    const partitions = facts.topics.find(({ topic }) => topic === it.commandsTopic)?.partitions;
    const brokers = ok('kafka', target, `answers, ${facts.brokers.length} broker${facts.brokers.length === 1 ? '' : 's'}`);
    const findings = [
      ...entry,
      brokers,
      ...(await advertised(facts.brokers, listeners, by)),
      ...rights,
      ...topics(it, facts.topics),
      await kafkaClock(target, by),
    ];
    return { findings, ...(partitions === undefined ? {} : { partitions }) };
  } catch (error) {
    return { findings: [...entry, ...rights, ...met('kafka', target, error)] };
  }
}

const isRefusal = (error: unknown): boolean => error instanceof LocusError && error.code === 'LINK_REFUSED';

/** A client goes on to the names that the cluster tells it, whatever name it came by. */
async function advertised(brokers: readonly Place[], listeners: readonly Listener[], by: By): Promise<readonly Finding[]> {
  const known = new Set(listeners.map(nameOf));
  const others = brokers.filter((broker) => !known.has(nameOf(broker)));
  const as = listeners.slice(0, 1);
  const all = await Promise.all(as.flatMap((first) => others.map((broker) => looked({ ...first, ...broker }, by))));
  return all
    .flat()
    .map((it) =>
      it.state === 'ok' ? it : { ...it, told: `${it.told} (a broker says that it is reached so: see its advertised.listeners)` },
    );
}

async function kafkaClock(target: string, by: By): Promise<Finding> {
  try {
    return clock(`Kafka ${target}`, await by.kafka.clock());
  } catch (error) {
    return skipped('clock', `Kafka ${target}`, `not measured: ${why(error)}`);
  }
}

const DAY_MS = 86_400_000;
const configs = (topic: string, setting: string) =>
  `kafka-configs --alter --entity-type topics --entity-name ${topic} --add-config ${setting}`;

function topics(it: KafkaPatient, found: readonly TopicFacts[]): readonly Finding[] {
  const commands = found.find(({ topic }) => topic === it.commandsTopic);
  const lanes = [it.commandsTopic, it.bulkTopic];
  /** Those that must have as many partitions as the commands topic, by the variable that names them. */
  const alike = new Map([
    [it.bulkTopic, 'BULK_TOPIC'],
    [it.eventsTopic, 'EVENTS_TOPIC'],
  ]);
  return [...lanes, it.eventsTopic, it.deadLettersTopic].map((name) => {
    const facts = found.find(({ topic }) => topic === name);
    if (facts === undefined) return ok('topic', name, 'not there yet: the first replica creates it');
    const says = topicFaults(facts, lanes.includes(name));
    const variable = alike.get(name);
    if (variable !== undefined && commands !== undefined && facts.partitions !== commands.partitions)
      says.unshift(
        `it has ${facts.partitions} partitions, and ${commands.topic} ${commands.partitions}: name another topic in ${variable}`,
      );
    if (says.length > 0) return wrong('topic', name, says.join('; '));
    const { partitions, replicas, settings } = facts;
    const told = `${partitions} partitions, ${replicas} replica${replicas === 1 ? '' : 's'}`;
    if (settings === undefined) return skipped('topic', name, `${told}; its settings were not looked at: that takes DescribeConfigs`);
    const kept = settings.retentionMs < 0 ? 'kept for ever' : `kept ${Math.round(settings.retentionMs / 3_600_000)} h`;
    return ok('topic', name, `${told}, ${kept}, ${settings.stamp}`);
  });
}

function topicFaults({ topic, settings }: TopicFacts, isLane: boolean): string[] {
  if (settings === undefined) return [];
  const { stamp, retentionMs, cleanup } = settings;
  const says: string[] = [];
  if (cleanup !== 'delete')
    says.push(
      `cleanup.policy is ${cleanup}: must be delete, else records of one location push each other out: ${configs(topic, 'cleanup.policy=delete')}`,
    );
  if (isLane && stamp !== 'LogAppendTime')
    says.push(`message.timestamp.type is ${stamp}: must be LogAppendTime: ${configs(topic, 'message.timestamp.type=LogAppendTime')}`);
  if (isLane && retentionMs >= 0 && retentionMs < DAY_MS)
    says.push(
      `retention.ms is ${retentionMs}: must be at least a day, else an outage over night loses commands: ${configs(topic, `retention.ms=${7 * DAY_MS}`)}`,
    );
  return says;
}
