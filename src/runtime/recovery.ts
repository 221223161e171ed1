/** What follows a call to the outside: booking evidence, recording doubt, asking again, and refusing to guess. */
import { isDeepStrictEqual } from 'node:util';
import type { Fence } from '../actor.ts';
import { commit, notify, type Result } from './commit.ts';
import { Draft } from './draft.ts';
import { above, type Report } from './effects.ts';
import type { Evidence, Frozen, Intent } from './ground.ts';
import type { Live } from './live.ts';
import type { Site } from './site.ts';
import { backOffMs } from './supervision.ts';
import { causeOf, doubt, type Settled, settle } from './turn.ts';

export type Next = { readonly kind: 'on' } | { readonly kind: 'reclaim'; readonly why: string };
/** Evidence about the open intent, to be booked. */
export type Settling = { readonly intent: Intent; readonly evidence: Evidence };
export type Heard = Next | ({ readonly kind: 'settles' } & Settling);
const ON: Next = { kind: 'on' };
const again = (result: Result): Next =>
  result.kind === 'again' ? { kind: 'reclaim', why: result.why } : { kind: 'reclaim', why: 'the intent was not as expected' };

/** Begins the effect of an intent that is durable now. Its answer comes back through the control lane. */
export function run(site: Site, live: Live, intent: Intent): void {
  live.running = intent;
  site.meters.opened(1);
  const startedMs = site.clock.monotonic();
  const back = (by: 'run' | 'late') => (report: Report) => {
    live.control.push({ kind: 'report', by, intent, report, tookMs: site.clock.monotonic() - startedMs });
    afterwards(site, live, intent, report);
  };
  void site.effects.run(live.definition, live.address, intent, back('late')).then(back('run'));
}

/** Asks what became of it, under a fence above the run's. */
export function probe(site: Site, live: Live, intent: Intent): void {
  const startedMs = site.clock.monotonic();
  void site.effects.probe(live.definition, live.address, intent, live.fence()).then((report) => {
    live.control.push({ kind: 'report', by: 'probe', intent, report, tookMs: site.clock.monotonic() - startedMs });
    afterwards(site, live, intent, report);
  });
}

/** The first question about an intent: customers and bulk wait for its answer. */
export function ask(site: Site, live: Live, intent: Intent): void {
  if (live.running !== undefined) return;
  live.running = intent;
  site.meters.opened(1);
  probe(site, live, intent);
}

/** Evidence that finds no claim to settle it is kept for the next one, here or elsewhere: it stays true under any epoch. */
function afterwards(site: Site, live: Live, intent: Intent, report: Report): void {
  if (live.phase !== 'active' && report.kind === 'evidence') site.evidence.keep(live.address, intent, report.evidence);
  live.wake();
}

/** A report about an effect, in the control lane. Evidence, which nearly all are, is answered at once. */
export function hear(
  site: Site,
  live: Live,
  by: 'run' | 'probe' | 'late',
  intent: Intent,
  report: Report,
  tookMs: number,
): Heard | Promise<Heard> {
  site.meters.effect(intent.effect, report.kind === 'evidence' ? report.evidence.status : report.kind, tookMs);
  const open = live.ground?.intent;
  if (open?.commandId !== intent.commandId) {
    ended(site, live, intent);
    if (report.kind === 'evidence') return compare(site, live, intent, report.evidence);
    return ON;
  }
  if (report.kind === 'evidence') return { kind: 'settles', intent: open, evidence: report.evidence };
  return withoutEvidence(site, live, by, open, report);
}

async function withoutEvidence(
  site: Site,
  live: Live,
  by: 'run' | 'probe' | 'late',
  open: Intent,
  report: Exclude<Report, { kind: 'evidence' }>,
): Promise<Heard> {
  if (report.kind === 'fenced') {
    const verdict = await judgeFence(site, live, report.highest);
    if (verdict !== undefined) return verdict;
  }
  if (by === 'late') return ON;
  // In doubt already: a run whose claim was lost meanwhile adds nothing, the question asked since stands.
  if (open.doubtSinceMs !== undefined) return by === 'probe' ? askLater(site, live, open) : ON;
  return enterDoubt(site, live, open, by);
}

/** Commits what the outside said, and the command's outcome with it. */
async function book(site: Site, live: Live, settling: Settling): Promise<Next> {
  if (live.ground === undefined) return ON;
  site.evidence.keep(live.address, settling.intent, settling.evidence);
  const draft = new Draft(live.pen(site.source), live.ground, site.clock.now());
  const settled = settle(draft, settling.intent, settling.evidence);
  const result = await commit(site, live, draft);
  if (result.kind !== 'ok') return again(result);
  booked(site, live, settling, settled);
  return ON;
}

/** What follows once it is durable. */
export function booked(site: Site, live: Live, { intent, evidence }: Settling, settled: Settled): void {
  site.evidence.settled(live.address, intent.commandId);
  ended(site, live, intent);
  if (settled.kind === 'unbooked') {
    site.log.error({ address: live.address, commandId: intent.commandId, why: settled.error }, 'evidence could not be booked: frozen');
    return;
  }
  site.meters.turn(live.definition.type, settled.status, 'control');
  if (intent.doubtSinceMs !== undefined) site.meters.doubted(-1);
  // An intent of an earlier claim was left open by whoever died or was fenced.
  if (live.claim !== undefined && intent.fence.epoch < live.claim.epoch) site.meters.recovered();
  live.lastSettled = { commandId: intent.commandId, evidence };
  notify(site, intent.notify, live.address, intent.commandId);
}

function ended(site: Site, live: Live, intent: Intent): void {
  if (live.running?.commandId === intent.commandId) {
    live.running = undefined;
    site.meters.opened(-1);
  }
  const open = live.ground?.intent;
  // Questions about an older intent go on; one that began with this commit was never asked about.
  if (open?.doubtSinceMs !== undefined && open.commandId !== intent.commandId) return;
  live.probes = 0;
  live.asking?.cancel();
}

/** Nothing is known: that is recorded first, so that the question is asked under a fence above the run's. */
async function enterDoubt(site: Site, live: Live, intent: Intent, by: 'run' | 'probe'): Promise<Next> {
  if (live.ground === undefined) return ON;
  const draft = new Draft(live.pen(site.source), live.ground, site.clock.now());
  const doubted = doubt(draft, intent);
  const result = await commit(site, live, draft);
  if (result.kind !== 'ok') return again(result);
  site.meters.doubted(1);
  site.log.warn({ address: live.address, commandId: intent.commandId }, 'in doubt');
  notify(site, intent.notify, live.address, intent.commandId);
  // After a run the others wait for the first question, as they do at a new claim; it is bounded, and usually answered at once.
  if (by === 'probe') return askLater(site, live, doubted);
  probe(site, live, doubted);
  return ON;
}

/** Still unknown: the others go on, this one is asked about again. */
function askLater(site: Site, live: Live, intent: Intent): Next {
  const probes = live.probes + 1;
  ended(site, live, intent);
  live.probes = probes;
  live.asking = site.clock.after(backOffMs(probes), () => {
    live.control.push({ kind: 'probe', intent });
    live.wake();
  });
  return ON;
}

/** A new claim with an intent open: evidence in hand, else one bounded question; then on, in doubt if nothing is known. */
export async function recover(site: Site, live: Live): Promise<Next> {
  const intent = live.ground?.intent;
  // It has answered if its evidence is there already, though the commit that stored it raw may not have been.
  const isOver = live.running?.commandId !== intent?.commandId || intent?.unbooked !== undefined;
  if (live.running !== undefined && isOver) ended(site, live, live.running);
  if (intent?.doubtSinceMs !== undefined) site.meters.doubted(1);
  if (intent === undefined || intent.unbooked !== undefined || live.ground?.unreadable !== undefined) return ON;
  const kept = site.evidence.of(live.address, intent);
  if (kept !== undefined) return book(site, live, { intent, evidence: kept });
  if (live.running === undefined) site.meters.opened(1);
  live.running = intent;
  const startedMs = site.clock.monotonic();
  const report = await site.effects.probe(live.definition, live.address, intent, live.fence());
  const heard = await hear(site, live, 'probe', intent, report, site.clock.monotonic() - startedMs);
  return heard.kind === 'settles' ? book(site, live, heard) : heard;
}

/** An outside that obeys a fence above ours: either we are not the owner any more, or the store has lost what it once issued. */
export async function judgeFence(site: Site, live: Live, highest: Fence): Promise<Next | undefined> {
  if (live.claim === undefined || !above(highest, live.fence())) return undefined;
  const located = await site.store.read(live.address);
  const epoch = located?.epoch ?? 0;
  if (highest.epoch > epoch)
    return freeze(site, live, {
      reason: 'STORE_REGRESSED',
      detail: `the outside obeys epoch ${highest.epoch}, the store knows only ${epoch}`,
      sinceMs: site.clock.now(),
    });
  return epoch > live.claim.epoch ? { kind: 'reclaim', why: `the outside obeys epoch ${highest.epoch}` } : undefined;
}

/** An answer for an effect that is settled already: the same is a repeat, another is a contradiction that a person must look at. */
async function compare(site: Site, live: Live, intent: Intent, evidence: Evidence): Promise<Next> {
  const { lastSettled } = live;
  if (live.ground === undefined || lastSettled?.commandId !== intent.commandId || agree(lastSettled.evidence, evidence)) return ON;
  const detail = `${intent.commandId} was settled as ${JSON.stringify(lastSettled.evidence)}, a later answer says ${JSON.stringify(evidence)}`;
  return freeze(
    site,
    live,
    { reason: 'EVIDENCE_CONFLICT', detail, sinceMs: site.clock.now() },
    { type: 'EvidenceConflict', intent, evidence },
  );
}

/** Two failures agree, whatever they call it: nothing happened. */
const agree = (a: Evidence, b: Evidence): boolean => (a.status === 'failed' && b.status === 'failed') || isDeepStrictEqual(a, b);

async function freeze(site: Site, live: Live, frozen: Frozen, event?: { type: string; intent: Intent; evidence: Evidence }): Promise<Next> {
  if (live.ground === undefined) return ON;
  const draft = new Draft(live.pen(site.source), live.ground, site.clock.now());
  if (event === undefined)
    draft.note({ commandId: '~runtime', name: '', hash: '', appendedMs: 0 }, [
      { type: 'Frozen', data: { reason: frozen.reason, detail: frozen.detail } },
    ]);
  else
    draft.note(causeOf(event.intent), [
      { type: event.type, data: { commandId: event.intent.commandId, evidence: event.evidence, detail: frozen.detail } },
    ]);
  draft.setFrozen(frozen);
  const result = await commit(site, live, draft);
  site.log.error({ address: live.address, reason: frozen.reason, detail: frozen.detail }, 'frozen');
  if (live.running !== undefined) ended(site, live, live.running);
  return result.kind === 'ok' ? ON : again(result);
}
