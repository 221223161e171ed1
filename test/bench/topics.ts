/** What a bench does with Kafka itself: a backlog beforehand, how far the events are, and the raw producer as a ceiling. */
import { type Admin, Kafka, logLevel, Partitioners } from 'kafkajs';
import { readTopics } from '../../infra/dev/books-topics.ts';

const BATCH = 2_000;
const TICK_MS = 50;

export type Message = { readonly key: string; readonly value: string; readonly headers: Readonly<Record<string, string>> };
export type Topics = Awaited<ReturnType<typeof openTopics>>;

export async function openTopics(brokers: string) {
  const kafka = new Kafka({ clientId: 'locus-bench', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();

  /** Sends in batches, each awaited, as fast as one producer can; answers how long it took, ms. */
  async function send(topic: string, messages: readonly Message[]): Promise<number> {
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const startedMs = performance.now();
    for (let at = 0; at < messages.length; at += BATCH)
      await producer.send({ topic, acks: -1, messages: messages.slice(at, at + BATCH) as Message[] });
    const tookMs = performance.now() - startedMs;
    await producer.disconnect();
    return tookMs;
  }

  return {
    send,
    async create(topic: string, partitions: number): Promise<void> {
      const configEntries = [{ name: 'message.timestamp.type', value: 'LogAppendTime' }];
      await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: partitions, configEntries }] });
    },
    /** Every record of a topic, to be sent again: its partitions mixed, as they were when it was filled. */
    async messages(topic: string): Promise<readonly Message[]> {
      const [records = []] = await readTopics(brokers, [topic]);
      return [...records]
        .sort((a, b) => a.offset - b.offset)
        .map(({ key, value, headers }) => ({ key: key ?? '', value: value ?? '', headers }));
    },
    /** Watches a topic from its first record until it holds `count`: records a second between the two. */
    rate: (topic: string, count: number, limitMs: number) => rateOf(admin, topic, count, limitMs),
    stop: () => admin.disconnect(),
  };
}

async function lengthOf(admin: Admin, topic: string): Promise<number> {
  const offsets = await admin.fetchTopicOffsets(topic).catch(() => []);
  return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
}

async function rateOf(admin: Admin, topic: string, count: number, limitMs: number): Promise<number> {
  const untilMs = performance.now() + limitMs;
  let first: { readonly atMs: number; readonly length: number } | undefined;
  for (;;) {
    const length = await lengthOf(admin, topic);
    const nowMs = performance.now();
    if (first === undefined && length > 0) first = { atMs: nowMs, length };
    if (first !== undefined && length >= count) return ((length - first.length) / (nowMs - first.atMs)) * 1_000;
    if (nowMs > untilMs) throw new Error(`${topic} holds ${length} of ${count} records after ${limitMs / 1_000} s`);
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
}
