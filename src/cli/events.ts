/** `locus events`: what a location's events say, read from the events topic, each once and in the order of its seq. */
import { partitionOf } from '../message/partition.ts';
import type { LogRecord } from '../ports.ts';
import { type Format, placeOf } from './ask.ts';

/** Reads a topic from its beginning; rejects when it cannot. */
export type Reader = (it: {
  readonly topic: string;
  readonly among?: (count: number) => readonly number[];
  readonly take: (record: LogRecord) => void;
  readonly follow?: AbortSignal;
}) => Promise<void>;

export type Watching = {
  readonly topic: string;
  readonly afterSeq: number;
  readonly format: Format;
  readonly follow: AbortSignal | undefined;
  readonly print: (line: string) => void;
  readonly complain: (line: string) => void;
};

/** An event as the topic has it, as far as it is shown. */
type Event = {
  readonly subject?: unknown;
  readonly type?: unknown;
  readonly time?: unknown;
  readonly locusseq?: unknown;
  readonly locuscommand?: unknown;
  readonly data?: unknown;
};

/** Events may lie there more than once, since they are sent again when nobody acknowledged them. */
export async function events(read: Reader, address: string, { topic, afterSeq, format, follow, print, complain }: Watching): Promise<void> {
  const place = placeOf(address);
  let last = afterSeq;
  let found = false;
  const take = ({ key, value, offset }: LogRecord) => {
    if (value === null || key === null || Buffer.from(key).toString() !== place) return;
    const text = Buffer.from(value).toString();
    const event = eventIn(text);
    if (event === undefined) return complain(`what lies at offset ${offset} is no event`);
    if (event.seq <= last) return;
    if (event.seq > last + 1) complain(`seq ${last + 1} to ${event.seq - 1} are not on ${topic} any more`);
    last = event.seq;
    found = true;
    print(format === 'json' ? text : line(event));
  };
  await read({ topic, among: (count) => [partitionOf(place, count)], take, ...(follow === undefined ? {} : { follow }) });
  if (!found && format === 'text') print(`no event of ${place}${afterSeq > 0 ? ` after seq ${afterSeq}` : ''} is on ${topic}`);
}

function eventIn(text: string): (Event & { readonly seq: number }) | undefined {
  try {
    const event = JSON.parse(text) as Event;
    return Number.isSafeInteger(event.locusseq) ? { ...event, seq: event.locusseq as number } : undefined;
  } catch {
    return undefined;
  }
}

const SEQ_WIDTH = 5;
function line({ seq, time, type, locuscommand, data }: Event & { readonly seq: number }): string {
  const name = String(type).slice(String(type).indexOf('.') + 1);
  return [String(seq).padStart(SEQ_WIDTH), time, name, locuscommand ?? '-', JSON.stringify(data)].join('  ');
}
