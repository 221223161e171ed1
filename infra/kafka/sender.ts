/** One idempotent kafkajs producer, here or in a thread of its own. */
import type { ICustomPartitioner, Message, PartitionerArgs, TopicMessages } from 'kafkajs';
import { partitionOf } from '../../src/message/partition.ts';
import { type KafkaAccess, kafkaClient, RETRY } from './client.ts';
import { mayHaveBeenSent } from './patches.ts';

/** Lives as long as it can be trusted: after a failure its sequence numbers no longer say what the brokers have. */
export type Sender = {
  /** Resolves when all in-sync replicas have all of them. */
  send(topicMessages: TopicMessages[]): Promise<void>;
  /** Of a send that failed: may any of these be in the log? */
  mayBeThere(messages: readonly Message[]): boolean;
  end(): Promise<void>;
};

/** Resolves once connected. */
export async function sender(access: KafkaAccess): Promise<Sender> {
  const producer = kafkaClient(access).producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: partitioner,
    retry: RETRY,
  });
  await producer.connect();
  return {
    async send(topicMessages) {
      await producer.sendBatch({ acks: -1, topicMessages });
    },
    mayBeThere: mayHaveBeenSent,
    end: () => producer.disconnect(),
  };
}

/** Without a key by the value: kafkajs asks again when it sends again, and a message must not change its place then. */
const partitioner: ICustomPartitioner =
  () =>
  ({ message, partitionMetadata }: PartitionerArgs) => {
    if (message.partition !== undefined) return message.partition;
    const placedBy = message.key ?? message.value ?? '';
    const count = partitionMetadata.length;
    return partitionOf(placedBy, count);
  };
