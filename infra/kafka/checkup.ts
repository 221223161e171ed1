/** Facts about a cluster for whoever judges them: who answers, how topics are set, and what its clock says. Changes no topic that it did not make. */
import type { Admin, RetryOptions } from 'kafkajs';
import { LocusError } from '../../src/errors.ts';
import type { Clock } from '../../src/ports.ts';
import { type KafkaAccess, kafkaClient, RETRY } from './client.ts';
import { ConfigResourceTypes } from './hidden.ts';
import { failure } from './refusals.ts';
import { refusedIn } from './topics.ts';

export type TopicFacts = {
  readonly topic: string;
  readonly partitions: number;
  readonly replicas: number;
  /** Undefined: without the right to DescribeConfigs, which a replica needs for its lanes alone. */
  readonly settings: Settings | undefined;
};
type Settings = {
  /** message.timestamp.type */
  readonly stamp: string;
  /** Negative: for ever. */
  readonly retentionMs: number;
  readonly cleanup: string;
};
/** Brokers as the cluster names them to its clients. Topics that are not there are left out. */
export type KafkaFacts = {
  readonly brokers: readonly { readonly host: string; readonly port: number }[];
  readonly topics: readonly TopicFacts[];
};

const STAMP = 'message.timestamp.type';
const RETENTION = 'retention.ms';
const CLEANUP = 'cleanup.policy';

/** Connects as the user and leaves again. Rejects with LINK_REFUSED, or with LOG_DOWN when nobody answers: at once, as kafkajs repeats refusals too. */
export const kafkaLogin = (access: KafkaAccess): Promise<void> => asking(access, async () => {}, { ...RETRY, retries: 0 });

/** Rejects with LOG_DOWN when nobody answers. */
export function kafkaFacts(access: KafkaAccess, topics: readonly string[]): Promise<KafkaFacts> {
  return asking(access, async (admin) => {
    const { brokers } = await admin.describeCluster();
    const all = new Set(await admin.listTopics());
    const there = topics.filter((topic) => all.has(topic));
    const places = brokers.map(({ host, port }) => ({ host, port }));
    return { brokers: places, topics: there.length === 0 ? [] : await factsOf(admin, there) };
  });
}

async function asking<T>(access: KafkaAccess, work: (admin: Admin) => Promise<T>, retry: RetryOptions = RETRY): Promise<T> {
  const admin = kafkaClient(access, retry).admin();
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
  return Promise.all(
    found.map(async ({ name, partitions }) => ({
      topic: name,
      partitions: partitions.length,
      replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
      settings: await settingsOf(admin, name),
    })),
  );
}

async function settingsOf(admin: Admin, name: string): Promise<Settings | undefined> {
  const resources = [{ type: ConfigResourceTypes.TOPIC, name, configNames: [STAMP, RETENTION, CLEANUP] }];
  try {
    const { resources: found } = await admin.describeConfigs({ includeSynonyms: false, resources });
    const setting = (wanted: string) => found[0]?.configEntries.find(({ configName }) => configName === wanted)?.configValue ?? 'absent';
    return { stamp: setting(STAMP), retentionMs: Number(setting(RETENTION)), cleanup: setting(CLEANUP) };
  } catch (error) {
    if ((error as { type?: unknown }).type === 'TOPIC_AUTHORIZATION_FAILED') return undefined;
    throw error;
  }
}

/** How far the brokers' clock is ahead of this one, by when they append a record to `topic`, which is made for it and deleted again. */
export function appendClock(
  access: KafkaAccess & { readonly clock: Clock },
  topic: string,
): Promise<{ readonly aheadMs: number; readonly withinMs: number }> {
  return asking(access, async (admin) => {
    const configEntries = [{ name: STAMP, value: 'LogAppendTime' }];
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries }] }).catch((error: unknown) => {
      const isRefused = refusedIn(error).length > 0;
      throw isRefused
        ? new LocusError('LOG_DOWN', `this user may not create ${topic}, which it is measured with: see docs/links.md`)
        : error;
    });
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
