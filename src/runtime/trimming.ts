/** Forgetting what is no longer needed: published events in lots, aged ids a page at a time. Never by count, only by age. */
import type { Live } from './live.ts';
import type { Site } from './site.ts';

/** Published events are trimmed in lots: one call for many. A lot ends at the same seq whoever owns the location. */
const EVENTS_LOT = 128;
/** Names in one call, a whole number of lots. */
const EVENTS_MAX = 7 * EVENTS_LOT;
/** Events between two pages of aged ids, and between two looks at how many a location remembers. */
const PAGE_EVERY = 256;
const SIZE_EVERY = 4_096;
/** Pages in one window: a million ids take a tenth of it, and reading a page, which costs as much as ten turns, stays rare. */
const PAGES_A_WINDOW = 10_000;
/** Of each kind in one trim: together as many as one may name. */
const LOT = 500;
const FULL_RETRY_MS = 10_000;

/** May `trim` have something to do? It hardly ever has. */
export const isTrimDue = (live: Live): boolean => live.trimmed < lotsOf(live) || mayPage(live) || mayLook(live);
const lotsOf = ({ noted }: Live, lot = EVENTS_LOT): number => noted - (noted % lot);
const seqOf = ({ ground }: Live): number => ground?.seq ?? 0;
const mayPage = (live: Live): boolean => seqOf(live) - live.pagedAt >= PAGE_EVERY;
const mayLook = (live: Live): boolean => seqOf(live) - live.sizedAt >= SIZE_EVERY;

export async function trim(site: Site, live: Live): Promise<void> {
  await trimEvents(site, live);
  if (mayPage(live) && isPageDue(site, live)) await trimAged(site, live);
  if (mayLook(live)) await look(site, live);
}

/** What the owner before may have left: the lot it was in, and the one before, should it have died between note and trim. */
export const trimmedBefore = (published: number): number => Math.max(0, published - (published % EVENTS_LOT) - EVENTS_LOT);

/** Up to what the store knows as published: what the log has acknowledged since is noted there by the next commit only. */
export async function trimEvents(site: Site, live: Live, lot = EVENTS_LOT): Promise<void> {
  const { claim } = live;
  const until = lotsOf(live, lot);
  while (claim !== undefined && live.trimmed < until) {
    const to = Math.min(until, live.trimmed + EVENTS_MAX);
    const answer = await site.store.trim(claim, { events: { from: live.trimmed + 1, to } });
    if (answer.kind !== 'ok') return;
    live.trimmed = to;
  }
}

/** The first one is put off by chance: locations that became resident together shall not all read theirs together. */
function isPageDue({ clock, random, limits }: Site, live: Live): boolean {
  const nowMs = clock.monotonic();
  const everyMs = limits.dedupeWindowMs / PAGES_A_WINDOW;
  live.pageAtMs ??= nowMs + everyMs * random.next();
  if (nowMs < live.pageAtMs) return false;
  live.pageAtMs = nowMs + everyMs;
  return true;
}

/** One page: ids and records past their time, judged by the newest record of the partition, so that lag forgets nothing. */
async function trimAged(site: Site, live: Live): Promise<'read' | 'failed'> {
  live.pagedAt = seqOf(live);
  const newestMs = site.newestMs(live.partition);
  if (live.claim === undefined || newestMs === 0) return 'failed';
  const keepMs = live.definition.records?.keepMs ?? site.limits.dedupeWindowMs;
  const aged = await site.store.aged(live.address, live.agedCursor, newestMs - site.limits.dedupeWindowMs, newestMs - keepMs);
  // A page may hold a few more than it was asked for.
  for (let from = 0; from < Math.max(aged.entries.length, aged.records.length); from += LOT) {
    const lot = { entries: aged.entries.slice(from, from + LOT), records: aged.records.slice(from, from + LOT) };
    if ((await site.store.trim(live.claim, lot)).kind !== 'ok') return 'failed';
  }
  live.agedCursor = aged.cursor;
  return 'read';
}

async function look(site: Site, live: Live): Promise<void> {
  live.sizedAt = seqOf(live);
  if ((await site.store.size(live.address)) < site.limits.dedupeMax) return;
  live.full = true;
  site.log.warn({ address: live.address, dedupeMax: site.limits.dedupeMax }, 'a location remembers as many commandIds as it may: it waits');
}

/** Is there room again in a location that was full? It never forgets a young id to make some. */
export async function hasRoom(site: Site, live: Live): Promise<boolean> {
  live.agedCursor = '0';
  while ((await trimAged(site, live)) === 'read' && live.agedCursor !== '0');
  live.full = (await site.store.size(live.address)) >= site.limits.dedupeMax;
  if (live.full) live.notBeforeMs = site.clock.monotonic() + FULL_RETRY_MS;
  return !live.full;
}
