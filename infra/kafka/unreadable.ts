/** Finds record batches in a fetch answer whose codec kafkajs cannot read, and puts a placeholder in their place. */
import type { KafkaMessage } from 'kafkajs';

/** Records `from` to `to`, both included, as the batch's header tells them: it can be read without unpacking the batch. */
export type Unreadable = { readonly from: number; readonly to: number; readonly codec: string };
export type Placeholder = KafkaMessage & { readonly unreadable?: Unreadable };

/** What kafkajs makes of a fetch answer, as far as we touch it. */
export type Fetched = {
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[];
};
type FetchedPartition = { readonly partition: number; readonly messages: Placeholder[] };
type Found = Unreadable & { readonly topic: string; readonly partition: number; readonly timestamp: string };

/** The fetch answer's layout that is read here; kafkajs speaks it with every broker since 2.3. */
export const FETCH_VERSION = 11;
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const CODEC_MASK = 0x07;
const GZIP = 1;

/** Where things stand in a batch of the present format (magic 2). */
const LENGTH_AT = 8;
const MAGIC_AT = 16;
const ATTRIBUTES_AT = 21;
const LAST_DELTA_AT = 23;
const MAX_TIMESTAMP_AT = 35;
const COUNT_AT = 57;
const HEADER_BYTES = 61;

/** Decodes with `decode`, but what it could not unpack stands there as one placeholder a batch, at the batch's last offset. */
export async function decodeAround(raw: Buffer, decode: (raw: Buffer) => Promise<Fetched>): Promise<Fetched> {
  const found = emptied(raw);
  const fetched = await decode(raw);
  for (const one of found) {
    // kafkajs shuffles what it asks for, so that one topic may stand in several answers.
    const answers = fetched.responses.filter((response) => response.topicName === one.topic).flatMap((response) => response.partitions);
    const messages = answers.find((answer) => answer.partition === one.partition)?.messages;
    messages?.push(placeholder(one));
    messages?.sort((a, b) => Number(a.offset) - Number(b.offset));
  }
  return fetched;
}

/** Rewrites each unreadable batch in place as an uncompressed batch without records. */
function emptied(raw: Buffer): readonly Found[] {
  const found: Found[] = [];
  const reader = new Reader(raw);
  reader.skip(4 + 2 + 4);
  reader.each(() => {
    const topic = reader.text();
    reader.each(() => {
      const partition = reader.int32();
      reader.skip(2 + 8 + 8 + 8);
      reader.each(() => reader.skip(8 + 8));
      reader.skip(4);
      const size = Math.max(0, reader.int32());
      for (const batch of emptyBatches(raw, reader.at, reader.at + size)) found.push({ topic, partition, ...batch });
      reader.skip(size);
    });
  });
  return found;
}

function emptyBatches(raw: Buffer, start: number, end: number): readonly (Unreadable & { readonly timestamp: string })[] {
  const found: (Unreadable & { readonly timestamp: string })[] = [];
  let at = start;
  while (at + HEADER_BYTES <= end) {
    const next = at + LENGTH_AT + 4 + raw.readInt32BE(at + LENGTH_AT);
    const attributes = raw.readInt16BE(at + ATTRIBUTES_AT);
    const codec = attributes & CODEC_MASK;
    // The last batch of an answer may be cut off; it comes whole next time.
    if (next > end) break;
    if (raw.readInt8(at + MAGIC_AT) === 2 && codec > GZIP) {
      const from = Number(raw.readBigInt64BE(at));
      const timestamp = String(raw.readBigInt64BE(at + MAX_TIMESTAMP_AT));
      found.push({ from, to: from + raw.readInt32BE(at + LAST_DELTA_AT), codec: CODECS[codec] ?? `codec ${codec}`, timestamp });
      raw.writeInt16BE(attributes & ~CODEC_MASK, at + ATTRIBUTES_AT);
      raw.writeInt32BE(0, at + COUNT_AT);
    }
    at = next;
  }
  return found;
}

/** Its offset is the batch's last one, so that a fetch from the middle of the batch still sees it. */
function placeholder({ from, to, codec, timestamp }: Found): Placeholder {
  const outsideTransactions = { inTransaction: false, producerId: '-1' };
  const message = { key: null, value: null, headers: {}, timestamp, attributes: 0, offset: String(to), isControlRecord: false };
  return { ...message, batchContext: outsideTransactions, unreadable: { from, to, codec } } as Placeholder;
}

class Reader {
  readonly #raw: Buffer;
  at = 0;
  constructor(raw: Buffer) {
    this.#raw = raw;
  }
  skip(bytes: number): void {
    this.at += bytes;
  }
  int32(): number {
    this.at += 4;
    return this.#raw.readInt32BE(this.at - 4);
  }
  text(): string {
    const length = this.#raw.readInt16BE(this.at);
    this.at += 2 + length;
    return this.#raw.toString('utf8', this.at - length, this.at);
  }
  each(read: () => void): void {
    for (let left = this.int32(); left > 0; left--) read();
  }
}
