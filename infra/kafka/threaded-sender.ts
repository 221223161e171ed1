/** A sender in a thread of its own: putting records into Kafka's form costs as much as deciding them, and need not delay what is decided next. */
import { Worker } from 'node:worker_threads';
import type { TopicMessages } from 'kafkajs';
import type { Log } from '../../src/ports.ts';
import type { KafkaAccess } from './client.ts';
import type { Sender } from './sender.ts';

/** What a thread can be given: no function crosses. */
export type ThreadAccess = Pick<KafkaAccess, 'brokers' | 'clientId' | 'tls' | 'sasl'>;
/** Keys and values in turn, one to a line: one long text crosses threads for a fraction of what many small objects cost. */
export type Parcel = { readonly topic: string; readonly lines: string };
/** Without parcels: the end. */
export type Order = { readonly id: number; readonly parcels?: readonly Parcel[] };
type Told = { readonly name: string; readonly message: string; readonly type: string; readonly code: string };
/** `id` 0: connected, or not. */
export type Answer =
  | { readonly kind: 'done'; readonly id: number }
  | { readonly kind: 'failed'; readonly id: number; readonly error: Told }
  | { readonly kind: 'log'; readonly level: keyof Log; readonly fields: object; readonly message: string };
type Waiting = { readonly done: () => void; readonly failed: (error: Error) => void };

/** Node 20 runs no TypeScript in threads: from the sources the compiled one is taken. */
const THREAD = new URL(import.meta.url.endsWith('.ts') ? '../../dist/infra/kafka/sender-thread.js' : './sender-thread.js', import.meta.url);

/** For events: keys and values are text without line breaks, and the headers are always the same. Resolves once connected. */
export async function threadedSender({ log, brokers, clientId, tls, sasl }: KafkaAccess): Promise<Sender> {
  const workerData: ThreadAccess = { brokers, clientId, tls, sasl };
  const worker = new Worker(THREAD, { workerData, name: 'events' });
  const waiting = new Map<number, Waiting>();
  let gone: Error | undefined;
  let last = 0;

  worker.on('message', (answer: Answer) => {
    if (answer.kind === 'log') return log[answer.level](answer.fields, answer.message);
    const call = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.kind === 'done') return call?.done();
    const { message, ...rest } = answer.error;
    call?.failed(Object.assign(new Error(message), rest));
  });
  const over = (error: Error) => {
    gone ??= error;
    for (const call of waiting.values()) call.failed(gone);
    waiting.clear();
  };
  worker.on('error', over);
  worker.on('exit', (code) => over(new Error(`the thread that publishes events ended with ${code}`)));

  const ask = (id: number, order?: Order) =>
    new Promise<void>((done, failed) => {
      if (gone !== undefined) return failed(gone);
      waiting.set(id, { done, failed });
      if (order !== undefined) worker.postMessage(order);
    });
  try {
    await ask(0);
  } catch (error) {
    await worker.terminate();
    throw error;
  }
  return {
    send: (topicMessages) => ask(++last, { id: last, parcels: topicMessages.map(packed) }),
    // Not told by the thread, and nobody needs to know: events are sent again either way.
    mayBeThere: () => true,
    async end() {
      try {
        await ask(++last, { id: last });
      } finally {
        await worker.terminate();
      }
    },
  };
}

function packed({ topic, messages }: TopicMessages): Parcel {
  let lines = '';
  for (const { key, value } of messages) lines += `${key}\n${value}\n`;
  return { topic, lines };
}
