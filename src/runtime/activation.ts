/** A live location: takes the lease, claims, loads, then takes one turn at a time inside its actor, until it is told to go. The only file that knows nact. */
import { type ActorSystemRef, dispatch, type Ref, spawn, start, stop } from 'nact';
import { type Clock, pause } from '../clock.ts';
import type { Acted, Action } from '../desk.ts';
import { why } from '../errors.ts';
import { jitter } from '../random.ts';
import { groundOf, type Intent } from './ground.ts';
import type { Control, Live } from './live.ts';
import { operate } from './operator.ts';
import { recallAll } from './recall.ts';
import { ask, type Heard, hear, probe, recover, run, type Settling } from './recovery.ts';
import { Rounds } from './rounds.ts';
import { arm, serve } from './serve.ts';
import type { Site } from './site.ts';
import { hasRoom, isTrimDue, trim, trimEvents, trimmedBefore } from './trimming.ts';

const TURN = 'turn';
const RECLAIM_FIRST_MS = 20;
const RECLAIM_LONGEST_MS = 2_000;
/** Attempts to claim, some five seconds of them, before it is said once. */
const TELLS_AFTER = 8;

/** nact names must be unique and have few characters; ours are numbers. */
export type Actors = { readonly system: ActorSystemRef; readonly rounds: Rounds; count: number };
export const actors = (clock: Clock): Actors => ({ system: start(), rounds: new Rounds(clock), count: 0 });

export class Activation {
  readonly live: Live;
  readonly #site: Site;
  readonly #reference: Ref<typeof TURN>;
  readonly #rounds: Rounds;
  readonly #begin = () => dispatch(this.#reference, TURN);
  readonly #gone: (activation: Activation) => void;
  readonly #startedMs: number;
  /** At most one message is ever inside nact: its mailbox has no bound, and stopping drops what is queued there. */
  #turning = false;

  constructor(site: Site, host: Actors, live: Live, gone: (activation: Activation) => void) {
    this.#site = site;
    this.live = live;
    this.#gone = gone;
    this.#startedMs = site.clock.monotonic();
    live.wake = () => this.wake();
    this.#rounds = host.rounds;
    this.#reference = spawn(host.system, () => this.#turn(), `location-${++host.count}`);
    this.wake();
  }

  /** Takes a turn if there is anything to do. Cheap, and harmless at any time. */
  wake(): void {
    if (this.#turning || !this.#hasWork()) return;
    this.#turning = true;
    this.#rounds.begin(this.#begin);
  }

  act(action: Action): Promise<Acted> {
    return new Promise((acted) => {
      this.live.control.push({ kind: 'act', action, acted });
      this.wake();
    });
  }

  /** Finishes the turn in hand, then goes. `revoked`: what waits in memory belongs to somebody else now. */
  leave(reason: 'revoked' | 'idle' | 'evicted'): void {
    if (this.live.leaving !== 'revoked') this.live.leaving = reason;
    // At once, not when the drain comes to it: should the partition return meanwhile, what waits then is new.
    if (reason === 'revoked') for (const waiting of this.live.mailbox.takeAll()) waiting.conclude('abandoned');
    this.wake();
  }

  /** Somebody else holds the lease now: it must be had again before the next claim's turns. */
  yieldLease(): void {
    this.live.leaseLost = true;
    this.wake();
  }

  /** Held or in doubt, it may commit nothing for long, so nothing tells it that its claim was overtaken: it asks the store, and claims again as one that is fenced. */
  look(): void {
    this.live.lookedMs = this.#site.clock.monotonic();
    this.live.control.push({ kind: 'look' });
    this.wake();
  }

  #hasWork(): boolean {
    const { live } = this;
    if (live.phase === 'stopped') return false;
    // What is on its way into the inbox is there, or given up, before the location is let go: the next activation must find it.
    if (live.leaving !== undefined && live.appending.length > 0) return false;
    if (live.phase !== 'active' || live.control.length > 0) return true;
    // An effect in hand is awaited before its location is let go, whether or not the lease is lost meanwhile.
    if (live.leaving !== undefined) return live.running === undefined;
    if (live.leaseLost) return true;
    return live.waits && live.heldBy(this.#site.clock.monotonic()) === undefined;
  }

  /** Never throws into nact: there it would end the process. */
  async #turn(): Promise<void> {
    try {
      await this.#step();
    } catch (error) {
      this.#site.log.error({ address: this.live.address, why: why(error) }, 'a step failed');
      await this.#reclaim('a step failed').catch(() => {});
    }
    this.#turning = false;
    if (this.live.phase === 'stopped') {
      stop(this.#reference);
      this.#gone(this);
      return;
    }
    this.#wakeLater();
    this.wake();
  }

  /** No function of its own around what it leads to: each that waits costs, here some of them for every command. */
  #step(): Promise<void> | void {
    const { live } = this;
    if (live.phase === 'activating') return live.leaving === undefined ? this.#activate() : this.#drain();
    if (live.phase === 'draining') return this.#drain();
    const control = live.control.shift();
    if (control !== undefined) return this.#control(control);
    if (live.leaving !== undefined) return live.running === undefined ? this.#drain() : undefined;
    if (live.leaseLost) return this.#reclaim('the lease was lost');
    if (live.heldBy(this.#site.clock.monotonic()) !== undefined) return;
    return this.#serve();
  }

  /** Evidence, if there is any, and what waits. */
  async #serve(settling?: Settling): Promise<void> {
    const { live } = this;
    if (settling === undefined && live.full && !(await hasRoom(this.#site, live))) return;
    live.usedMs = this.#site.clock.monotonic();
    const served = await serve(this.#site, live, settling);
    if (served.kind === 'reclaim') return this.#reclaim(served.why);
    if (served.kind === 'runs') run(this.#site, live, served.intent);
    if (isTrimDue(live)) await trim(this.#site, live);
  }

  async #activate(): Promise<void> {
    const { live } = this;
    const site = this.#site;
    const wanted = () => live.leaving === undefined;
    const generation = await site.checked(live.partition);
    if (generation === undefined) return this.leave('revoked');
    if ((await site.leases.hold(live.address, wanted)) === 'unwanted') return;
    const claimed = await site.store.claim(live.address, site.owner(), generation);
    if (claimed.kind !== 'claimed') {
      if (claimed.kind === 'generation' || claimed.kind === 'new-life') site.recheck();
      if (live.reclaims === TELLS_AFTER)
        site.log.warn(
          { address: live.address, why: 'why' in claimed ? claimed.why : claimed.kind },
          'cannot be claimed yet: goes on trying',
        );
      return this.#backOff();
    }
    const marked = await site.store.mark(claimed.claim, live.partition);
    if (marked.kind !== 'ok') return this.#backOff();
    live.claim = claimed.claim;
    live.ground = groundOf(live.definition, live.place.id, claimed);
    site.timers.know(live.address, live.ground.timers);
    // Something may have been written into the inbox since it was claimed: to count too many is harmless, too few would leave it lying.
    live.inbox = {
      customer: Math.max(live.inbox.customer, claimed.inbox.customer),
      bulk: Math.max(live.inbox.bulk, claimed.inbox.bulk),
    };
    live.published = claimed.published;
    live.noted = claimed.published;
    live.trimmed = trimmedBefore(claimed.published);
    live.opened = false;
    live.witness = undefined;
    live.to('active');
    site.relay.push(claimed.unpublished, (seq) => {
      if (live.claim === claimed.claim && seq > live.published) live.published = seq;
    });
    site.meters.activated(live.reclaims === 0 ? 'spawned' : 'reclaimed', site.clock.monotonic() - this.#startedMs);
    const next = await recover(site, live);
    if (next.kind === 'reclaim') await this.#reclaim(next.why);
  }

  #control(control: Control): Promise<void> | void {
    const { live } = this;
    if (control.kind === 'act') return this.#act(control);
    if (control.kind === 'report') {
      const heard = hear(this.#site, live, control.by, control.intent, control.report, control.tookMs);
      return heard instanceof Promise ? heard.then((it) => this.#follow(it)) : this.#follow(heard);
    }
    if (control.kind === 'look') return this.#look();
    if (live.ground?.intent?.commandId === control.intent.commandId) probe(this.#site, live, live.ground.intent);
  }
  async #look(): Promise<void> {
    const { live } = this;
    const located = await this.#site.store.read(live.address).catch(() => undefined);
    if (located === undefined || located.epoch === live.claim?.epoch) return;
    this.#site.meters.fenced();
    await this.#reclaim(`fenced by epoch ${located.epoch}`);
  }
  #follow(next: Heard): Promise<void> | void {
    if (next.kind === 'settles') return this.#serve(next);
    if (next.kind === 'reclaim') return this.#reclaim(next.why);
  }
  async #act(control: Extract<Control, { kind: 'act' }>): Promise<void> {
    const site = this.#site;
    const { live } = this;
    const parked = live.ground?.parked;
    const replays = control.action.verb === 'replay' && parked !== undefined;
    if (replays && !(await this.#armed()))
      return control.acted({ kind: 'refused', code: 'BUSY', why: 'the lease or the device did not answer' });
    const found = replays ? await recallAll(site, live, parked).catch(() => undefined) : new Map();
    if (found === undefined) return control.acted({ kind: 'refused', code: 'BUSY', why: 'the store did not answer: repeat it' });
    const { acted, next } = await operate(site, live, control.action, found);
    control.acted(acted);
    if (next.kind === 'runs') run(site, live, next.intent);
    if (next.kind === 'asks') ask(site, live, next.intent);
    if (next.kind === 'reclaim') await this.#reclaim(next.why);
  }

  /** A replayed command may perform: its location is made ready for every effect it has. */
  async #armed(): Promise<boolean> {
    for (const effect of Object.keys(this.live.definition.effects))
      if ((await arm(this.#site, this.live, effect)) !== 'armed') return false;
    return true;
  }

  /** The claim is void or in question. What waits here stays, in order, for the next claim. */
  async #reclaim(reason: string): Promise<void> {
    const { live } = this;
    if (live.phase !== 'active') return this.#backOff();
    this.#site.log.info({ address: live.address, epoch: live.claim?.epoch, why: reason }, 'claims again');
    this.#forget();
    live.leaseLost = false;
    live.to('activating');
    live.asking?.cancel();
    await this.#backOff();
  }
  /** Without a claim there is no picture to stand on. */
  #forget(): void {
    const { live } = this;
    const intent: Intent | undefined = live.ground?.intent;
    if (intent?.doubtSinceMs !== undefined) this.#site.meters.doubted(-1);
    live.claim = undefined;
    live.ground = undefined;
    live.stock = [];
    live.taken = [];
  }
  async #backOff(): Promise<void> {
    const waitMs = Math.min(RECLAIM_LONGEST_MS, RECLAIM_FIRST_MS * 2 ** Math.min(10, this.live.reclaims++));
    await pause(this.#site.clock, jitter(this.#site.random, waitMs));
  }

  /** Waits that end by themselves need somebody to look. */
  #wakeLater(): void {
    const leftMs = this.live.notBeforeMs - this.#site.clock.monotonic();
    if (leftMs <= 0) return;
    this.live.alarm?.cancel();
    this.live.alarm = this.#site.clock.after(leftMs + 1, () => this.wake());
  }

  /** Lets go: nothing runs here any more. An index that names too much does no harm, so every step of tidying may fail. */
  async #drain(): Promise<void> {
    const site = this.#site;
    const { live } = this;
    if (live.phase !== 'draining') live.to('draining');
    live.alarm?.cancel();
    live.asking?.cancel();
    let isOverlooked = false;
    if (live.claim !== undefined && live.leaving !== 'revoked' && live.published === live.ground?.seq) {
      if ((await site.store.published(live.claim, live.published)).kind === 'ok') live.noted = live.published;
      await trimEvents(site, live, 1);
      const unmarked = await site.store.unmark(live.claim, live.partition);
      isOverlooked = unmarked.kind !== 'ok' && unmarked.kind !== 'fenced' && (await this.#isOverlooked());
    }
    await site.leases.release([live.address]);
    // Once revoked it may be named by an index that was walked while it was still here: its partition can be back already.
    // Without a claim nobody knows what it has left: a commit whose answer was lost may hold events, or an intent.
    live.returns =
      live.leaving === 'revoked' || live.claim === undefined || live.waits || isOverlooked || live.ground?.intent !== undefined;
    this.#forget();
    if (live.running !== undefined) site.meters.opened(-1);
    for (const control of live.control.splice(0)) {
      if (control.kind === 'act') control.acted({ kind: 'refused', code: 'BUSY', why: 'the location is being let go: repeat it' });
      if (control.kind === 'report' && control.report.kind === 'evidence')
        site.evidence.keep(live.address, control.intent, control.report.evidence);
    }
    live.to('stopped');
  }
  /** Whoever held the partition before may have written into the inbox after it was counted: that closed offsets, so nobody brings it again. */
  async #isOverlooked(): Promise<boolean> {
    const located = await this.#site.store.read(this.live.address).catch(() => 'unanswered' as const);
    return located === 'unanswered' || (located !== undefined && located.inbox.customer + located.inbox.bulk > 0);
  }
}
