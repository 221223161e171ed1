/** One idempotent producer: gathers what waits into large batches, one in flight, and is replaced when it can no longer be trusted. */
import type { Message } from 'kafkajs';
import { LocusError } from '../../src/errors.ts';
import type { Clock, Log } from '../../src/ports.ts';
import type { Sender } from './sender.ts';

const BATCH_MESSAGES = 2_000;
/** Brokers take 1 MiB per partition and batch unless told otherwise; all messages of a batch may go to one partition. */
const BATCH_BYTES = 800 * 1024;
const OVERHEAD_BYTES = 64;
/** Brokers hang up without a word on a request above 100 MiB (socket.request.max.bytes): that it is too large must be said here. */
const REQUEST_BYTES = 96 * 1024 * 1024;
/** What brokers answer to a batch above the topic's max.message.bytes, or above its segment.bytes; nothing of it is appended. */
const TOO_LARGE = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'];
/** A broker that answers nothing is given up on: whoever waits for the write would rather know. */
const WITHIN_MS = 10_000;

type Call = { left: number; mayBeThere: boolean; readonly done: () => void; readonly failed: (error: LocusError) => void };
type Waiting = { readonly topic: string; readonly message: Message; readonly call: Call };

export class Outlet {
  readonly #open: () => Promise<Sender>;
  readonly #clock: Clock;
  readonly #log: Log;
  #queue: Waiting[] = [];
  #sender: Promise<Sender> | undefined;
  /** What was sent last went through it. */
  #trusted: Sender | undefined;
  #sending: Promise<void> | undefined;
  #over = false;

  /** `open` resolves once connected. */
  constructor(open: () => Promise<Sender>, clock: Clock, log: Log) {
    this.#open = open;
    this.#clock = clock;
    this.#log = log;
  }

  async start(): Promise<void> {
    try {
      await this.#connected();
    } catch (error) {
      this.#replace();
      throw new LocusError('LOG_DOWN', 'Kafka cannot be written to', { cause: error });
    }
  }

  /** Sends what is queued, then ends. */
  async stop(): Promise<void> {
    this.#over = true;
    await this.#sending;
    const last = await this.#sender?.catch(() => undefined);
    this.#sender = undefined;
    await last?.end();
  }

  /** Resolves when all in-sync replicas have all of them. */
  send(topic: string, messages: readonly Message[]): Promise<void> {
    if (this.#over) return Promise.reject(new LocusError('LOG_DOWN', 'the writer has stopped; nothing was sent'));
    if (messages.length === 0) return Promise.resolve();
    return new Promise((done, failed) => {
      const call: Call = { left: messages.length, mayBeThere: false, done, failed };
      for (const message of messages) this.#queue.push({ topic, message, call });
      this.#sending ??= this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    // Not before what is running now is done: what is written together is sent together.
    await new Promise<void>((resolve) => this.#clock.soon(resolve));
    while (this.#queue.length > 0) {
      const batch = this.#take();
      try {
        await this.#inTime(this.#sendBatch(batch));
        for (const { call } of batch) {
          call.mayBeThere = true;
          if (--call.left === 0) call.done();
        }
      } catch (error) {
        this.#fail(batch, error);
      }
    }
    // In the same breath as the last look at the queue: who sends next starts anew.
    this.#sending = undefined;
  }

  async #sendBatch(batch: readonly Waiting[]): Promise<void> {
    if (bytesOf(batch[0]?.message) > REQUEST_BYTES) throw Object.assign(new Error('no broker reads so much'), { type: TOO_LARGE[0] });
    const sender = await this.#connected();
    this.#trusted = sender;
    await sender.send(byTopic(batch));
  }

  #inTime(sent: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = this.#clock.after(WITHIN_MS, () => reject(new Error(`no answer within ${WITHIN_MS} ms`)));
      sent.then(resolve, reject).finally(() => late.cancel());
    });
  }

  #take(): readonly Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { message } of this.#queue) {
      bytes += OVERHEAD_BYTES + bytesOf(message);
      if (count > 0 && (bytes > BATCH_BYTES || count === BATCH_MESSAGES)) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  /** Whatever is queued behind fails too, unsent: else it would overtake what its writer sends again. */
  #fail(batch: readonly Waiting[], cause: unknown): void {
    const messages = batch.map(({ message }) => message);
    const queued = this.#queue.splice(0);
    // Of several it may have been their sum, and each may pass by itself.
    if (messages.length === 1 && TOO_LARGE.includes(String((cause as { readonly type?: unknown }).type)))
      batch[0]?.call.failed(new LocusError('VALUE_TOO_LARGE', `Kafka takes no message of ${bytesOf(messages[0])} bytes`, { cause }));
    const sent = this.#trusted?.mayBeThere(messages) ?? false;
    for (const { call } of batch) call.mayBeThere ||= sent;
    for (const call of new Set([...batch, ...queued].map((waiting) => waiting.call)))
      call.failed(
        call.mayBeThere
          ? new LocusError('LOG_UNACKNOWLEDGED', 'Kafka did not acknowledge; it may have been appended', { cause })
          : new LocusError('LOG_DOWN', 'Kafka cannot be written to; nothing was sent', { cause }),
      );
    this.#replace();
  }

  /** Its sequence numbers no longer say what the brokers have: a new producer begins anew. */
  #replace(): void {
    const old = this.#sender;
    this.#sender = undefined;
    this.#trusted = undefined;
    void old
      ?.then((sender) => sender.end())
      .catch((error: unknown) => this.#log.debug({ why: String(error) }, 'a producer did not end cleanly'));
  }

  #connected(): Promise<Sender> {
    this.#sender ??= this.#open();
    return this.#sender;
  }
}

const lengthOf = (it: string | Uint8Array | null | undefined): number => (it ? Buffer.byteLength(it) : 0);
/** Its frame not counted. */
const bytesOf = ({ key, value, headers }: Message = { value: null }): number => lengthOf(key) + lengthOf(value) + headerBytes(headers);

let measured: { readonly headers: Message['headers']; readonly bytes: number } = { headers: undefined, bytes: 0 };
/** Events all have the same headers: measured once. */
function headerBytes(headers: Message['headers']): number {
  if (headers === measured.headers) return measured.bytes;
  let bytes = 0;
  for (const name in headers) for (const it of [headers[name]].flat()) bytes += lengthOf(name) + lengthOf(it);
  measured = { headers, bytes };
  return bytes;
}

function byTopic(batch: readonly Waiting[]) {
  const topics = new Map<string, Message[]>();
  for (const { topic, message } of batch) {
    const messages = topics.get(topic);
    if (messages === undefined) topics.set(topic, [message]);
    else messages.push(message);
  }
  return [...topics].map(([topic, messages]) => ({ topic, messages }));
}
