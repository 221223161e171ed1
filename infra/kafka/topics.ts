/** Creates the topics that are missing and checks those that are there: a location must stay in its partition for ever. */
import type { Admin } from 'kafkajs';
import { type Fault, fault, LocusError, linkRefused, sentence } from '../../src/errors.ts';
import { type KafkaAccess, kafkaClient } from './client.ts';
import { ConfigResourceTypes } from './hidden.ts';
import { failure, lacking } from './refusals.ts';

export type TopicsOptions = KafkaAccess & {
  /** Lane topics, customer first. */
  readonly commands: readonly string[];
  readonly events: string;
  readonly deadLetters: string;
  /** For topics that are created where none of the others is there yet. */
  readonly partitions: number;
};

/** Everything here is judged by when the log appended it, never by what a producer's clock said. */
const STAMP = 'message.timestamp.type';
const APPEND_TIME = 'LogAppendTime';
/** As many replicas as the brokers' own default says. */
const DEFAULT_REPLICATION = -1;

/** How many partitions each lane topic has. Throws TOPICS_INVALID naming every topic that is not as it must be. */
export async function ensureTopics(options: TopicsOptions): Promise<number> {
  const admin = kafkaClient(options).admin();
  try {
    await admin.connect();
    await create(admin, options);
    return await verified(admin, options);
  } catch (error) {
    throw failure(error, options, 'LOG_DOWN', `the topics at ${options.brokers.join(', ')} cannot be checked`);
  } finally {
    await admin.disconnect();
  }
}

async function create(admin: Admin, { commands, events, deadLetters, partitions, sasl }: TopicsOptions): Promise<void> {
  const wanted = [...commands, events, deadLetters];
  const there = new Set(await admin.listTopics());
  const missing = wanted.filter((topic) => !there.has(topic));
  if (missing.length === 0) return;
  const counts = await countsOf(
    admin,
    [...commands, events].filter((topic) => there.has(topic)),
  );
  const numPartitions = [...counts.values()][0] ?? partitions;
  const topics = missing.map((topic) => ({
    topic,
    numPartitions,
    replicationFactor: DEFAULT_REPLICATION,
    configEntries: [{ name: STAMP, value: APPEND_TIME }],
  }));
  try {
    await admin.createTopics({ topics });
  } catch (error) {
    const refused = refusedIn(error).map(({ topic }) => lacking(sasl, ['Create'], 'topic', topic));
    throw refused.length > 0 ? linkRefused(refused) : error;
  }
}

/** kafkajs gathers an error of each topic. */
export function refusedIn(error: unknown): readonly { readonly topic: string }[] {
  const { errors = [] } = error as { readonly errors?: readonly { readonly topic: string; readonly type?: unknown }[] };
  return errors.filter(({ type }) => String(type).endsWith('_AUTHORIZATION_FAILED'));
}

async function verified(admin: Admin, { commands, events }: TopicsOptions): Promise<number> {
  const [first = ''] = commands;
  const counts = await countsOf(admin, [...commands, events]);
  const count = counts.get(first) ?? 0;
  const uneven = [...counts]
    .filter(([, found]) => found !== count)
    .map(([topic, found]) => fault('TOPICS_INVALID', `partitions of ${topic}`, found, `must be ${count}, as ${first} has`));
  const faults = [...uneven, ...(await stampFaults(admin, commands))];
  if (faults.length > 0) throw new LocusError('TOPICS_INVALID', faults.map(sentence).join('; '), { faults });
  return count;
}

async function stampFaults(admin: Admin, topics: readonly string[]): Promise<readonly Fault[]> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name, configNames: [STAMP] })),
  });
  const fix = (topic: string) => `kafka-configs --alter --entity-type topics --entity-name ${topic} --add-config ${STAMP}=${APPEND_TIME}`;
  return resources.flatMap(({ resourceName, configEntries }) => {
    const found = configEntries.find(({ configName }) => configName === STAMP)?.configValue;
    if (found === APPEND_TIME) return [];
    return [fault('TOPICS_INVALID', `${STAMP} of ${resourceName}`, found, `must be ${APPEND_TIME}: ${fix(resourceName)}`)];
  });
}

async function countsOf(admin: Admin, topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
  if (topics.length === 0) return new Map();
  const { topics: found } = await admin.fetchTopicMetadata({ topics: [...topics] });
  return new Map(found.map(({ name, partitions }) => [name, partitions.length]));
}
