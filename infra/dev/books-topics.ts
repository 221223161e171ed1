/** Reads whole topics as they lie there, with a plain consumer: kafkajs is allowed here, so that the books need nothing of the program's own. */
import { type Admin, Kafka, logLevel, type Message } from 'kafkajs';
import type { Raw } from './books-records.ts';

/** Every record of each topic that was there at the moment of asking, per partition in its order. */
export async function readTopics(brokers: string, topics: readonly string[]): Promise<readonly (readonly Raw[])[]> {
  const kafka = new Kafka({ clientId: 'locus-books', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await Promise.all(topics.map((topic) => readTopic(kafka, admin, topic)));
  } finally {
    await admin.disconnect();
  }
}

async function readTopic(kafka: Kafka, admin: Admin, topic: string): Promise<readonly Raw[]> {
  const ends = await admin.fetchTopicOffsets(topic);
  const left = new Map(ends.filter(({ high, low }) => Number(high) > Number(low)).map(({ partition, high }) => [partition, Number(high)]));
  if (left.size === 0) return [];
  const groupId = `locus-books-${topic}-${process.pid}-${Date.now()}`;
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 200 });
  const records: Raw[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
      const eachBatch = async ({ batch }: { batch: { partition: number; messages: Stored[]; lastOffset(): string } }) => {
        for (const message of batch.messages) records.push(rawOf(topic, batch.partition, message));
        if (Number(batch.lastOffset()) + 1 >= (left.get(batch.partition) ?? 0)) left.delete(batch.partition);
        if (left.size === 0) resolve();
      };
      consumer.run({ autoCommit: false, eachBatch }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
    await admin.deleteGroups([groupId]).catch(() => undefined);
  }
  return records;
}

type Stored = Pick<Message, 'key' | 'value' | 'headers'> & { readonly offset: string; readonly timestamp: string };

const rawOf = (topic: string, partition: number, message: Stored): Raw => ({
  topic,
  partition,
  offset: Number(message.offset),
  key: message.key?.toString() ?? null,
  value: message.value?.toString() ?? null,
  headers: Object.fromEntries(
    Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(Array.isArray(value) ? value.at(-1) : value)]),
  ),
  appendedMs: Number(message.timestamp),
});
