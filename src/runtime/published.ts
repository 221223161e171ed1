/** What is on the events topic of one location: looked up for a person, a bounded part at a time. */
import type { EventsAsked, EventsFound } from '../desk.ts';
import type { Address } from '../message/address.ts';
import { partitionOf } from '../message/partition.ts';
import type { Archive, LogRecord } from '../ports.ts';

/** One look ends after so many records, whether they were asked for or not: commands are handled by the same process. */
export const LOOK_MAX = 5_000;

/** An event may lie there more than once, since it is sent again when nobody acknowledged it. */
export async function publishedEvents(
  archive: Archive,
  topic: string,
  address: Address,
  { afterSeq, from, limit }: EventsAsked,
): Promise<EventsFound> {
  const bounds = await archive.bounds(topic);
  const partition = partitionOf(address, bounds.length);
  const { low, high } = bounds[partition] ?? { low: 0, high: 0 };
  const events: unknown[] = [];
  const strange: number[] = [];
  let at = Math.max(from ?? low, low);
  for (let seen = 0; at < high && events.length < limit && seen < LOOK_MAX; ) {
    const { records, next } = await archive.read({ topic, partition }, at);
    if (next <= at) break;
    at = next;
    for (const record of records) {
      if (events.length === limit) {
        at = record.offset;
        break;
      }
      seen += 1;
      if (record.key === null || Buffer.from(record.key).toString() !== address) continue;
      const event = eventIn(record);
      if (event === undefined) strange.push(record.offset);
      else if (event.locusseq > afterSeq) events.push(event);
    }
  }
  return { topic, events, strange, next: at, more: at < high };
}

function eventIn({ value }: LogRecord): { readonly locusseq: number } | undefined {
  try {
    const event = JSON.parse(Buffer.from(value ?? '').toString()) as { readonly locusseq: number };
    return Number.isSafeInteger(event.locusseq) ? event : undefined;
  } catch {
    return undefined;
  }
}
