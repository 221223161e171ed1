/** I17: a hand-over takes at most one turn in hand plus 1 s: who leaves cleanly leaves nothing that others must wait out. */
import { type MakeChecker, Violation, type Who } from '../happening.ts';
import { commandFact, letterFact, placeOf } from './facts.ts';

const NAME = 'I17';
const BOUND_MS = 1_000;
/** A turn in hand at its new owner, asking the device once among it, and the group that shares anew. */
const IN_HAND_MS = 1_000;
const SETTLES_MS = 5_000;
/** Faults that nobody meets who takes a location over, the drain itself among them. */
const HARMLESS = new Set(['drain', 'device', 'device-restart', 'amnesia']);

/** What was given up is asked again after this time. */
const AGAIN_MS = 500;

/** Since when each record lies there, by their places, the oldest first. */
type Due = { readonly left: Who; readonly waits: Map<string, number> };
/** A call that was lost, until it is asked again. */
type Lost = { readonly fromMs: number; readonly untilMs: number };

/** Only hand-overs that no fault disturbs are judged: their time counts from when there is work, or from the leaving if there was before. */
export const handOverIsQuick: MakeChecker = ({ topics, now, limits, leasesLie }) => {
  if (leasesLie) return { name: NAME };
  const owners = new Map<string, Who>();
  const due = new Map<string, Due>();
  let quietFromMs = 0;
  // A wire may lose a call without any fault that is told: the time until its caller asks again does not count for it, each moment once.
  const lost = new Map<Who, Lost[]>();
  const lostMs = (who: Who, sinceMs: number) =>
    (lost.get(who) ?? []).reduce((sum, { fromMs, untilMs }) => sum + Math.max(0, Math.min(now(), untilMs) - Math.max(sinceMs, fromMs)), 0);
  /** A lease whose release was lost lasts to its end. */
  const lasting = new Map<string, number>();
  /** Locations whose effect is in hand: it has not answered yet. */
  const inHand = new Set<string>();
  return {
    name: NAME,
    hear(it) {
      if (it.kind === 'produced' && (it.record.topic === topics.commands || it.record.topic === topics.bulk)) {
        const command = commandFact(it.record);
        if (command !== undefined) due.get(command.address)?.waits.set(placeOf(it.record), now());
      }
      // What becomes a dead letter is no work of its location.
      if (it.kind === 'produced' && it.record.topic === topics.letters)
        for (const { waits } of due.values()) waits.delete(letterFact(it.record).of);
      if (it.kind === 'committed' && it.change.header.intent !== undefined) {
        const isInHand = it.change.header.intent !== '' && !/"(doubtSinceMs|unbooked)":/.test(it.change.header.intent);
        inHand[isInHand ? 'add' : 'delete'](it.claim.address);
      }
      if (it.kind === 'claimed') {
        const { address } = it.claim;
        const left = due.get(address);
        due.delete(address);
        owners.set(address, it.who);
        const [first] = left?.waits.values() ?? [];
        const tookMs = first === undefined ? 0 : now() - first;
        if (first !== undefined && tookMs - lostMs(it.who, first) > BOUND_MS + IN_HAND_MS)
          throw new Violation(NAME, `${address} was taken over from ${left?.left} ${tookMs} ms after it had work and no owner`);
      }
      // Any fault may lengthen it, and so does a second one that leaves meanwhile.
      const disturbs = it.kind === 'fault' && !HARMLESS.has(it.name);
      if (disturbs) quietFromMs = Math.max(quietFromMs, now() + lastsMs(it.detail, limits.sessionMs));
      if (disturbs || ['killed', 'frozen', 'thawed', 'draining', 'store-restarted'].includes(it.kind)) due.clear();
      if (it.kind === 'unanswered') {
        const its = lost.get(it.who) ?? [];
        its.push({ fromMs: Math.max(its.at(-1)?.untilMs ?? 0, now() - it.tookMs), untilMs: now() + AGAIN_MS });
        lost.set(it.who, its);
        if (it.call === 'release' && it.address !== undefined) lasting.set(it.address, now() + limits.leaseTtlMs);
      }
      // Whoever has no room for more locations takes them one after the other, each after a rest of a second.
      if (it.kind === 'sized' && it.residents >= limits.residentMax) due.clear();
      if (it.kind !== 'drained') return;
      due.clear();
      if (now() < quietFromMs) return;
      // Whose turn in hand outlasts the drain keeps its lease, and its device has the time to end: that is no leaving cleanly.
      for (const [address, owner] of owners)
        if (owner === it.who && (lasting.get(address) ?? 0) < now() && !inHand.has(address))
          due.set(address, { left: owner, waits: new Map() });
    },
  };
};

/** What a fault did is made good some while after it ends; whoever comes back under another name waits two sessions before it joins. */
function lastsMs(detail: object, sessionMs: number): number {
  const { forMs = 0, restartMs } = detail as { readonly forMs?: number; readonly restartMs?: number };
  return forMs + SETTLES_MS + (restartMs === undefined ? 0 : restartMs + 2 * sessionMs);
}
