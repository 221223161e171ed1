/** One turn: a command, or evidence, through the actor's pure functions into a draft. Nothing here waits and nothing here is durable. */
import type { Fence, Recalled, Timer, Turn } from '../actor.ts';
import { sentence, why } from '../errors.ts';
import type { Command } from '../message/envelope.ts';
import { member } from '../message/json.ts';
import type { Checked, CommandShape, EventData } from './definition.ts';
import type { Cause, Draft, Found } from './draft.ts';
import type { Evidence, Intent, Parked } from './ground.ts';
import { armedAs, timerOf, withTimers } from './timers.ts';

/** What became of a decision. Only `throws` and `violates` left nothing in the draft. */
export type Decision =
  | { readonly kind: 'done' | 'refused' }
  | { readonly kind: 'performs'; readonly intent: Intent }
  | { readonly kind: 'throws'; readonly error: string }
  | { readonly kind: 'violates'; readonly invariant: string };
export type Settled =
  | { readonly kind: 'booked'; readonly status: 'done' | 'refused' }
  | { readonly kind: 'unbooked'; readonly error: string };

const NOTHING: Turn['recalled'] = new Map();

// By hand, here and wherever each commit writes a small object: JSON.stringify of it costs three times as much.
const done = (reply: unknown, seq: number, epoch: number): string =>
  `{"status":"done"${member('reply', reply)},"seq":${seq},"epoch":${epoch}}`;
const refused = (code: string, detail: unknown, seq: number): string =>
  `{"status":"refused"${member('code', code)}${member('detail', detail)},"seq":${seq}}`;
const pending = (status: 'pending' | 'in-doubt' | 'parked'): string => `{"status":"${status}"}`;

export const causeOf = (it: Command | Intent): Cause => ({
  commandId: it.commandId,
  name: it.name,
  hash: it.hash,
  appendedMs: it.appendedMs,
  traceparent: it.traceparent,
});

/** Decides one command. Dedupe is judged by the commit itself, which refuses a known commandId. */
export function decide(draft: Draft, command: Command, checked: Checked, found: Found, witness: string | undefined): Decision {
  const shape = draft.pen.definition.commands[command.name] as CommandShape;
  const cause = causeOf(command);
  const timer = armedAs(draft.timers, command.commandId);
  // Its record came from the inbox, where it has waited while the timer was cancelled or armed anew.
  if (timer === undefined && timerOf(command.commandId) !== undefined) return refuseWith(draft, cause, 'TIMER_NOT_ARMED', undefined);
  if (command.deadlineMs !== undefined && draft.nowMs > command.deadlineMs)
    return refuseWith(draft, cause, 'DEADLINE_EXCEEDED', { deadline: new Date(command.deadlineMs).toISOString() });
  if (command.ifSeq !== undefined && command.ifSeq !== draft.seq)
    return refuseWith(draft, cause, 'PRECONDITION_FAILED', { seq: draft.seq });
  const mark = draft.mark();
  try {
    if ('faults' in checked) {
      const said = checked.faults.map(sentence).join('; ');
      return { kind: 'throws', error: `it does not fit this version of ${draft.pen.definition.type}: ${said}` };
    }
    const recalled = shape.recall?.(checked.value, command.commandId);
    const turn: Turn = {
      // Never before the time that was asked for, whatever this replica's clock says.
      now: Math.max(draft.nowMs, timer?.at ?? 0),
      commandId: command.commandId,
      fence: { epoch: draft.pen.epoch, seq: draft.seq + 1 },
      recalled: recalled === undefined ? NOTHING : recallOf(draft, recalled, command.commandId, found),
    };
    const decision = answered(draft, command, cause, shape, shape.decide(draft.state, checked.value, turn), witness, mark);
    const large = draft.tooLarge(mark);
    if (large === undefined) return decision;
    draft.back(mark);
    return { kind: 'throws', error: large };
  } catch (error) {
    draft.back(mark);
    return { kind: 'throws', error: why(error) };
  }
}

function recallOf(draft: Draft, ids: readonly string[], own: string, found: Found): ReadonlyMap<string, Recalled> {
  const recalled = new Map<string, Recalled>();
  for (const id of ids) recalled.set(id, id === own ? draft.ownRecord(id, found) : draft.recalled(id, found));
  return recalled;
}

function answered(
  draft: Draft,
  command: Command,
  cause: Cause,
  shape: CommandShape,
  answer: ReturnType<CommandShape['decide']>,
  witness: string | undefined,
  mark: ReturnType<Draft['mark']>,
): Decision {
  if (answer.kind === 'refuse') return refuseWith(draft, cause, answer.code, answer.detail);
  if (answer.kind === 'perform') {
    if (draft.intent !== undefined) return refuseWith(draft, cause, 'IN_DOUBT_OPEN', { commandId: draft.intent.commandId });
    if (shape.settle === undefined) return { kind: 'throws', error: `${command.name} performs but has no settle` };
    return intend(draft, command, cause, answer, witness, mark);
  }
  acceptInto(draft, cause, answer);
  return violated(draft, mark) ?? { kind: 'done' };
}

function intend(
  draft: Draft,
  command: Command,
  cause: Cause,
  answer: { readonly events: readonly EventData[]; readonly effect: string; readonly order: unknown },
  witness: string | undefined,
  mark: ReturnType<Draft['mark']>,
): Decision {
  const outcome = pending('pending');
  // Always at least one event: its seq is the fence of the run, and no two runs may share one.
  if (answer.events.length > 0) draft.book(cause, answer.events, outcome);
  else draft.note(cause, [{ type: 'Intended', data: { commandId: command.commandId } }], outcome);
  const bad = violated(draft, mark);
  if (bad !== undefined) return bad;
  const fence: Fence = { epoch: draft.pen.epoch, seq: draft.seq };
  const intent: { -readonly [K in keyof Intent]: Intent[K] } = {
    commandId: command.commandId,
    name: command.name,
    hash: command.hash,
    effect: answer.effect,
    order: answer.order,
    fence,
    sinceMs: draft.nowMs,
    appendedMs: command.appendedMs,
  };
  if (witness !== undefined) intent.witness = witness;
  if (command.notify !== undefined) intent.notify = command.notify;
  if (command.traceparent !== undefined) intent.traceparent = command.traceparent;
  draft.enter(cause, 'open', outcome);
  draft.setIntent(intent);
  return { kind: 'performs', intent };
}

type Accepted = { readonly events: readonly EventData[]; readonly reply: unknown; readonly timers: readonly Timer[] };
function acceptInto(draft: Draft, cause: Cause, { events, reply, timers }: Accepted): void {
  if (timers.length > 0) {
    const armed = withTimers(draft.pen, draft.timers, timers, draft.seq + 1);
    draft.setTimers(armed.timers);
    draft.note(cause, [{ type: 'TimersSet', data: armed.set }]);
  }
  // A turn without events of its own still has one, so that every outcome has a seq and can be rebuilt from the events.
  const seq = draft.seq + Math.max(1, events.length);
  const outcome = done(reply, seq, draft.pen.epoch);
  if (events.length > 0) draft.book(cause, events, outcome);
  else draft.note(cause, [{ type: 'Accepted', data: { commandId: cause.commandId } }], outcome);
  draft.enter(cause, 'done', outcome);
}

/** A refusal is a result: it has an event and replays the same. */
export function refuseWith(draft: Draft, cause: Cause, code: string, detail: unknown): Decision {
  const outcome = refused(code, detail, draft.seq + 1);
  draft.note(cause, [{ type: 'Refused', data: { commandId: cause.commandId, code, detail } }], outcome);
  draft.enter(cause, 'refused', outcome);
  return { kind: 'refused' };
}

function violated(draft: Draft, mark: ReturnType<Draft['mark']>): Decision | undefined {
  const { invariants } = draft.pen.definition;
  for (const name in invariants) {
    const holds = invariants[name];
    if (holds === undefined || holds(draft.state)) continue;
    draft.back(mark);
    return { kind: 'violates', invariant: name };
  }
  return undefined;
}

/** Sets a command aside, durably and by name, and holds the location. */
export function park(draft: Draft, command: Command, error: string, attempts: number): void {
  const cause = causeOf(command);
  const parked: Parked = { command, error, attempts, sinceMs: draft.nowMs };
  draft.note(cause, [{ type: 'Parked', data: { commandId: command.commandId, error } }], pending('parked'));
  draft.enter(cause, 'parked', pending('parked'));
  draft.setParked(parked);
}

/** Turns evidence into events and the command's outcome. Evidence that cannot be booked is kept raw and the location freezes. */
export function settle(draft: Draft, intent: Intent, evidence: Evidence): Settled {
  const mark = draft.mark();
  const tried = trySettle(draft, intent, evidence, mark);
  if ('status' in tried) {
    draft.setIntent(undefined);
    return { kind: 'booked', status: tried.status };
  }
  const { error } = tried;
  draft.back(mark);
  if (intent.unbooked === undefined) {
    draft.note(causeOf(intent), [{ type: 'EffectUnbooked', data: { commandId: intent.commandId, evidence, error } }]);
    draft.setIntent({ ...intent, unbooked: evidence });
    draft.setFrozen({ reason: 'EFFECT_UNBOOKED', detail: error, sinceMs: draft.nowMs });
  }
  return { kind: 'unbooked', error };
}

type Tried = { readonly status: 'done' | 'refused' } | { readonly error: string };
function trySettle(draft: Draft, intent: Intent, evidence: Evidence, mark: ReturnType<Draft['mark']>): Tried {
  const shape = draft.pen.definition.commands[intent.name];
  const cause = causeOf(intent);
  try {
    const answer = shape?.settle?.(draft.state, { effect: intent.effect, order: intent.order, ...evidence }, turnOf(draft, intent));
    if (answer === undefined) return { error: `this version of ${draft.pen.definition.type} does not settle ${intent.name}` };
    if (answer.kind === 'doubt') return { error: `settle answered doubt to evidence (${evidence.status})` };
    if (answer.kind === 'accept') acceptInto(draft, cause, answer);
    else {
      if ('events' in answer) draft.book(cause, answer.events);
      refuseWith(draft, cause, answer.code, answer.detail);
    }
    const bad = violated(draft, mark);
    if (bad?.kind === 'violates') return { error: `the invariant "${bad.invariant}" would not hold` };
    const large = draft.tooLarge(mark);
    if (large !== undefined) return { error: large };
    return { status: answer.kind === 'accept' ? 'done' : 'refused' };
  } catch (error) {
    return { error: why(error) };
  }
}

/** Commits that nothing is known yet. The event it always makes raises the fence that the probe will carry. */
export function doubt(draft: Draft, intent: Intent): Intent {
  const shape = draft.pen.definition.commands[intent.name];
  const cause = causeOf(intent);
  const mark = draft.mark();
  let events: readonly EventData[] = [];
  try {
    const answer = shape?.settle?.(draft.state, { effect: intent.effect, order: intent.order, status: 'unknown' }, turnOf(draft, intent));
    if (answer?.kind === 'doubt') events = answer.events;
    draft.book(cause, events);
  } catch {
    // Doubt is never refused: the fact that nothing is known is recorded without the author's words.
    draft.back(mark);
    events = [];
  }
  if (events.length === 0) draft.note(cause, [{ type: 'InDoubt', data: { commandId: intent.commandId } }]);
  const doubted: Intent = { ...intent, doubtSinceMs: draft.nowMs };
  draft.enter(cause, 'open', pending('in-doubt'), true);
  draft.setIntent(doubted);
  return doubted;
}

const turnOf = (draft: Draft, intent: Intent): Turn => ({
  now: draft.nowMs,
  commandId: intent.commandId,
  fence: { epoch: draft.pen.epoch, seq: draft.seq + 1 },
  recalled: NOTHING,
});
