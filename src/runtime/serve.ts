/** The turns of one step: what waits is taken, decided together, committed once, and each command told its verdict. */
import type { Recalled } from '../actor.ts';
import type { Command } from '../message/envelope.ts';
import type { InboxItem } from '../ports.ts';
import { commit, judge, notify, type Result } from './commit.ts';
import { checkCommand } from './definition.ts';
import { Draft, type Found } from './draft.ts';
import { type Intent, recordOf } from './ground.ts';
import type { Live } from './live.ts';
import { upTo, type Verdict, type Waiting } from './mailbox.ts';
import { recall } from './recall.ts';
import { booked, judgeFence, type Settling } from './recovery.ts';
import type { Site } from './site.ts';
import { ATTEMPTS, remedy } from './supervision.ts';
import { turnedAway } from './timer-gate.ts';
import { timerOf } from './timers.ts';
import { decide, park, settle } from './turn.ts';

/** Commands in one commit; bounds the time a location keeps the store and its waiters. */
const BATCH_MAX = 64;
/** Fields in one commit, far under what the store takes. */
const FIELDS_MAX = 2_000;
/** Items read from a durable inbox at once. */
const STOCK_MAX = 256;

/** What a step left to do: nothing, an effect to run, or the claim to be made anew. */
export type Served =
  | { readonly kind: 'served' }
  | { readonly kind: 'runs'; readonly intent: Intent }
  | { readonly kind: 'reclaim'; readonly why: string };
const SERVED: Served = { kind: 'served' };
const NOTHING: Found = new Map();

type Filled = {
  readonly taken: readonly Waiting[];
  readonly intent?: Intent;
  /** The command that performs, if the location must be armed for it first. */
  readonly arm?: string;
  readonly trouble?: { readonly waiting: Waiting; readonly error: string; readonly final: boolean };
};

/**
 * One step of the customer and bulk lanes; the durable inbox of a lane comes before its mailbox. Evidence is booked first, and what
 * waits in the mailbox is decided on top of it in the same commit: a location whose effects follow each other commits once for each.
 */
export async function serve(site: Site, live: Live, settling?: Settling): Promise<Served> {
  if (settling !== undefined) {
    site.evidence.keep(live.address, settling.intent, settling.evidence);
    const stops = live.control.length > 0 || live.leaving !== undefined || live.leaseLost || live.full;
    const barred = stops || live.barredBy(site.clock.monotonic()) !== undefined;
    if (barred || live.inbox.customer > 0 || live.inbox.bulk > 0) return turns(site, live, [], settling);
  }
  const lane = live.inbox.customer > 0 || live.mailbox.depth('customer') > 0 ? 'customer' : 'bulk';
  // A turn that performs ends its batch: what stands behind it need not be looked at yet.
  const mayPerform = ({ command }: Waiting) => live.definition.commands[command.name]?.settle !== undefined;
  const stored = live.inbox[lane] > 0;
  if (stored && laneOfStock(live) !== lane) await restock(site, live, lane);
  const batch = stored
    ? live.stock.splice(0, upTo(live.stock, 0, BATCH_MAX, mayPerform).length)
    : live.mailbox.take(lane, BATCH_MAX, mayPerform);
  if (batch.length === 0 && settling === undefined) return SERVED;
  const left: Waiting[] = [...batch];
  let served: Served;
  live.serving = true;
  try {
    served = await turns(site, live, left, settling);
  } finally {
    live.serving = false;
    // What no turn has decided waits on, before whatever came since.
    if (stored) live.stock.unshift(...left);
    else if (left.length > 0) live.mailbox.putBack(left);
  }
  if (!stored || served.kind === 'reclaim') return served;
  const waiting = new Set(left);
  live.taken.push(...batch.filter((it) => !waiting.has(it)));
  if (live.stock.length === 0) await forget(site, live);
  return served;
}

const laneOfStock = (live: Live): string | undefined => live.stock[0]?.command.lane;

/** Reads on in the durable inbox, once what was decided of it is gone. */
async function restock(site: Site, live: Live, lane: 'customer' | 'bulk'): Promise<void> {
  await forget(site, live);
  const items = await site.store.inbox(live.address, lane, STOCK_MAX);
  live.stock = items.map((item) => waitingOf(live, item));
  // Only the store says that it is empty: a count that is too low would leave commands lying.
  if (items.length === 0) live.inbox[lane] = 0;
}

/** Removes from `left` whatever was given its verdict. */
async function turns(site: Site, live: Live, left: Waiting[], settling?: Settling): Promise<Served> {
  let evidence = settling;
  let known = NOTHING;
  while (live.ground !== undefined && (evidence !== undefined || (left.length > 0 && live.leaving === undefined))) {
    if (evidence === undefined && isNewer(live, left[0])) return SERVED;
    if (evidence === undefined && (await turnTimerAway(site, live, left))) continue;
    // Each time anew: what the commit before has written may be what the next command must know.
    const recalled = recall(site, live, left, known);
    const found = recalled instanceof Promise ? await recalled : recalled;
    const draft = new Draft(live.pen(site.source), live.ground, site.clock.now());
    const settled = evidence && settle(draft, evidence.intent, evidence.evidence);
    const filled: Filled = settled?.kind === 'unbooked' ? { taken: [] } : fill(site, live, left, found, draft);
    const result = await commit(site, live, draft);
    if (result.kind === 'again') return { kind: 'reclaim', why: result.why };
    if (result.kind === 'refused') {
      if (result.offenders.some(({ commandId }) => commandId === evidence?.intent.commandId))
        return { kind: 'reclaim', why: 'the intent was not as expected' };
      known = turnAway(site, live, left, result);
      continue;
    }
    known = NOTHING;
    if (evidence !== undefined && settled !== undefined) booked(site, live, evidence, settled);
    if (settled?.kind === 'unbooked') return SERVED;
    evidence = undefined;
    left.splice(0, filled.taken.length);
    tell(site, live, draft);
    if (filled.intent !== undefined) return { kind: 'runs', intent: filled.intent };
    if (filled.trouble !== undefined) return handle(site, live, left, filled.trouble);
    if (filled.arm !== undefined) {
      const armed = await arm(site, live, filled.arm);
      if (armed !== 'armed') return armed;
    }
  }
  return SERVED;
}

/** Decides what waits on top of what the draft holds, as far as one commit may go. */
function fill(site: Site, live: Live, batch: readonly Waiting[], found: Found, draft: Draft): Filled {
  const taken: Waiting[] = [];
  const cut = (more: Partial<Filled> = {}): Filled => ({ taken, ...more });
  for (const waiting of batch) {
    const { command } = waiting;
    // A batch holds a commandId once: the second is judged against what the first has made durable.
    // A timer's record begins a draft: it is judged by what is committed.
    const later = (taken.length > 0 || !draft.empty) && timerOf(command.commandId) !== undefined;
    if (draft.fields > FIELDS_MAX || draft.holds(command.commandId) || later || isNewer(live, waiting)) return cut();
    if (draft.intent?.commandId === command.commandId) {
      taken.push(waiting);
      draft.verdicts.push({ waiting, verdict: standing(draft.intent, command) });
      continue;
    }
    const mark = draft.mark();
    waiting.checked ??= checkCommand(live.definition, command.name, command.input);
    const decision = decide(draft, command, waiting.checked, found, live.witness);
    switch (decision.kind) {
      case 'throws':
        return cut({ trouble: { waiting, error: decision.error, final: false } });
      case 'violates':
        return cut({ trouble: { waiting, error: `the invariant "${decision.invariant}" would not hold`, final: true } });
      case 'performs':
        if (!live.opened || !site.leases.isFresh(live.address)) {
          draft.back(mark);
          return cut({ arm: decision.intent.effect });
        }
        taken.push(waiting);
        draft.verdicts.push({ waiting, verdict: 'intended' });
        return cut({ intent: decision.intent });
      default:
        taken.push(waiting);
        draft.verdicts.push({ waiting, verdict: decision.kind });
    }
  }
  return cut();
}

/** The verdict on a record whose commandId stands for the open intent: deciding it again would refuse what may have happened. */
const standing = (intent: Intent, command: Command): Verdict =>
  intent.hash !== command.hash ? 'id-reused' : intent.doubtSinceMs === undefined ? 'intended' : 'in-doubt';

/** Before the first intent of a claim: permission is fresh, and the outside knows our fence. If not, no intent is committed and the command waits. */
export async function arm(site: Site, live: Live, effect: string): Promise<Served | 'armed'> {
  if (!(await site.leases.fresh(live.address))) return waitABit(site, live);
  if (live.opened) return 'armed';
  const fence = live.fence();
  const answer = await site.effects.open(live.definition, live.address, effect, fence);
  if (answer === undefined) return waitABit(site, live);
  if ('highest' in answer) {
    const next = await judgeFence(site, live, answer.highest);
    return next === undefined || next.kind === 'on' ? waitABit(site, live) : next;
  }
  live.witness = answer.witness;
  live.opened = true;
  return 'armed';
}

function waitABit(site: Site, live: Live): Served {
  live.notBeforeMs = site.clock.monotonic() + 250;
  return SERVED;
}

/** Sent under a later version of the actor: it waits, and in their order those behind it, for an owner that has that version. */
function isNewer(live: Live, waiting: Waiting | undefined): boolean {
  const { type, version } = live.definition;
  const sent = waiting?.command.version ?? 1;
  if (sent > version)
    live.newer = `${waiting?.command.commandId} was sent under version ${sent} of ${type}, this program has version ${version}`;
  return sent > version;
}

/** The first of those left may be the record of a timer that is not armed, or no longer. */
async function turnTimerAway(site: Site, live: Live, left: Waiting[]): Promise<boolean> {
  const [first] = left;
  if (first === undefined || live.ground === undefined) return false;
  const verdict = await turnedAway(site, first.command, live.ground.timers);
  // Out of the inbox it has an entry that must end: it is decided, and refused.
  if (verdict === undefined || verdict === 'inboxed') return false;
  left.shift();
  finish(site, live, first, verdict);
  return true;
}

/** The commit named commandIds that are known already: each gets its verdict, the others are decided again, knowing the records it named. */
function turnAway(site: Site, live: Live, left: Waiting[], { offenders }: Extract<Result, { kind: 'refused' }>): Found {
  const recorded = new Map<string, Recalled>();
  for (const offender of offenders) {
    if (offender.why === 'RECORDED') {
      recorded.set(offender.commandId, { record: recordOf(offender.record) });
      continue;
    }
    const index = left.findIndex((waiting) => waiting.command.commandId === offender.commandId);
    const [waiting] = index < 0 ? [] : left.splice(index, 1);
    if (waiting === undefined) continue;
    const verdict = offender.why === 'ID_REUSED' ? 'id-reused' : judge(waiting.command.hash, offender.entry);
    if (verdict !== 'id-reused') site.meters.redelivered();
    finish(site, live, waiting, verdict);
  }
  return recorded;
}

function tell(site: Site, live: Live, draft: Draft): void {
  for (const { waiting, verdict } of draft.verdicts) finish(site, live, waiting, verdict);
}
function finish(site: Site, live: Live, waiting: Waiting, verdict: Parameters<Waiting['conclude']>[0]): void {
  const { command } = waiting;
  if (live.failing?.commandId === command.commandId) live.failing = undefined;
  // What came out of the durable inbox has no time of arrival.
  const tookMs = waiting.sinceMs === 0 ? undefined : site.clock.monotonic() - waiting.sinceMs;
  site.meters.turn(command.type, verdict, command.lane, tookMs);
  waiting.conclude(verdict);
  if (verdict !== 'intended') notify(site, command.notify, live.address, command.commandId);
}

/** A command whose decision threw is tried again later; one that keeps throwing, or breaks an invariant, is set aside by name. */
async function handle(site: Site, live: Live, left: Waiting[], trouble: NonNullable<Filled['trouble']>): Promise<Served> {
  const { waiting, error, final } = trouble;
  const { command } = waiting;
  const attempts = (live.failing?.commandId === command.commandId ? live.failing.attempts : 0) + 1;
  live.failing = { commandId: command.commandId, attempts };
  const next = final ? ({ kind: 'park' } as const) : remedy(attempts, live.definition.limits?.attempts ?? ATTEMPTS);
  site.log.warn({ address: live.address, commandId: command.commandId, attempts, why: error, next: next.kind }, 'a turn failed');
  if (next.kind === 'again') {
    live.notBeforeMs = site.clock.monotonic() + next.inMs;
    return SERVED;
  }
  return setAside(site, live, left, { command, error, attempts, final });
}

async function setAside(
  site: Site,
  live: Live,
  left: Waiting[],
  it: { command: Command; error: string; attempts: number; final: boolean },
): Promise<Served> {
  if (live.ground === undefined) return SERVED;
  const draft = new Draft(live.pen(site.source), live.ground, site.clock.now());
  park(draft, it.command, it.error, it.attempts);
  if (it.final) draft.setFrozen({ reason: 'INVARIANT', detail: it.error, sinceMs: draft.nowMs });
  const result = await commit(site, live, draft);
  if (result.kind === 'again') return { kind: 'reclaim', why: result.why };
  if (result.kind === 'refused') {
    turnAway(site, live, left, result);
    return SERVED;
  }
  const [waiting] = left.splice(0, 1);
  if (waiting !== undefined) finish(site, live, waiting, 'parked');
  return SERVED;
}

/** An inbox item as a waiting command: its offset is closed already, so nobody waits for its verdict. */
function waitingOf(live: Live, item: InboxItem): Waiting {
  const command = JSON.parse(item.text) as Command;
  return { command, origin: { topic: item.lane, partition: live.partition }, offset: item.offset, sinceMs: 0, conclude: () => {} };
}

/** Taken inbox items go once their outcome is durable; should this fail they are met again and known by their commandId. */
async function forget(site: Site, live: Live): Promise<void> {
  if (live.taken.length === 0 || live.claim === undefined) return;
  const inbox = live.taken.map(({ command, offset }) => ({
    lane: command.lane === 'bulk' ? ('bulk' as const) : ('customer' as const),
    offset,
    commandId: command.commandId,
    text: '',
  }));
  if ((await site.store.trim(live.claim, { inbox })).kind !== 'ok') return;
  for (const { lane } of inbox) live.inbox[lane] = Math.max(1, live.inbox[lane] - 1);
  live.taken = [];
}
