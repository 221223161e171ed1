/** An operator's action finds its location: here, at the owner, or, when nobody owns it, under a claim made for it alone. */

import { pause } from '../clock.ts';
import type { Acted, Action, Peers } from '../desk.ts';
import { type Address, type Place, parseAddress } from '../message/address.ts';
import type { Registry } from '../ports.ts';
import { groundOf } from './ground.ts';
import { Live } from './live.ts';
import { operate } from './operator.ts';
import type { Replica } from './replica.ts';

export type Reach = { readonly replica: Replica; readonly peers: Peers; readonly registry: Registry; readonly sessionMs: number };
const no = (code: Extract<Acted, { kind: 'refused' }>['code'], why: string): Acted => ({ kind: 'refused', code, why });

export async function act(it: Reach, address: string, action: Action, forwarded: boolean): Promise<Acted> {
  const { router, partitions, site } = it.replica;
  const place = parseAddress(address, 'address');
  if ('code' in place) return no(place.code, place.rule);
  if (!site.definitions.has(place.type)) return no('TYPE_UNKNOWN', `${place.type} is not an actor of this program`);
  if (partitions.held(site.partitionOf(address))) {
    const activation = router.spawn(place);
    return activation === undefined ? no('BUSY', 'no room for another resident location') : activation.act(action);
  }
  if (forwarded) return no('BUSY', 'this replica does not own the location any more: repeat it');
  const url = await ownerUrl(it, address);
  return url === undefined ? withoutOwner(it, place, action) : it.peers.act(url, address, action);
}

/** Where the owner of a location listens, if it is alive. */
export async function ownerUrl({ replica, registry, sessionMs }: Reach, address: string): Promise<string | undefined> {
  const owner = (await replica.site.store.read(address))?.owner;
  const { nowMs, replicas } = await registry.list();
  const alive = replicas.find((it) => `${it.replicaId}/${it.life}` === owner && nowMs - it.seenMs < sessionMs);
  return owner === replica.membership.owner ? undefined : alive?.url;
}

/** Safe without the lease: the claim's epoch fences whoever thinks to own it. */
async function withoutOwner({ replica }: Reach, place: Place, action: Action): Promise<Acted> {
  const { site } = replica;
  if (action.verb === 'replay')
    return no('BUSY', 'a replay may move cash and needs an owner: repeat it when a replica holds the partition');
  const generation = await site.store.generation();
  const definition = site.definitions.get(place.type);
  if (generation === undefined || definition === undefined)
    return no('PARTITION_REFUSED', 'the store has no generation: accept its partitions first');
  const partition = site.partitionOf(place.address);
  const claimed = await site.store.claim(place.address, site.owner(), generation);
  if (claimed.kind !== 'claimed') return no('STORE_DOWN', `not claimed: ${claimed.kind}`);
  if ((await site.store.mark(claimed.claim, partition)).kind !== 'ok') return no('STORE_DOWN', 'not marked');
  // Should this replica die now, its mark is found when the group shares anew, which it does for the death of a member alone.
  if (replica.state !== 'serving' || !replica.joined)
    return no('BUSY', 'this replica is leaving, or apart from its group: repeat it at another one');
  const live = new Live(place, definition, partition, site.clock.monotonic());
  live.claim = claimed.claim;
  live.ground = groundOf(definition, place.id, claimed);
  live.published = claimed.published;
  // What an owner before has not published comes first, or the topic would have a hole.
  site.relay.push(claimed.unpublished, () => {});
  // As at any claim, what is in doubt counts here meanwhile: if it is settled, that takes it back.
  const doubts = () => (live.ground?.intent?.doubtSinceMs === undefined ? 0 : 1);
  site.meters.doubted(doubts());
  const { acted, next } = await operate(site, live, action, new Map());
  site.meters.doubted(-doubts());
  if (next.kind === 'reclaim') void publishLeft(replica, place.address);
  return acted;
}

const LEFT_RETRY_MS = 1_000;
/** What was committed without an answer: nobody else looks for its event before the next command, or before the group shares anew. Never throws. */
async function publishLeft(replica: Replica, address: Address): Promise<void> {
  const { store, relay, clock, owner } = replica.site;
  while (replica.state === 'serving') {
    await pause(clock, LEFT_RETRY_MS);
    const [located, generation] = await Promise.all([store.read(address), store.generation()]).catch(() => []);
    if (located === undefined || generation === undefined) continue;
    // Whoever has claimed it since, or makes it resident, here too, publishes what is left.
    if (located.owner !== owner() || replica.router.find(address) !== undefined) return;
    const claimed = await store.claim(address, owner(), generation);
    if (claimed.kind === 'claimed') return relay.push(claimed.unpublished, () => {});
  }
}
