/** From an address to its one local activation: spawned on the first message, shared by concurrent ones, gone when told. */
import type { Address, Place } from '../message/address.ts';
import { parseAddress } from '../message/address.ts';
import { Activation, type Actors, actors } from './activation.ts';
import { offer, relieve } from './inbox.ts';
import { Live } from './live.ts';
import type { Waiting } from './mailbox.ts';
import { idle, overCap } from './passivation.ts';
import type { Site } from './site.ts';

export class Router {
  readonly #site: Site;
  readonly #actors: Actors = actors();
  readonly #activations = new Map<Address, Activation>();
  /** Those with something in memory: the sweep looks at these alone. */
  readonly #waiting = new Set<Activation>();
  #emptied: (() => void)[] = [];

  constructor(site: Site) {
    this.#site = site;
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
    if (definition === undefined) return undefined;
    if (this.#activations.size >= this.#site.limits.residentMax && !this.#makeRoom()) return undefined;
    const live = new Live(place, definition, this.#site.partitionOf(place.address), this.#site.clock.monotonic());
    const activation = new Activation(this.#site, this.#actors, live, (it) => this.#gone(it));
    this.#activations.set(place.address, activation);
    return activation;
  }

  /** Spawns the locations that the store names as in need of work, a few at a time so that commands are not starved. */
  async walk(partition: number): Promise<void> {
    for (const address of await this.#site.store.marked(partition)) {
      const place = parseAddress(address, 'marked');
      if ('code' in place || this.#activations.has(address) || !this.#site.assigned(partition)) continue;
      this.spawn(place);
      if (this.#activations.size % 64 === 0) await new Promise<void>((resolve) => this.#site.clock.soon(resolve));
    }
  }

  /** The partition is somebody else's: its locations finish the turn in hand and go. */
  revoke(partition: number): void {
    for (const activation of this.#activations.values()) if (activation.live.partition === partition) activation.leave('revoked');
  }

  /** Resolves when no activation of these partitions (all, if none is named) is left. */
  async empty(): Promise<void> {
    if (this.#activations.size === 0) return;
    await new Promise<void>((resolve) => this.#emptied.push(resolve));
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
    // What came while it was going begins the next activation.
    for (const waiting of live.mailbox.takeAll())
      if (!this.#site.assigned(live.partition) || !this.route(waiting)) waiting.conclude('abandoned');
    this.#site.freed();
    if (this.#activations.size > 0) return;
    for (const resolve of this.#emptied.splice(0)) resolve();
  }
}
