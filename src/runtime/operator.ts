/** An operator's action as a turn of the control lane: an event with a seq, done once per key. */

import type { Acted, Action } from '../desk.ts';
import type { Code } from '../errors.ts';
import { hashOf } from '../message/codec.ts';
import { commit, notify } from './commit.ts';
import { checkCommand } from './definition.ts';
import { Draft, type Found } from './draft.ts';
import { type Evidence, entryParts, type Intent } from './ground.ts';
import type { Live } from './live.ts';
import type { Next } from './recovery.ts';
import type { Site } from './site.ts';
import { causeOf, decide, refuseWith, settle } from './turn.ts';

type Refusal = { readonly code: Code; readonly why: string };
type Done = {
  readonly intent?: Intent;
  /** To be asked about. */
  readonly asks?: Intent;
  readonly settled?: { readonly intent: Intent; readonly evidence: Evidence };
};
const no = (code: Code, why: string): Refusal => ({ code, why });
const refusal = ({ code, why }: Refusal): Acted => ({ kind: 'refused', code, why });

export type Operated = { readonly acted: Acted; readonly next: Next | { readonly kind: 'runs' | 'asks'; readonly intent: Intent } };
const ON: Next = { kind: 'on' };

export async function operate(site: Site, live: Live, action: Action, found: Found): Promise<Operated> {
  if (live.ground === undefined) return { acted: refusal(no('BUSY', 'the location is not active')), next: ON };
  const draft = new Draft(live.pen(site.source), live.ground, site.clock.now());
  const done = apply(live, draft, action, found);
  if ('code' in done) return { acted: refusal(done), next: ON };

  const commandId = `~op/${action.key}`;
  const cause = {
    commandId,
    name: action.verb,
    hash: hashOf(`~op.${action.verb}`, { commandId: action.commandId, evidence: action.evidence }),
    appendedMs: draft.nowMs,
  };
  const text = JSON.stringify({ status: 'done', verb: action.verb, seq: draft.seq + 1, epoch: draft.pen.epoch });
  draft.note(cause, [{ type: 'Operated', data: { verb: action.verb, commandId: action.commandId, because: action.because } }], text);
  draft.enter(cause, 'done', text);

  const result = await commit(site, live, draft);
  if (result.kind === 'again')
    return {
      acted: refusal(no('BUSY', `not committed: ${result.why}; repeat it with the same key`)),
      next: { kind: 'reclaim', why: result.why },
    };
  if (result.kind === 'refused') {
    const known = result.offenders.find((offender) => offender.commandId === commandId);
    if (known?.why === 'TRANSITION') return { acted: { kind: 'acted', text: entryParts(known.entry.text).outcome }, next: ON };
    return {
      acted: refusal(
        no('CONFLICT', known === undefined ? 'the command has another outcome already' : 'the key was used for another action'),
      ),
      next: ON,
    };
  }
  site.log.warn({ address: live.address, verb: action.verb, commandId: action.commandId, because: action.because }, 'an operator acted');
  if (done.settled !== undefined) {
    const { intent, evidence } = done.settled;
    live.lastSettled = { commandId: intent.commandId, evidence };
    site.evidence.settled(live.address, intent.commandId);
    notify(site, intent.notify, live.address, intent.commandId);
    if (intent.doubtSinceMs !== undefined) site.meters.doubted(-1);
  }
  if (action.verb === 'evict') live.leaving ??= 'evicted';
  const acted: Acted = { kind: 'acted', text };
  if (done.asks !== undefined) return { acted, next: { kind: 'asks', intent: done.asks } };
  return { acted, next: done.intent === undefined ? ON : { kind: 'runs', intent: done.intent } };
}

/** Verbs that need the state. */
const READING: readonly Action['verb'][] = ['unfreeze', 'settle', 'replay'];

function apply(live: Live, draft: Draft, action: Action, found: Found): Done | Refusal {
  const unreadable = live.ground?.unreadable;
  if (unreadable !== undefined && READING.includes(action.verb)) return no('CONFLICT', unreadable);
  switch (action.verb) {
    case 'pause':
      draft.setPaused({ because: action.because, sinceMs: draft.nowMs });
      return {};
    case 'resume':
      draft.setPaused(undefined);
      return {};
    case 'evict':
      return {};
    case 'unfreeze':
      return unfreeze(live, draft);
    case 'settle':
      return settleBy(draft, action);
    case 'drop':
    case 'replay':
      return parkedOne(live, draft, action, found);
  }
}

/** What froze it is tried again first: evidence that still cannot be booked keeps it frozen. */
function unfreeze(live: Live, draft: Draft): Done | Refusal {
  if (live.ground?.frozen === undefined) return no('CONFLICT', 'the location is not frozen');
  const intent = draft.intent;
  if (intent?.unbooked === undefined) {
    draft.setFrozen(undefined);
    return intent === undefined ? {} : { asks: intent };
  }
  const settled = settle(draft, intent, intent.unbooked);
  if (settled.kind === 'unbooked') return no('CONFLICT', `the evidence of ${intent.commandId} still cannot be booked: ${settled.error}`);
  draft.setFrozen(undefined);
  return { settled: { intent, evidence: intent.unbooked } };
}

function settleBy(draft: Draft, action: Action): Done | Refusal {
  const intent = draft.intent;
  if (intent === undefined || intent.commandId !== action.commandId)
    return no('NOT_FOUND', `no open intent of ${action.commandId ?? '(no commandId)'}`);
  const evidence = evidenceOf(action.evidence);
  if (evidence === undefined)
    return no('INPUT_INVALID', 'evidence must be {"status":"confirmed","result":…} or {"status":"failed","code":"…"}');
  const settled = settle(draft, intent, evidence);
  return settled.kind === 'booked'
    ? { settled: { intent, evidence } }
    : no('INPUT_INVALID', `this evidence cannot be booked: ${settled.error}`);
}

function parkedOne(live: Live, draft: Draft, action: Action, found: Found): Done | Refusal {
  const parked = draft.parked;
  if (parked === undefined || parked.command.commandId !== action.commandId)
    return no('NOT_FOUND', `${action.commandId ?? '(no commandId)'} is not parked here`);
  draft.setParked(undefined);
  if (action.verb === 'drop') {
    refuseWith(draft, causeOf(parked.command), 'DROPPED', { because: action.because });
    return {};
  }
  const { name, input } = parked.command;
  const decision = decide(draft, parked.command, checkCommand(live.definition, name, input), found, live.witness);
  if (decision.kind === 'throws') return no('CONFLICT', `it throws again: ${decision.error}`);
  if (decision.kind === 'violates') return no('CONFLICT', `the invariant "${decision.invariant}" would still not hold`);
  return decision.kind === 'performs' ? { intent: decision.intent } : {};
}

function evidenceOf(given: unknown): Evidence | undefined {
  if (typeof given !== 'object' || given === null || !('status' in given)) return undefined;
  if (given.status === 'confirmed' && 'result' in given) return { status: 'confirmed', result: given.result };
  if (given.status === 'failed' && 'code' in given && typeof given.code === 'string') return { status: 'failed', code: given.code };
  return undefined;
}
