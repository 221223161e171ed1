/** The door for adapters: what the runtime asks of a state store, a log, leases and a registry. */
import type { Code } from './errors.ts';
import type { Address } from './message/address.ts';
import type { Change, Entry, Header } from './message/change.ts';
import type { EventText } from './message/envelope.ts';

export type { Alarm, Clock } from './clock.ts';
export { CHANGE_MAX, type Change, type Entry, type EntryStatus, type Header } from './message/change.ts';
export type { Random } from './random.ts';

/** A fixed short message plus fields. pino has this shape; nobody but telemetry.ts knows that it is pino. */
export type Log = Readonly<Record<'debug' | 'info' | 'warn' | 'error', (fields: object, message: string) => void>>;

// ── State store ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Permission to write one location: void once a higher epoch is claimed, the generation changed or the store began another life. */
export type Claim = { readonly address: Address; readonly epoch: number; readonly generation: string; readonly life: string };

/** Everything a reader sees of a location without a claim. `seq` counts its events, `published` is the last one known to be on the events topic. */
export type Located = {
  readonly epoch: number;
  readonly owner: string;
  readonly seq: number;
  readonly published: number;
  readonly header: Header;
  readonly inbox: Readonly<Record<'customer' | 'bulk', number>>;
};
export type Loaded = Located & { readonly claim: Claim; readonly unpublished: readonly EventText[] };

/** No answer came: it may have happened. */
export type Unanswered = { readonly kind: 'unanswered'; readonly why: string };
/** Nothing was sent: it did not happen and will not. */
export type Down = { readonly kind: 'down'; readonly why: string };
/** The store began another life (restarted, replaced) since the claim; nothing was applied. */
export type NewLife = { readonly kind: 'new-life' };
/** The generation is not the one checked by this replica; nothing was applied. */
export type OtherGeneration = { readonly kind: 'generation'; readonly found: string };
export type Fenced = { readonly kind: 'fenced'; readonly epoch: number };
export type Ok = { readonly kind: 'ok' };
export type Trouble = Unanswered | Down | NewLife | OtherGeneration;
export type Offender =
  | { readonly commandId: string; readonly why: 'ID_REUSED' | 'TRANSITION'; readonly entry: Entry }
  | { readonly commandId: string; readonly why: 'RECORDED'; readonly record: string };
export type Committed =
  | Ok
  | Fenced
  | { readonly kind: 'seq'; readonly seq: number }
  | { readonly kind: 'refused'; readonly offenders: readonly Offender[] }
  | Trouble;
export type Inboxed =
  | Ok
  | { readonly kind: 'known'; readonly entry: Entry }
  | { readonly kind: 'id-reused' }
  | { readonly kind: 'recreated'; readonly found: string }
  | Trouble;

export type InboxItem = { readonly lane: 'customer' | 'bulk'; readonly offset: number; readonly commandId: string; readonly text: string };
/** How far a partition's offsets were seen applied, by which life of the store, and the append time of its newest record (ms). */
export type Applied = { readonly offset: number; readonly life: string; readonly generation: string; readonly newestMs: number };
export type PartitionKey = { readonly group: string; readonly topic: string; readonly partition: number };

/** Durable state with fenced one-write commits. Leaves out: transactions over locations, queries, time to live. Reads reject with STORE_DOWN. */
export type StateStore = {
  /** Connects and checks that what is acknowledged is durable; throws STORE_POLICY naming each setting and its fix. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** The present life, or undefined while there is no connection. */
  life(): string | undefined;
  /** Why there is no connection, as far as it is known: a sentence for an operator. Left out by a store that cannot be out of reach. */
  trouble?(): string | undefined;
  /** Called after each connection that was made anew, first start excepted. */
  onReconnect(heard: (life: string) => void): void;

  generation(): Promise<string | undefined>;
  /** Creates `number:token` if there is none (`instead` undefined) or replaces exactly `instead`; answers what stands afterwards. */
  setGeneration(number: number, instead: string | undefined): Promise<string>;
  /** Records a figure that must never change, such as a partition count; answers the one that stands. */
  layout(name: string, figure: number): Promise<number>;

  claim(address: Address, owner: string, generation: string): Promise<({ readonly kind: 'claimed' } & Loaded) | Trouble>;
  commit(claim: Claim, change: Change): Promise<Committed>;
  /** What is known of these ids, in their order: dedupe entry and record. */
  recall(address: Address, commandIds: readonly string[]): Promise<readonly { readonly entry?: Entry; readonly record?: string }[]>;
  read(address: Address): Promise<Located | undefined>;

  /** Puts a waiting command into the durable inbox if its id is unknown; the caller marks the location before and after. */
  append(address: Address, item: InboxItem, entry: Entry, generation: string): Promise<Inboxed>;
  /** The oldest items of a lane, by offset. */
  inbox(address: Address, lane: 'customer' | 'bulk', limit: number): Promise<readonly InboxItem[]>;
  /**
   * Forgets what is no longer needed: events that the store knows as published (others: rejects), taken inbox items, aged ids and records.
   * Fenced; at most 1,000 names a call.
   */
  trim(
    claim: Claim,
    what: {
      readonly events?: { readonly from: number; readonly to: number };
      readonly inbox?: readonly InboxItem[];
      readonly entries?: readonly string[];
      readonly records?: readonly string[];
    },
  ): Promise<Ok | Fenced | Trouble>;
  /**
   * Pages through ids and records, for the trimmer alone: final entries and records whose first line of text
   * is JSON with `t` (ms) at its top below `beforeMs`.
   * The first cursor is '0', and so is the one after the last page.
   */
  aged(
    address: Address,
    cursor: string,
    entriesBeforeMs: number,
    recordsBeforeMs: number,
  ): Promise<{ readonly cursor: string; readonly entries: readonly string[]; readonly records: readonly string[] }>;
  /** How many fields a location has: bounds how many ids it may remember. */
  size(address: Address): Promise<number>;
  published(claim: Claim, seq: number): Promise<Ok | Fenced | Trouble>;

  /** Names the location in its partition's index of those that may need work. May name too much, never too little. */
  mark(claim: Claim, partition: number): Promise<Ok | Fenced | Trouble>;
  markInbox(address: Address, partition: number, generation: string): Promise<Ok | Trouble>;
  /** `busy`: something still waits there (inbox, intent, parked, frozen, paused, timers, unpublished events). */
  unmark(claim: Claim, partition: number): Promise<Ok | { readonly kind: 'busy' } | Fenced | Trouble>;
  marked(partition: number): Promise<readonly Address[]>;

  /** Raises, never lowers, unless an operator `accepted` the partition as it is. */
  setApplied(key: PartitionKey, offset: number, newestMs: number, generation: string, accepted?: boolean): Promise<Ok | Trouble>;
  applied(key: PartitionKey): Promise<Applied | undefined>;
};

/** Hints between replicas, at most once: the stored outcome is the truth. */
export type Notices = {
  start(): Promise<void>;
  stop(): Promise<void>;
  send(channel: string, text: string): void;
  listen(channel: string, heard: (text: string) => void): Promise<void>;
  /** Called whenever hints may have been missed. */
  onGap(missed: () => void): void;
};

// ── Leases and replicas ──────────────────────────────────────────────────────────────────────────────────────────────

/** `REPLICA_ID/life/n`, life and n padded to 16 and 10 digits: compares as text within one REPLICA_ID. */
export type Holder = string;
export type Lease = { readonly address: Address; readonly holder: Holder };
/** Permission to try. Leaves out: any promise of safety; the epoch gives that. Never rejects, always answers within `ttlMs`. */
export type LeaseStore = {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** What was taken for an answer other than `granted` is given back, as far as the nodes can be reached. */
  acquire(lease: Lease, ttlMs: number): Promise<'granted' | 'held' | 'no-quorum'>;
  /** In the order asked. */
  renew(leases: readonly Lease[], ttlMs: number): Promise<readonly ('renewed' | 'lost' | 'no-quorum')[]>;
  release(leases: readonly Lease[]): Promise<void>;
  /** Which nodes do not serve and why, as far as it is known, and whether a majority still does. Undefined: all serve. */
  trouble?(): { readonly majority: boolean; readonly why: string } | undefined;
};

export type Replica = {
  readonly replicaId: string;
  readonly life: number;
  readonly url: string;
  readonly seenMs: number;
  readonly generation: string;
  /** What it held when it last said so. */
  readonly partitions: readonly number[];
};
/** Who is there. Leaves out: any judgement on who is alive. All but `stop` reject with STORE_DOWN. */
export type Registry = {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** The next life of this REPLICA_ID: numbers rise, none is issued twice. */
  register(replicaId: string, url: string): Promise<number>;
  /** Says what is so now; `seenMs` is set by the registry. */
  beat(said: Omit<Replica, 'seenMs'>): Promise<void>;
  remove(replicaId: string, life: number): Promise<void>;
  highestLife(replicaId: string): Promise<number>;
  /** All that did not leave cleanly; `nowMs` and `seenMs` are the registry's own clock. */
  list(): Promise<{ readonly nowMs: number; readonly replicas: readonly Replica[] }>;
};

// ── Log ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

export type TopicPartition = { readonly topic: string; readonly partition: number };
export type LogRecord = TopicPartition & {
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Repeated headers keep their last value. */
  readonly headers: Readonly<Record<string, Uint8Array | undefined>>;
  /** LogAppendTime, ms since the epoch. */
  readonly appendedMs: number;
};
/**
 * A log as found when a partition is gained: [low, high) can be read. `committed` undefined: none; negative: it was lost.
 * `fresh`: no partition of any lane topic has a committed offset in this group.
 */
export type Bounds = { readonly committed: number | undefined; readonly low: number; readonly high: number; readonly fresh: boolean };
export type Begin =
  | { readonly offset: number }
  | { readonly refused: Code | 'COMMANDS_EXPIRED' | 'COMMANDS_RECREATED' | 'CANARY'; readonly why: string };

/** What a command log asks of the runtime. All but `begin` answer at once. */
export type LogReader = {
  begin(at: TopicPartition, bounds: Bounds): Promise<Begin>;
  /** Another replica has it now, or may have: everything about it is forgotten. */
  end(at: TopicPartition): void;
  /** The offset to go on from on a partition that was kept. */
  next(at: TopicPartition): number;
  /** false: no room; the record was not taken, the partition pauses until `resume`. */
  take(record: LogRecord): boolean;
  /** Records `from` to `to` (both included) are packed by a codec that nobody here can read. false: no room, as with `take`. */
  unreadable(at: TopicPartition, from: number, to: number, codec: string): boolean;
  /** May offsets of this partition be committed now? Asked at the moment of sending. */
  owns(at: TopicPartition): boolean;
  /** The log no longer holds what comes next (expired), or ends below it (recreated). The partition pauses until `again`. */
  refuse(at: TopicPartition, code: 'COMMANDS_EXPIRED' | 'COMMANDS_RECREATED', why: string): void;
  /** The group acknowledged a heartbeat just now. */
  alive(): void;
  /** Others are waiting to share: commit what can be committed. */
  rebalancing(): Promise<void>;
  /** The assignment is complete: what is held now, over all lane topics. */
  assigned(partitions: readonly number[]): void;
};

/** Commands in, by partition. Leaves out: who owns a location, dedupe, order across partitions. */
export type CommandLog = {
  start(reader: LogReader): Promise<void>;
  /** Reads no further; what was taken stays open. */
  hold(): void;
  resume(at: readonly TopicPartition[]): void;
  /** Asks `begin` again for a partition that is held, such as a refused one. */
  again(at: TopicPartition): Promise<void>;
  /** Offsets are the next to read. Rejects when the group did not take them. */
  commit(offsets: readonly (TopicPartition & { readonly offset: number })[]): Promise<void>;
  /** Leaves the group. */
  stop(): Promise<void>;
  /** Why it is not in its group, as far as it is known: a sentence for an operator. */
  trouble?(): string | undefined;
  /** Partitions of each lane topic. */
  readonly partitions: number;
};

export type LogMessage = {
  readonly key: string | Uint8Array | null;
  readonly value: string | Uint8Array | null;
  readonly headers?: Readonly<Record<string, string | Uint8Array>>;
};
/** Out, acknowledged by all in-sync replicas. Rejects with LOG_DOWN: nothing sent; VALUE_TOO_LARGE: never taken; else LOG_UNACKNOWLEDGED. */
export type LogWriter = {
  start(): Promise<void>;
  stop(): Promise<void>;
  events(events: readonly EventText[]): Promise<void>;
  /** By key, or to a partition by number. */
  command(topic: string, message: LogMessage, partition?: number): Promise<void>;
  deadLetter(message: LogMessage): Promise<void>;
};

/** Looks into topics for people, in no group: nobody's position moves. What rejects may pass later, and says in words why. */
export type Archive = {
  stop(): Promise<void>;
  /** By partition: records [low, high) can be read. */
  bounds(topic: string): Promise<readonly { readonly low: number; readonly high: number }[]>;
  /** Some records from offset `from` on, in their order, and where to go on; `next` is `from` when nothing is there now. */
  read(at: TopicPartition, from: number): Promise<{ readonly records: readonly LogRecord[]; readonly next: number }>;
};

/** What the log refuses by now. `connections`: new ones; `settings`: what only a start asks for. `why`: a sentence with the fix. */
export type LogRefusal = {
  readonly what: 'reading' | 'commands' | 'events' | 'dead-letters' | 'connections' | 'settings';
  readonly why: string;
};
