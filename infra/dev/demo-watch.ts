/** Follows the events topic while the demo runs: which outcomes are there and which intents are open; kafkajs is allowed here, the demo looks on from outside. */
import { Kafka, logLevel } from 'kafkajs';
import { eventFact } from './books-records.ts';
import type { Sent } from './demo-load.ts';

export type Watch = {
  readonly figures: { done: number; refused: number };
  /** Intents whose settlement was not seen yet. */
  open(): number;
  expect(sent: readonly Sent[]): void;
  /** Commands that were sent and have no outcome yet. */
  missing(): readonly string[];
  stop(): Promise<void>;
};

export async function startWatch(brokers: string, topic: string): Promise<Watch> {
  const kafka = new Kafka({ clientId: 'locus-demo-watch', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `${topic}-watch`, maxWaitTimeInMs: 100 });
  const figures = { done: 0, refused: 0 };
  const awaited = new Set<string>();
  const settled = new Set<string>();
  const intents = new Set<string>();

  function see(key: string | null, value: string | null): void {
    const event = eventFact({ topic, partition: 0, offset: 0, key, value, headers: {}, appendedMs: 0 });
    if ('bad' in event) return;
    const name = `${event.address} ${event.commandId}`;
    const status = event.outcome?.status;
    const isFinal = status === 'done' || status === 'refused';
    if (event.type === 'DispenseIntended' && !settled.has(name)) intents.add(name);
    if (!isFinal || settled.has(name)) return;
    figures[status]++;
    settled.add(name);
    intents.delete(name);
    awaited.delete(name);
  }

  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const { key, value } of batch.messages) see(key?.toString() ?? null, value?.toString() ?? null);
    },
  });
  return {
    figures,
    open: () => intents.size,
    expect(sent) {
      for (const { address, commandId } of sent) {
        const name = `${address} ${commandId}`;
        if (!settled.has(name)) awaited.add(name);
      }
    },
    missing: () => [...awaited],
    stop: () => consumer.disconnect(),
  };
}
