/** Reads a topic for a person, once from beginning to end or on and on, in a group of its own that is gone afterwards. */
import { type Admin, AssignerProtocol, type Consumer, type Kafka, type PartitionAssigner } from 'kafkajs';
import type { LogRecord } from '../../src/ports.ts';
import { type KafkaAccess, kafkaClient } from './client.ts';
import { recordOf } from './cursor.ts';
import { failure } from './refusals.ts';

export type Reading = {
  readonly topic: string;
  /** Which partitions, given how many there are; none left out by default. */
  readonly among?: (count: number) => readonly number[];
  readonly take: (record: LogRecord) => void;
  /** Goes on after what was there at first; ends when it is aborted. */
  readonly follow?: AbortSignal;
  /** Where group names begin that this program may use. */
  readonly group: string;
};

/** A record that arrives is looked at within so long. */
const LOOK_MS = 200;

/** Resolves when all that was there at the moment of asking was taken, or when it is told to end. Rejects with LOG_DOWN. */
export async function readTopic(access: KafkaAccess, reading: Reading): Promise<void> {
  const kafka = kafkaClient(access);
  const admin = kafka.admin();
  try {
    await admin.connect();
    await read(kafka, admin, reading);
  } catch (error) {
    throw failure(error, access, 'LOG_DOWN', `${reading.topic} at ${access.brokers.join(', ')} cannot be read`);
  } finally {
    await admin.disconnect();
  }
}

async function read(kafka: Kafka, admin: Admin, { topic, among, take, follow, group }: Reading): Promise<void> {
  const all = await admin.fetchTopicOffsets(topic);
  const wanted = new Set(among?.(all.length) ?? all.map(({ partition }) => partition));
  const mine = all.filter(({ partition }) => wanted.has(partition));
  const left = new Map(mine.filter(({ low, high }) => Number(high) > Number(low)).map(({ partition, high }) => [partition, Number(high)]));
  if (left.size === 0 && follow === undefined) return;
  const consumer = kafka.consumer({ groupId: group, maxWaitTimeInMs: LOOK_MS, partitionAssigners: [only(topic, [...wanted])] });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await untilRead(consumer, topic, left, take, follow);
  } finally {
    await consumer.disconnect();
    await admin.deleteGroups([group]).catch(() => undefined);
  }
}

function untilRead(
  consumer: Consumer,
  topic: string,
  left: Map<number, number>,
  take: Reading['take'],
  follow: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    follow?.addEventListener('abort', () => resolve());
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    const run = consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        for (const message of batch.messages) take(recordOf({ topic, partition: batch.partition }, message, Number(message.offset)));
        if (Number(batch.lastOffset()) + 1 >= (left.get(batch.partition) ?? 0)) left.delete(batch.partition);
        if (left.size === 0 && follow === undefined) resolve();
      },
    });
    run.catch(reject);
  });
}

/** One location lies in one partition: the others are not even fetched. */
const only =
  (topic: string, partitions: readonly number[]): PartitionAssigner =>
  () => ({
    name: 'locus-reading',
    version: 0,
    protocol: ({ topics }) => ({
      name: 'locus-reading',
      metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
    }),
    assign: async ({ members }) =>
      members.map(({ memberId }) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version: 0,
          assignment: { [topic]: [...partitions] },
          userData: Buffer.alloc(0),
        }),
      })),
  });
