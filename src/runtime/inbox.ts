/** The way into a location's durable inbox: what waits too long is written down, in order, so that its offsets can close. */
import { pause } from '../clock.ts';
import type { Inboxed } from '../ports.ts';
import { jitter } from '../random.ts';
import { judge } from './commit.ts';
import { entryText } from './ground.ts';
import type { Live } from './live.ts';
import type { Verdict, Waiting } from './mailbox.ts';
import type { Site } from './site.ts';
import { turnedAway } from './timer-gate.ts';
import { timerOf, timersIn } from './timers.ts';

const BURST_MAX = 256;
const RETRY_MS = 250;
const LANES = ['customer', 'bulk'] as const;

/** Takes one more command for this location; false: there is no room, neither in memory nor in the inbox. */
export function offer(site: Site, live: Live, waiting: Waiting): boolean {
  const lane = waiting.command.lane === 'bulk' ? 'bulk' : 'customer';
  // Behind what is in the inbox already: turns take from there first, so the order of the lane stays.
  if (live.leaving === undefined && (live.inbox[lane] > 0 || live.appending.length > 0) && live.mailbox.depth(lane) === 0) {
    if (live.inbox[lane] + live.appending.length >= site.limits.inboxMax) return false;
    append(site, live, [waiting]);
    return true;
  }
  if (live.mailbox.depth(lane) >= (live.definition.limits?.mailbox ?? site.limits.mailboxMax)) return false;
  live.mailbox.push(waiting);
  return true;
}

/** Moves what waits too long in memory into the inbox; true: something was moved. */
export function relieve(site: Site, live: Live): boolean {
  // Some of what a step has in hand may come back: what came later must not be written down before it.
  if (live.serving) return false;
  const before = site.clock.monotonic() - site.limits.inboxAfterMs;
  // Slow is not stuck: while commits go through, what waits here only pauses the fetch.
  if (live.movedMs > before) return false;
  const late = LANES.filter((lane) => (live.mailbox.oldestMs(lane) ?? Number.POSITIVE_INFINITY) <= before);
  if (late.length === 0 || !isCounted(site, live)) return false;
  let moved = false;
  for (const lane of late) {
    const room = site.limits.inboxMax - live.inbox[lane] - live.appending.length;
    if (room <= 0) continue;
    append(site, live, live.mailbox.take(lane, room));
    moved = true;
  }
  return moved;
}

/** Without a claim only the store knows how many wait there: it is asked, and what waits in memory is moved by a later look. */
function isCounted(site: Site, live: Live): boolean {
  if (live.claim !== undefined || live.counted === 'yes') {
    live.counted = 'no';
    return true;
  }
  if (live.counted === 'no') void count(site, live);
  return false;
}

async function count(site: Site, live: Live): Promise<void> {
  live.counted = 'asked';
  const located = await site.store.read(live.address).catch(() => 'unanswered' as const);
  live.counted = located === 'unanswered' ? 'no' : 'yes';
  // A claim that came meanwhile knows better.
  if (located !== 'unanswered' && live.claim === undefined) live.inbox = { ...(located?.inbox ?? { customer: 0, bulk: 0 }) };
}

function append(site: Site, live: Live, waiting: readonly Waiting[]): void {
  const running = live.appending.length > 0;
  live.appending.push(...waiting);
  if (!running) void work(site, live);
}

/** One burst after another until nothing is left; turns of this location wait meanwhile. Never throws. */
async function work(site: Site, live: Live): Promise<void> {
  while (live.appending.length > 0) {
    const burst = burstOf(live.appending);
    const generation = live.leaving === 'revoked' ? undefined : await site.checked(live.partition);
    if (generation === undefined) {
      for (const waiting of live.appending.splice(0)) waiting.conclude('abandoned');
      break;
    }
    const left = await appendAll(site, live, burst, generation).catch(() => burst);
    live.appending.splice(0, burst.length, ...left);
    if (left.length > 0) await pause(site.clock, jitter(site.random, RETRY_MS));
  }
  live.wake();
}

/** A burst holds a commandId once: were the first to get no answer, the second would stand in its place, behind what came between. */
function burstOf(appending: readonly Waiting[]): readonly Waiting[] {
  const ids = new Set<string>();
  const repeat = appending.slice(0, BURST_MAX).findIndex(({ command }) => ids.size === ids.add(command.commandId).size);
  return appending.slice(0, repeat < 0 ? BURST_MAX : repeat);
}

/** What got no answer is answered `left`: appending it again is harmless, it is known by then. */
async function appendAll(site: Site, live: Live, burst: readonly Waiting[], generation: string): Promise<readonly Waiting[]> {
  // Marked before, so that no crash leaves an inbox that nobody looks for, and after, since a clean passivation may have unmarked between.
  if ((await site.store.markInbox(live.address, live.partition, generation)).kind !== 'ok') return burst;
  const answers = await Promise.all(burst.map((waiting) => appendOne(site, live, waiting, generation)));
  if ((await site.store.markInbox(live.address, live.partition, generation)).kind !== 'ok') return burst;
  return burst.filter((waiting, index) => {
    const answer = answers[index];
    const verdict = answer === undefined || typeof answer === 'string' ? answer : verdictOf(site, live, waiting, answer);
    if (verdict === undefined) return true;
    site.meters.turn(waiting.command.type, verdict, waiting.command.lane);
    waiting.conclude(verdict);
    return false;
  });
}

/** A timer's record waits there only while its timer is armed; there may be no claim, so the store is asked. */
async function appendOne(site: Site, live: Live, waiting: Waiting, generation: string): Promise<Inboxed | Verdict> {
  if (timerOf(waiting.command.commandId) !== undefined) {
    const located = await site.store.read(live.address);
    const verdict = await turnedAway(site, waiting.command, timersIn(located?.header.timers));
    if (verdict !== undefined) return verdict;
  }
  return site.store.append(live.address, itemOf(waiting), entryOf(waiting), generation);
}

function verdictOf(site: Site, live: Live, waiting: Waiting, answer: Inboxed): Verdict | undefined {
  switch (answer.kind) {
    case 'ok':
      live.inbox[itemOf(waiting).lane]++;
      return 'inboxed';
    case 'known': {
      site.meters.redelivered();
      // An earlier try of ours may have put it there: to count one too many is harmless, one too few would leave it lying.
      const verdict = judge(waiting.command.hash, answer.entry);
      if (verdict === 'inboxed') live.inbox[itemOf(waiting).lane]++;
      return verdict;
    }
    case 'id-reused':
      return 'id-reused';
    case 'recreated':
      site.refuse(
        waiting.origin,
        'COMMANDS_RECREATED',
        `offset ${waiting.offset} held ${answer.found} before: the topic was deleted and made again`,
      );
      return 'abandoned';
    case 'new-life':
    case 'generation':
      site.recheck();
      return undefined;
    default:
      return undefined;
  }
}

const itemOf = ({ command, offset }: Waiting) => ({
  lane: command.lane === 'bulk' ? ('bulk' as const) : ('customer' as const),
  offset,
  commandId: command.commandId,
  text: JSON.stringify(command),
});
const entryOf = ({ command }: Waiting) => ({
  status: 'inboxed' as const,
  hash: command.hash,
  text: entryText({ c: command.name, t: command.appendedMs }, JSON.stringify({ status: 'pending' })),
});
