/** Sends the brokers requests that no client of kafkajs 2.2.4 sends, over a cluster of its own making. */
import type { Kafka } from 'kafkajs';

export type Asked<T> = {
  readonly request: object;
  readonly response: { decode(raw: Buffer): Promise<T>; parse(decoded: T): Promise<T> };
  /** false: an error is an answer like others, not worth a line of the log. */
  readonly logResponseError?: boolean;
};
type Node = { readonly nodeId: number };
type Broker = {
  readonly connectionPool: { send<T>(asked: Asked<T>): Promise<T> };
  findGroupCoordinator(it: { readonly groupId: string; readonly coordinatorType: number }): Promise<{ readonly coordinator: Node }>;
  fetch(it: {
    readonly maxWaitTime: number;
    readonly minBytes: number;
    readonly maxBytes: number;
    readonly topics: readonly object[];
  }): Promise<{ readonly responses: readonly { readonly partitions: readonly object[] }[] }>;
};
type Offsets = readonly {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
}[];
/** kafkajs's own class for what its clients share: connections and what is known of topics. */
export type Cluster = {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  findBroker(node: { readonly nodeId: number | string }): Promise<Broker>;
  readonly brokerPool: { findConnectedBroker(): Promise<Broker> };
  addTargetTopic(topic: string): Promise<void>;
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number }[];
  /** By the node that leads them. */
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Readonly<Record<string, readonly number[]>>;
  fetchTopicsOffset(
    topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number }[];
      readonly fromBeginning: boolean;
    }[],
  ): Promise<Offsets>;
};
/** `whom`: any broker, or the coordinator of a group. */
export type Contact = Pick<Cluster, 'connect' | 'disconnect'> & {
  ask<T>(whom: 'any' | { readonly groupId: string }, asked: Asked<T>): Promise<T>;
};

const OF_GROUPS = 0;

export function clusterOf(kafka: Kafka): Cluster {
  const made = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === 'private:Kafka:createCluster');
  const make = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[made as symbol] as (options: object) => Cluster;
  return make({ allowAutoTopicCreation: false });
}

export function contactOf(kafka: Kafka): Contact {
  const cluster = clusterOf(kafka);

  async function coordinator(groupId: string): Promise<Broker> {
    await cluster.refreshMetadata();
    // Asked by itself: of what a broker refuses it kafkajs says only that it found no coordinator.
    const broker = await cluster.brokerPool.findConnectedBroker();
    const found = await broker.findGroupCoordinator({ groupId, coordinatorType: OF_GROUPS });
    return cluster.findBroker(found.coordinator);
  }

  return {
    connect: () => cluster.connect(),
    disconnect: () => cluster.disconnect(),
    async ask(whom, asked) {
      const broker = whom === 'any' ? await cluster.brokerPool.findConnectedBroker() : await coordinator(whom.groupId);
      return broker.connectionPool.send(asked);
    },
  };
}
