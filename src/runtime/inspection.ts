/** What an operator sees of locations: those resident here with what waits, and any one as the store has it. */
import { type Address, parseAddress } from '../message/address.ts';
import type { Located } from '../ports.ts';
import { groundOf, held, type Parked } from './ground.ts';
import type { Live } from './live.ts';
import type { Replica } from './replica.ts';
import { shownTimers } from './timers.ts';

const LANES = ['customer', 'bulk'] as const;
/** Locations read at the same time from the store. */
const AT_ONCE = 64;

const age = (nowMs: number, sinceMs: number | undefined): number | undefined =>
  sinceMs === undefined ? undefined : Math.round(nowMs - sinceMs);

function mailbox(live: Live, nowMs: number) {
  const lanes = LANES.map((lane) => [
    lane,
    { depth: live.mailbox.depth(lane), oldestMs: age(nowMs, live.mailbox.oldestMs(lane)), inbox: live.inbox[lane] },
  ]);
  return { control: { depth: live.control.length }, ...Object.fromEntries(lanes) };
}

/** One resident location in a line. */
function summary(replica: Replica, live: Live) {
  const nowMs = replica.site.clock.monotonic();
  return {
    address: live.address,
    phase: live.phase,
    seq: live.ground?.seq,
    epoch: live.claim?.epoch,
    partition: live.partition,
    waiting: live.mailbox.length + live.appending.length + live.inbox.customer + live.inbox.bulk,
    heldBy: live.waits || live.ground?.intent !== undefined ? live.heldBy(nowMs) : standing(live),
    inDoubt: live.ground?.intent?.doubtSinceMs === undefined ? undefined : live.ground.intent.commandId,
    leaseLeftMs: Math.round(replica.site.leases.leftMs(live.address)),
  };
}
/** What would hold the next command, though none waits now. */
const standing = (live: Live): string | undefined => (live.ground === undefined ? undefined : held(live.ground)) ?? live.newer;
const stuck = (live: Live): boolean =>
  live.ground === undefined ||
  live.newer !== undefined ||
  held(live.ground) !== undefined ||
  live.ground.intent?.doubtSinceMs !== undefined ||
  live.inbox.customer + live.inbox.bulk > 0;

export function inspectLocations(replica: Replica, filter: { readonly stuck: boolean; readonly limit: number }): readonly unknown[] {
  const rows: unknown[] = [];
  for (const { live } of replica.router.all) {
    if (rows.length >= filter.limit) break;
    if (!filter.stuck || stuck(live)) rows.push(summary(replica, live));
  }
  return rows;
}

/** Undefined: nothing was ever heard of it. */
export async function inspectLocation(replica: Replica, address: Address): Promise<unknown> {
  const { site, router } = replica;
  const place = parseAddress(address, 'address');
  const definition = 'code' in place ? undefined : site.definitions.get(place.type);
  if ('code' in place || definition === undefined) return undefined;
  const live = router.find(address)?.live;
  const located = await site.store.read(address);
  if (located === undefined && live === undefined) return undefined;
  const stored = located === undefined ? {} : picture(groundOf(definition, place.id, located), located);
  if (live === undefined) return { address, ...stored, resident: false };
  const nowMs = site.clock.monotonic();
  return {
    ...stored,
    resident: true,
    ...summary(replica, live),
    mailbox: mailbox(live, nowMs),
    inHand: live.running === undefined ? undefined : { commandId: live.running.commandId, effect: live.running.effect },
    failing: live.failing,
    probes: live.probes,
    unpublished: (live.ground?.seq ?? 0) - live.published,
  };
}

function picture(ground: ReturnType<typeof groundOf>, located: Located) {
  return {
    seq: ground.seq,
    epoch: located.epoch,
    owner: located.owner,
    published: located.published,
    inbox: located.inbox,
    state: ground.state,
    unreadable: ground.unreadable,
    intent: ground.intent,
    parked: ground.parked,
    frozen: ground.frozen,
    paused: ground.paused,
    timers: shownTimers(ground.timers),
  };
}

/** Every parked command: such a location stays in the index of those with work, so the index finds them all. */
export async function inspectParked(replica: Replica): Promise<readonly unknown[]> {
  const { store } = replica.site;
  const marked = await Promise.all(Array.from({ length: replica.partitions.count }, (_, partition) => store.marked(partition)));
  const addresses = [...new Set(marked.flat())];
  const rows: unknown[] = [];
  for (let from = 0; from < addresses.length; from += AT_ONCE) {
    const some = addresses.slice(from, from + AT_ONCE);
    const located = await Promise.all(some.map((address) => store.read(address)));
    some.forEach((address, index) => {
      const text = located[index]?.header.parked;
      if (text === undefined) return;
      const parked = JSON.parse(text) as Parked;
      const { commandId, name, input } = parked.command;
      rows.push({
        address,
        commandId,
        command: name,
        input,
        error: parked.error,
        attempts: parked.attempts,
        since: new Date(parked.sinceMs).toISOString(),
      });
    });
  }
  return rows;
}
