/** Facts about a cluster for whoever judges them: who answers, how topics are set, and what its clock says. Changes no topic that it did not make. */
import type { Admin } from 'kafkajs';
import type { Clock } from '../../src/ports.ts';
import { type KafkaAccess, kafkaClient } from './client.ts';
import { ConfigResourceTypes } from './hidden.ts';
import { failure } from './refusals.ts';

export type TopicFacts = {
  readonly topic: string;
  readonly partitions: number;
  readonly replicas: number;
  /** message.timestamp.type */
  readonly stamp: string;
  /** Negative: for ever. */
  readonly retentionMs: number;
  readonly cleanup: string;
};
/** Topics that are not there are left out. */
export type KafkaFacts = { readonly brokers: number; readonly topics: readonly TopicFacts[] };

const STAMP = 'message.timestamp.type';
const RETENTION = 'retention.ms';
const CLEANUP = 'cleanup.policy';

/** Rejects with LOG_DOWN when nobody answers. */
export function kafkaFacts(access: KafkaAccess, topics: readonly string[]): Promise<KafkaFacts> {
  return asking(access, async (admin) => {
    const { brokers } = await admin.describeCluster();
    const all = new Set(await admin.listTopics());
    const there = topics.filter((topic) => all.has(topic));
    return { brokers: brokers.length, topics: there.length === 0 ? [] : await factsOf(admin, there) };
  });
}

async function asking<T>(access: KafkaAccess, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafkaClient(access).admin();
  try {
    await admin.connect();
    return await work(admin);
  } catch (error) {
    throw failure(error, access, 'LOG_DOWN', `Kafka at ${access.brokers.join(', ')} cannot be asked`);
  } finally {
    await admin.disconnect();
  }
}

async function factsOf(admin: Admin, topics: readonly string[]): Promise<readonly TopicFacts[]> {
  const { topics: found } = await admin.fetchTopicMetadata({ topics: [...topics] });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name, configNames: [STAMP, RETENTION, CLEANUP] })),
  });
  return found.map(({ name, partitions }) => {
    const settings = resources.find(({ resourceName }) => resourceName === name)?.configEntries ?? [];
    const setting = (wanted: string) => settings.find(({ configName }) => configName === wanted)?.configValue ?? 'absent';
    return {
      topic: name,
      partitions: partitions.length,
      replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
      stamp: setting(STAMP),
      retentionMs: Number(setting(RETENTION)),
      cleanup: setting(CLEANUP),
    };
  });
}

/** How far the brokers' clock is ahead of this one, by when they append a record to `topic`, which is made for it and deleted again. */
export function appendClock(
  access: KafkaAccess & { readonly clock: Clock },
  topic: string,
): Promise<{ readonly aheadMs: number; readonly withinMs: number }> {
  return asking(access, async (admin) => {
    const configEntries = [{ name: STAMP, value: 'LogAppendTime' }];
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries }] });
    const producer = kafkaClient(access).producer({ allowAutoTopicCreation: false });
    try {
      await producer.connect();
      const append = async () => (await producer.send({ topic, acks: -1, messages: [{ value: 'what time is it?' }] }))[0]?.logAppendTime;
      // The first one pays for finding out where the topic lies.
      await append();
      const beforeMs = access.clock.now();
      const saidMs = Number(await append());
      const afterMs = access.clock.now();
      return { aheadMs: saidMs - (beforeMs + afterMs) / 2, withinMs: (afterMs - beforeMs) / 2 };
    } finally {
      await producer.disconnect();
      await admin.deleteTopics({ topics: [topic] });
    }
  });
}
