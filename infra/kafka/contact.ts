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
};
type Cluster = {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  findBroker(node: Node): Promise<Broker>;
  readonly brokerPool: { findConnectedBroker(): Promise<Broker> };
};
/** `whom`: any broker, or the coordinator of a group. */
export type Contact = Pick<Cluster, 'connect' | 'disconnect'> & {
  ask<T>(whom: 'any' | { readonly groupId: string }, asked: Asked<T>): Promise<T>;
};

const OF_GROUPS = 0;

export function contactOf(kafka: Kafka): Contact {
  const made = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === 'private:Kafka:createCluster');
  const make = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[made as symbol] as (options: object) => Cluster;
  const cluster = make({ allowAutoTopicCreation: false });

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
