/** From an address to its one local activation: spawned on the first message, shared by concurrent ones, gone when told. */
import { pause } from '../clock.ts';
import { why } from '../errors.ts';
import type { Address, Place } from '../message/address.ts';
import { parseAddress } from '../message/address.ts';
import { Activation, type Actors, actors } from './activation.ts';
import { held, rests } from './ground.ts';
import { offer, relieve } from './inbox.ts';
import { Live } from './live.ts';
import type { Waiting } from './mailbox.ts';
import { idle, overCap } from './passivation.ts';
import type { Site } from './site.ts';
import { timersIn } from './timers.ts';

const WALK_RETRY_MS = 500;
/** Locations looked at together on a walk. */
const WALK_LOT = 64;
/** Locations whose claims are looked at together. */
const LOOK_LOT = 64;

export class Router {
  readonly #site: Site;
  readonly #actors: Actors;
  readonly #activations = new Map<Address, Activation>();
  /** Those with something in memory: the sweep looks at these alone. */
  readonly #waiting = new Set<Activation>();
  #emptied: (() => void)[] = [];
  #closing = false;

  constructor(site: Site) {
    this.#site = site;
    this.#actors = actors(site.clock);
  }

  get size(): number {
    return this.#activations.size;
  }
  get all(): Iterable<Activation> {
    return this.#activations.values();
  }
  find(address: Address): Activation | undefined {
    return this.#activations.get(address);
  }

  /** Hands a command to its location; false: there is no room for it now. */
  route(waiting: Waiting): boolean {
    const { command } = waiting;
    const activation = this.#activations.get(command.address) ?? this.spawn(command);
    if (activation === undefined || !offer(this.#site, activation.live, waiting)) return false;
    this.#waiting.add(activation);
    activation.wake();
    return true;
  }

  /** Undefined: as many locations are resident as may be, none of them idle. */
  spawn(place: Place): Activation | undefined {
    const existing = this.#activations.get(place.address);
    if (existing !== undefined) return existing;
    const definition = this.#site.definitions.get(place.type);
    if (definition === undefined || this.#closing) return undefined;
    if (this.#activations.size >= this.#site.limits.residentMax && !this.#makeRoom()) return undefined;
    const live = new Live(place, definition, this.#site.partitionOf(place.address), this.#site.clock.monotonic());
    const activation = new Activation(this.#site, this.#actors, live, (it) => this.#gone(it));
    this.#activations.set(place.address, activation);
    return activation;
  }

  /** Spawns the locations that the store names and that need work, a few at a time so that commands are not starved, until all were there once. */
  async walk(partition: number): Promise<void> {
    const { clock, definitions } = this.#site;
    const wanted = () => this.#site.assigned(partition) && !this.#closing;
    const marked = (await this.#marked(partition, wanted)).map((address) => parseAddress(address, 'marked'));
    const places = marked.filter((it): it is Place => !('code' in it) && definitions.has(it.type));
    for (let from = 0; from < places.length && wanted(); from += WALK_LOT) {
      const lot = places.slice(from, from + WALK_LOT);
      const asleep = await Promise.all(lot.map((place) => this.#sleeps(place)));
      for (const place of lot.filter((_, n) => !asleep[n]))
        while (wanted() && this.spawn(place) === undefined) await pause(clock, WALK_RETRY_MS);
      await new Promise<void>((resolve) => clock.soon(resolve));
    }
  }
  /** One that is in the index for its timers alone stays out of memory until the first of them is due. */
  async #sleeps({ address }: Place): Promise<boolean> {
    const located = await this.#site.store.read(address).catch(() => undefined);
    if (located?.header.timers === undefined || !rests(located)) return false;
    this.#site.timers.know(address, timersIn(located.header.timers));
    return true;
  }
  async #marked(partition: number, wanted: () => boolean): Promise<readonly Address[]> {
    const { clock, store, log } = this.#site;
    while (wanted()) {
      try {
        return await store.marked(partition);
      } catch (error) {
        log.warn({ partition, why: why(error) }, 'the index of locations with work cannot be read yet');
        await pause(clock, WALK_RETRY_MS);
      }
    }
    return [];
  }

  /** The partition is somebody else's: its locations finish the turn in hand and go. */
  revoke(partition: number): void {
    for (const activation of this.#activations.values()) if (activation.live.partition === partition) activation.leave('revoked');
  }

  /** Lets every location go and takes none any more; resolves when the last is gone. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const activation of this.#activations.values()) activation.leave('revoked');
    if (this.#activations.size === 0) return;
    await new Promise<void>((resolve) => this.#emptied.push(resolve));
  }

  /** What waits in memory, over all locations. */
  waiting(): { readonly depth: number; readonly oldestMs: number } {
    const nowMs = this.#site.clock.monotonic();
    let depth = 0;
    let oldestMs = 0;
    for (const { live } of this.#waiting) {
      depth += live.mailbox.length;
      for (const lane of ['customer', 'bulk'] as const) oldestMs = Math.max(oldestMs, nowMs - (live.mailbox.oldestMs(lane) ?? nowMs));
    }
    return { depth, oldestMs };
  }
  /** Resident locations that a parked command holds. */
  parked(): number {
    let count = 0;
    for (const { live } of this.#activations.values()) if (live.ground?.parked !== undefined) count++;
    return count;
  }

  /** Some of those that are still here, and what keeps them. */
  left(): readonly object[] {
    const nowMs = this.#site.clock.monotonic();
    return [...this.#activations.values()]
      .slice(0, 3)
      .map(({ live }) => ({ address: live.address, phase: live.phase, leaving: live.leaving, heldBy: live.heldBy(nowMs) }));
  }

  /** Moves what waits too long in memory into inboxes. */
  relieve(): void {
    for (const activation of this.#waiting) {
      const { live } = activation;
      if (live.mailbox.length === 0 && !live.serving) this.#waiting.delete(activation);
      else if (live.leaving === undefined && relieve(this.#site, live)) this.#site.freed();
    }
  }

  /** Lets idle locations go. */
  passivate(): void {
    const nowMs = this.#site.clock.monotonic();
    for (const activation of this.#activations.values())
      if (idle(activation.live, nowMs, this.#site.limits.idleMs)) activation.leave('idle');
  }

  /** Lets locations that are held or in doubt ask whether their claims still stand: a few, those that have not for longest. */
  look(): void {
    const isStill = ({ live: { phase, control, ground } }: Activation) =>
      phase === 'active' &&
      control.length === 0 &&
      ground !== undefined &&
      (held(ground) !== undefined || ground.intent?.doubtSinceMs !== undefined);
    const all = [...this.#activations.values()].filter(isStill).sort((a, b) => a.live.lookedMs - b.live.lookedMs);
    for (const activation of all.slice(0, LOOK_LOT)) activation.look();
  }

  #makeRoom(): boolean {
    const leaving = overCap(
      [...this.#activations.values()].map(({ live }) => live),
      this.#site.clock.monotonic(),
    );
    for (const live of leaving) this.#activations.get(live.address)?.leave('idle');
    return false;
  }

  #gone(activation: Activation): void {
    const { live } = activation;
    this.#activations.delete(live.address);
    this.#waiting.delete(activation);
    // What came while it was going begins the next activation, all of it: it has been taken already.
    const left = live.mailbox.takeAll();
    const wanted = this.#site.assigned(live.partition) && (live.returns || left.length > 0);
    const next = wanted ? this.spawn(live.place) : undefined;
    for (const waiting of left)
      if (next === undefined) waiting.conclude('abandoned');
      else next.live.mailbox.push(waiting);
    if (next !== undefined) this.#waiting.add(next);
    this.#site.freed();
    if (this.#activations.size > 0) return;
    for (const resolve of this.#emptied.splice(0)) resolve();
  }
}
