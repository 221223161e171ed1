/** The turns of one step: what waits is taken, decided together, committed once, and each command told its verdict. */
import type { Recalled } from '../actor.ts';
import type { Command } from '../message/envelope.ts';
import type { InboxItem } from '../ports.ts';
import { commit, judge, notify, type Result } from './commit.ts';
import { checkInput } from './definition.ts';
import { Draft, type Found } from './draft.ts';
import { entryParts, type Intent } from './ground.ts';
import type { Live } from './live.ts';
import { upTo, type Verdict, type Waiting } from './mailbox.ts';
import { judgeFence } from './recovery.ts';
import type { Site } from './site.ts';
import { ATTEMPTS, remedy } from './supervision.ts';
import { decide, park } from './turn.ts';

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

type Filled = {
  readonly draft: Draft;
  readonly taken: readonly Waiting[];
  readonly intent?: Intent;
  /** The command that performs, if the location must be armed for it first. */
  readonly arm?: string;
  readonly trouble?: { readonly waiting: Waiting; readonly error: string; readonly final: boolean };
};

/** One step of the customer and bulk lanes; the durable inbox of a lane comes before its mailbox. */
export async function serve(site: Site, live: Live): Promise<Served> {
  const lane = live.inbox.customer > 0 || live.mailbox.depth('customer') > 0 ? 'customer' : 'bulk';
  // A turn that performs ends its batch: what stands behind it need not be looked at yet.
  const mayPerform = ({ command }: Waiting) => live.definition.commands[command.name]?.settle !== undefined;
  const stored = live.inbox[lane] > 0;
  if (stored && laneOfStock(live) !== lane) await restock(site, live, lane);
  const batch = stored
    ? live.stock.splice(0, upTo(live.stock, 0, BATCH_MAX, mayPerform).length)
    : live.mailbox.take(lane, BATCH_MAX, mayPerform);
  if (batch.length === 0) return SERVED;
  const left: Waiting[] = [...batch];
  let served: Served;
  live.serving = true;
  try {
    served = await turns(site, live, left);
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
async function turns(site: Site, live: Live, left: Waiting[]): Promise<Served> {
  while (left.length > 0 && live.ground !== undefined && live.leaving === undefined) {
    // Each time anew: what the commit before has written may be what the next command must know.
    const found = await recall(site, live, left);
    const filled = fill(site, live, left, found);
    const result = await commit(site, live, filled.draft);
    if (result.kind === 'again') return { kind: 'reclaim', why: result.why };
    if (result.kind === 'refused') {
      turnAway(site, live, left, result);
      continue;
    }
    left.splice(0, filled.taken.length);
    tell(site, live, filled.draft);
    if (filled.intent !== undefined) return { kind: 'runs', intent: filled.intent };
    if (filled.trouble !== undefined) return handle(site, live, left, filled.trouble);
    if (filled.arm !== undefined) {
      const armed = await arm(site, live, filled.arm);
      if (armed !== 'armed') return armed;
    }
  }
  return SERVED;
}

function fill(site: Site, live: Live, batch: readonly Waiting[], found: Found): Filled {
  const ground = live.ground;
  if (ground === undefined) throw new Error('no ground');
  const draft = new Draft(live.pen(site.source), ground, site.clock.now());
  const taken: Waiting[] = [];
  const cut = (more: Partial<Filled> = {}): Filled => ({ draft, taken, ...more });
  for (const waiting of batch) {
    const { command } = waiting;
    // A batch holds a commandId once: the second is judged against what the first has made durable.
    if (draft.fields > FIELDS_MAX || draft.holds(command.commandId)) return cut();
    if (draft.intent?.commandId === command.commandId) {
      taken.push(waiting);
      draft.verdicts.push({ waiting, verdict: standing(draft.intent, command) });
      continue;
    }
    const mark = draft.mark();
    const decision = decide(draft, command, found, live.witness);
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

/** What the store knows of the ids that the batch's commands want recalled. */
export async function recall(site: Site, live: Live, batch: readonly { readonly command: Command }[]): Promise<Found> {
  const wanted = new Set<string>();
  for (const { command } of batch) {
    const shape = live.definition.commands[command.name];
    if (shape?.recall === undefined) continue;
    const checked = checkInput(shape, command.input);
    if ('faults' in checked) continue;
    try {
      for (const id of shape.recall(checked.value, command.commandId)) wanted.add(id);
    } catch {
      // decide will call it again, and its throw is handled there.
    }
  }
  if (wanted.size === 0) return new Map();
  const ids = [...wanted];
  const known = await site.store.recall(live.address, ids);
  return new Map(ids.map((id, index) => [id, recalledOf(known[index] ?? {})]));
}
function recalledOf(known: {
  readonly entry?: { readonly status: NonNullable<Recalled['status']>; readonly text: string };
  readonly record?: string;
}): Recalled {
  return {
    ...(known.entry === undefined ? {} : { status: known.entry.status, command: entryParts(known.entry.text).facts.c }),
    ...(known.record === undefined ? {} : { record: (JSON.parse(known.record) as { v: unknown }).v }),
  };
}

/** The commit named commandIds that are known already: each gets its verdict, the others are decided again. */
function turnAway(site: Site, live: Live, left: Waiting[], { offenders }: Extract<Result, { kind: 'refused' }>): void {
  for (const offender of offenders) {
    const index = left.findIndex((waiting) => waiting.command.commandId === offender.commandId);
    const [waiting] = index < 0 ? [] : left.splice(index, 1);
    if (waiting === undefined) continue;
    const verdict = offender.why === 'ID_REUSED' ? 'id-reused' : judge(waiting.command.hash, offender.entry);
    if (verdict !== 'id-reused') site.meters.redelivered();
    finish(site, live, waiting, verdict);
  }
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
