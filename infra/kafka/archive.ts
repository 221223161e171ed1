/** Looks into topics for people: fetches as a consumer does, but in no group, so that it needs a right to the topic and no other. */
import { createRequire } from 'node:module';
import { LocusError, sentence } from '../../src/errors.ts';
import type { Archive } from '../../src/ports.ts';
import { type KafkaAccess, kafkaClient } from './client.ts';
import { type Cluster, clusterOf } from './contact.ts';
import { recordOf } from './cursor.ts';
import { lacking, told } from './refusals.ts';
import type { Placeholder } from './unreadable.ts';

const require = createRequire(import.meta.url);

/** A page; one record that is larger comes whole all the same. */
const BYTES_MAX = 1_048_576;
/** Brokers answer at once when there is something, which the bounds have said before. */
const WAIT_MS = 200;

/** Connects when it is first asked. */
export function kafkaArchive(access: KafkaAccess): Archive {
  let open: Promise<Cluster> | undefined;

  async function connected(): Promise<Cluster> {
    const cluster = clusterOf(kafkaClient(access));
    await cluster.connect();
    return cluster;
  }
  async function letGo(last: Promise<Cluster> | undefined): Promise<void> {
    if (open === last) open = undefined;
    await last?.then((cluster) => cluster.disconnect()).catch(() => undefined);
  }
  async function looking<T>(topic: string, work: (cluster: Cluster) => Promise<T>): Promise<T> {
    for (;;) {
      const isNew = open === undefined;
      open ??= connected();
      const mine = open;
      try {
        const cluster = await mine;
        await cluster.addTargetTopic(topic);
        return await work(cluster);
      } catch (error) {
        await letGo(mine);
        // An old connection may have been closed, or a partition moved, since somebody looked last.
        if (isNew) throw new LocusError('LOG_DOWN', `${topic} cannot be read: ${reason(error, access, topic)}`);
      }
    }
  }

  return {
    stop: () => letGo(open),
    bounds: (topic) =>
      looking(topic, async (cluster) => {
        const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => ({ partition: partitionId }));
        const ends = await Promise.all(
          [true, false].map(async (fromBeginning) => {
            const [found] = await cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning }]);
            return new Map(found?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
          }),
        );
        return partitions.map((_, n) => ({ low: ends[0]?.get(n) ?? 0, high: ends[1]?.get(n) ?? 0 }));
      }),
    read: (at, from) => looking(at.topic, (cluster) => fetched(cluster, at, from)),
  };
}

async function fetched(cluster: Cluster, at: Parameters<Archive['read']>[0], from: number): ReturnType<Archive['read']> {
  const { topic, partition } = at;
  const [nodeId = ''] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]));
  const broker = await cluster.findBroker({ nodeId });
  const asked = [{ topic, partitions: [{ partition, fetchOffset: String(from), maxBytes: BYTES_MAX }] }];
  const { responses } = await broker.fetch({ maxWaitTime: WAIT_MS, minBytes: 1, maxBytes: BYTES_MAX, topics: asked });
  const [answer] = responses[0]?.partitions ?? [];
  if (answer === undefined) return { records: [], next: from };
  const Batch: new (topic: string, from: string, answer: object) => Read = require('kafkajs/src/consumer/batch.js');
  const batch = new Batch(topic, String(from), answer);
  const records = batch.messages.map((message) => recordOf(at, message, Number(message.offset)));
  // Beyond the last record may lie markers of transactions, which nobody is shown.
  return { records, next: batch.rawMessages.length === 0 ? from : Math.max(from, Number(batch.lastOffset()) + 1) };
}
/** kafkajs's own class for what a fetch brought of one partition: without what lies below, was aborted, or is a marker. */
type Read = { readonly messages: readonly Placeholder[]; readonly rawMessages: readonly unknown[]; lastOffset(): string };

function reason(error: unknown, access: KafkaAccess, topic: string): string {
  const isForbidden = (error as { type?: unknown }).type === 'TOPIC_AUTHORIZATION_FAILED';
  return isForbidden ? sentence(lacking(access.sasl, ['Read'], 'topic', topic)) : told(error, access);
}
