/** What a bench does with Kafka itself: a backlog beforehand, how far the events are, and the raw producer as a ceiling. */
import { type Admin, Kafka, logLevel, Partitioners } from 'kafkajs';
import { readTopics } from '../../infra/dev/books-topics.ts';

const BATCH = 1_500;
/** Asking costs the machine that is measured: seldom, until the end is near. */
const TICK_MS = { longest: 1_000, shortest: 50 };
const STILL_MS = 60_000;

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
    /** How many records it holds. */
    length: (topic: string) => lengthOf(admin, topic),
    /** Watches a topic that holds `from` records until it holds `to`: records a second since the first was seen. */
    rate: (topic: string, from: number, to: number) => rateOf(admin, topic, from, to),
    stop: () => admin.disconnect(),
  };
}

async function lengthOf(admin: Admin, topic: string): Promise<number> {
  const offsets = await admin.fetchTopicOffsets(topic).catch(() => []);
  return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
}

async function rateOf(admin: Admin, topic: string, from: number, to: number): Promise<number> {
  let first: { readonly atMs: number; readonly length: number } | undefined;
  let last = { atMs: performance.now(), length: from };
  for (;;) {
    const now = { length: await lengthOf(admin, topic), atMs: performance.now() };
    if (now.length > last.length) {
      first ??= now;
      last = now;
    }
    if (first !== undefined && now.length >= to) return ((now.length - first.length) / (now.atMs - first.atMs)) * 1_000;
    if (now.atMs - last.atMs > STILL_MS)
      throw new Error(`${topic} holds ${last.length} of ${to} records and nothing was added for ${STILL_MS / 1_000} s`);
    const leftMs =
      first === undefined || now.length === first.length ? 0 : ((to - now.length) * (now.atMs - first.atMs)) / (now.length - first.length);
    await new Promise((resolve) => setTimeout(resolve, Math.max(TICK_MS.shortest, Math.min(TICK_MS.longest, leftMs / 2))));
  }
}
