/** Forgetting what is no longer needed: published events in lots, aged ids a page at a time. Never by count, only by age. */
import type { Live } from './live.ts';
import type { Site } from './site.ts';

/** Published events are trimmed in lots: one call for many. */
const EVENTS_LOT = 128;
/** Turns between two pages of aged ids, and between two looks at how many a location remembers. */
const PAGE_EVERY = 256;
const SIZE_EVERY = 4_096;
const FULL_RETRY_MS = 1_000;

export async function trim(site: Site, live: Live): Promise<void> {
  await trimEvents(site, live, EVENTS_LOT);
  const seq = live.ground?.seq ?? 0;
  if (seq - live.pagedAt >= PAGE_EVERY) await trimAged(site, live, seq);
  if (seq - live.sizedAt >= SIZE_EVERY) await pushBack(site, live, seq);
}

export async function trimEvents(site: Site, live: Live, lot: number): Promise<void> {
  const { claim, published, trimmed } = live;
  if (claim === undefined || published - trimmed < lot) return;
  const answer = await site.store.trim(claim, { events: { from: trimmed + 1, to: published } });
  if (answer.kind === 'ok') live.trimmed = published;
}

/** One page: ids and records past their time, judged by the newest record of the partition, so that lag forgets nothing. */
async function trimAged(site: Site, live: Live, seq: number): Promise<void> {
  live.pagedAt = seq;
  const newestMs = site.newestMs(live.partition);
  if (live.claim === undefined || newestMs === 0) return;
  const keepMs = live.definition.records?.keepMs ?? site.limits.dedupeWindowMs;
  const aged = await site.store.aged(live.address, live.agedCursor, newestMs - site.limits.dedupeWindowMs, newestMs - keepMs);
  if (aged.entries.length + aged.records.length > 0) {
    const answer = await site.store.trim(live.claim, { entries: aged.entries, records: aged.records });
    if (answer.kind !== 'ok') return;
  }
  live.agedCursor = aged.cursor;
}

/** A location that remembers as many young ids as it may waits until some are old: it never forgets one to make room. */
async function pushBack(site: Site, live: Live, seq: number): Promise<void> {
  if ((await site.store.size(live.address)) < site.limits.dedupeMax) {
    live.sizedAt = seq;
    return;
  }
  live.notBeforeMs = site.clock.monotonic() + FULL_RETRY_MS;
  live.pagedAt = 0;
  site.log.warn({ address: live.address, dedupeMax: site.limits.dedupeMax }, 'a location remembers as many commandIds as it may: it waits');
}
