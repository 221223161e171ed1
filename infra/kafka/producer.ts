/** Events, commands and dead letters to Kafka, each acknowledged by all in-sync replicas. */
import type { Message } from 'kafkajs';
import type { Clock, LogMessage, LogWriter } from '../../src/ports.ts';
import type { KafkaAccess } from './client.ts';
import { Outlet } from './outlet.ts';
import { sender } from './sender.ts';
import { threadedSender } from './threaded-sender.ts';

export type KafkaWriterOptions = KafkaAccess & {
  readonly clock: Clock;
  readonly eventsTopic: string;
  readonly deadLettersTopic: string;
};

/** Two producers, so that a person's command does not wait behind a batch of events, nor events behind commands; the events' has its own thread. */
export function kafkaWriter(options: KafkaWriterOptions): LogWriter {
  const { clock, eventsTopic, deadLettersTopic, ...access } = options;
  const events = new Outlet(() => threadedSender(access), clock, access.log);
  const others = new Outlet(() => sender(access), clock, access.log);
  return {
    async start() {
      await Promise.all([events.start(), others.start()]);
    },
    async stop() {
      await Promise.all([events.stop(), others.stop()]);
    },
    events: (batch) =>
      events.send(
        eventsTopic,
        batch.map(({ address, text }) => ({ key: address, value: text })),
      ),
    command: (topic, message, partition) => others.send(topic, [messageOf(message, partition)]),
    deadLetter: (message) => others.send(deadLettersTopic, [messageOf(message)]),
  };
}

function messageOf({ key, value, headers }: LogMessage, partition?: number): Message {
  return {
    key: asBuffer(key),
    value: asBuffer(value),
    ...(headers === undefined
      ? undefined
      : { headers: Object.fromEntries(Object.entries(headers).map(([name, it]) => [name, asBuffer(it)])) }),
    ...(partition === undefined ? undefined : { partition }),
  };
}

/** kafkajs knows strings and Buffers, no other bytes. */
function asBuffer<T extends string | Uint8Array | null>(value: T): Buffer | Extract<T, string | null> {
  if (value instanceof Uint8Array) return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return value as Extract<T, string | null>;
}
