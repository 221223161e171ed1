/** One resident location: everything its activation, turns, effects and inbox look at together. */
import type { Fence } from '../actor.ts';
import type { Acted, Action } from '../desk.ts';
import type { Place } from '../message/address.ts';
import { eventFrame } from '../message/envelope.ts';
import type { Alarm, Claim } from '../ports.ts';
import type { Definition } from './definition.ts';
import type { Draft, Pen } from './draft.ts';
import type { Report } from './effects.ts';
import { type Evidence, type Ground, held, type Intent } from './ground.ts';
import { Mailbox, type Waiting } from './mailbox.ts';

export type Phase = 'activating' | 'active' | 'draining' | 'stopped';
const allowed: Readonly<Record<Phase, readonly Phase[]>> = {
  activating: ['active', 'draining'],
  active: ['activating', 'draining'],
  draining: ['stopped'],
  stopped: [],
};

/** What stands in the control lane: before any waiting command. */
export type Control =
  | {
      readonly kind: 'report';
      readonly by: 'run' | 'probe' | 'late';
      readonly intent: Intent;
      readonly report: Report;
      readonly tookMs: number;
    }
  | { readonly kind: 'probe'; readonly intent: Intent }
  /** Does its claim still stand? */
  | { readonly kind: 'look' }
  | { readonly kind: 'act'; readonly action: Action; readonly acted: (acted: Acted) => void };

export class Live {
  readonly place: Place;
  readonly definition: Definition;
  readonly partition: number;
  readonly mailbox = new Mailbox();
  control: Control[] = [];
  claim: Claim | undefined;
  ground: Ground | undefined;
  /** Durable inbox, as far as known here. */
  inbox = { customer: 0, bulk: 0 };
  /** Was the store asked how many wait there, for one look without a claim? */
  counted: 'no' | 'asked' | 'yes' = 'no';
  /** Read from the inbox and not decided yet, oldest first; void with the claim. */
  stock: Waiting[] = [];
  /** Decided, and still in the inbox until the next trim. */
  taken: Waiting[] = [];
  /** On their way into the inbox, in order. */
  appending: Waiting[] = [];
  /** A step has commands in hand that may go back to the mailbox. */
  serving = false;
  /** The effect that runs or is probed for the first time: customers and bulk wait for it. */
  running: Intent | undefined;
  /** What the outside called itself, under this claim; `opened` says that it was asked. */
  witness: string | undefined;
  opened = false;
  /** The command that threw last, and how often in a row. */
  failing: { readonly commandId: string; readonly attempts: number } | undefined;
  /** No turn before this, monotonic ms. */
  notBeforeMs = 0;
  /** Why the next command is not for this program: it was sent under a later version of the actor. */
  newer: string | undefined;
  probes = 0;
  /** The last event that the log has acknowledged. */
  published = 0;
  /** The last one of which the store knows that: none above it may be forgotten, or the next claim finds a hole. */
  noted = 0;
  trimmed = 0;
  /** Where forgetting aged ids goes on, at which seq it last looked, and not before when it looks again, monotonic ms. */
  agedCursor = '0';
  pagedAt = 0;
  pageAtMs: number | undefined;
  sizedAt = 0;
  /** It remembers as many ids as it may: nothing is decided until some of them are old enough to be forgotten. */
  full = false;
  usedMs: number;
  /** When the store was last asked whether its claim still stands, monotonic ms. */
  lookedMs = 0;
  /** When it last committed anything, monotonic ms: a location that moves is not stuck. */
  movedMs: number;
  /** Set when it was told to go: why. */
  leaving: 'revoked' | 'idle' | 'evicted' | undefined;
  /** Something is left to do here that no command will call for: it must be resident again. */
  returns = false;
  leaseLost = false;
  reclaims = 0;
  /** Wakes it when a wait is over that ends by itself. */
  alarm: Alarm | undefined;
  /** The next question about an intent in doubt. */
  asking: Alarm | undefined;
  /** The last effect settled here, to judge an answer that comes late. */
  lastSettled: { readonly commandId: string; readonly evidence: Evidence } | undefined;
  wake: () => void = () => {};
  #phase: Phase = 'activating';
  #pen: Pen | undefined;
  #penned: Claim | undefined;

  constructor(place: Place, definition: Definition, partition: number, nowMs: number) {
    this.place = place;
    this.definition = definition;
    this.partition = partition;
    this.usedMs = nowMs;
    this.movedMs = nowMs;
  }

  get address(): string {
    return this.place.address;
  }
  get phase(): Phase {
    return this.#phase;
  }
  to(next: Phase): void {
    if (!allowed[this.#phase].includes(next)) throw new Error(`${this.address} cannot go from ${this.#phase} to ${next}`);
    this.#phase = next;
  }

  get waits(): boolean {
    return this.mailbox.length > 0 || this.inbox.customer > 0 || this.inbox.bulk > 0 || this.appending.length > 0;
  }
  /** Why customers and bulk do not move now. */
  heldBy(nowMs: number): string | undefined {
    return this.running === undefined ? this.barredBy(nowMs) : `effect ${this.running.effect} running`;
  }
  /** The same, were no effect running. */
  barredBy(nowMs: number): string | undefined {
    if (this.appending.length > 0) return 'moving to the inbox';
    if (this.notBeforeMs > nowMs) return this.full ? 'as many commandIds as may be' : `trying ${this.failing?.commandId ?? 'again'} later`;
    return this.ground === undefined ? 'no claim' : (held(this.ground) ?? this.newer);
  }
  /** The same for all drafts of a claim. */
  pen(source: string): Pen {
    const { claim, definition, address } = this;
    if (claim === undefined) throw new Error(`${address} writes without a claim`);
    if (this.#pen === undefined || this.#penned !== claim) {
      const { epoch } = claim;
      const { type: actor, version } = definition;
      const frame = eventFrame({ address, actor, version, epoch, source });
      this.#pen = { definition, address, id: this.place.id, epoch, source, frame };
      this.#penned = claim;
    }
    return this.#pen;
  }
  /** The fence of a question asked now: above any run of this or an earlier claim. */
  fence(): Fence {
    return { epoch: this.claim?.epoch ?? 0, seq: this.ground?.seq ?? 0 };
  }
  adopt(draft: Draft): void {
    if (this.ground !== undefined) this.ground = draft.ground(this.ground);
  }
}
