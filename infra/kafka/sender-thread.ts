/** The thread of a sender: what it is told to send goes out from here, its log and its answers go back. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Message, TopicMessages } from 'kafkajs';
import { why } from '../../src/errors.ts';
import type { Log } from '../../src/ports.ts';
import { type Sender, sender } from './sender.ts';
import type { Answer, Order, Parcel, ThreadAccess } from './threaded-sender.ts';

const EVENT_HEADERS = { 'content-type': 'application/cloudevents+json' };
const port = parentPort;
if (port === null) throw new Error('sender-thread.ts runs as a worker thread');
const answer = (it: Answer) => port.postMessage(it);
const say = (level: keyof Log) => (fields: object, message: string) => answer({ kind: 'log', level, fields, message });
const log: Log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };

/** What tells kafkajs's errors apart, as far as it survives the way between threads; the message has those of its causes with it. */
function failed(id: number, error: unknown): Answer {
  const { name, type, code } = error as { name?: string; type?: unknown; code?: unknown };
  return { kind: 'failed', id, error: { name: String(name), message: why(error), type: String(type), code: String(code) } };
}

function unpacked({ topic, lines }: Parcel): TopicMessages {
  const parts = lines.split('\n');
  const messages: Message[] = [];
  for (let at = 0; at + 1 < parts.length; at += 2)
    messages.push({ key: parts[at] as string, value: parts[at + 1] as string, headers: EVENT_HEADERS });
  return { topic, messages };
}

const opened: Promise<Sender> = sender({ ...(workerData as ThreadAccess), log });
port.on('message', async ({ id, parcels }: Order) => {
  try {
    const it = await opened;
    await (parcels === undefined ? it.end() : it.send(parcels.map(unpacked)));
    answer({ kind: 'done', id });
  } catch (error) {
    answer(failed(id, error));
  }
});
opened.then(
  () => answer({ kind: 'done', id: 0 }),
  (error: unknown) => answer(failed(0, error)),
);
