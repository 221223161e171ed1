/** What every location of a replica shares: the ports, the limits and the other parts of the runtime. */
import type { Address } from '../message/address.ts';
import type { Clock, Log, LogWriter, Notices, Random, StateStore, TopicPartition } from '../ports.ts';
import type { Definitions } from './definition.ts';
import type { Effects } from './effects.ts';
import type { EvidenceKeeper } from './evidence.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import type { OutboxRelay } from './outbox-relay.ts';
import type { TimerWatch } from './timer-watch.ts';

export type Limits = {
  readonly mailboxMax: number;
  readonly inboxMax: number;
  readonly inboxAfterMs: number;
  readonly residentMax: number;
  readonly inflightMax: number;
  readonly idleMs: number;
  readonly dedupeWindowMs: number;
  readonly dedupeMax: number;
  readonly probeTimeoutMs: number;
  readonly drainMs: number;
};

/** What is counted. telemetry.ts turns it into metrics. */
export type Meters = {
  /** `tookMs`: since its record arrived here, where that is known. What evidence settled counts in the control lane. */
  turn(type: string, outcome: string, lane: string, tookMs?: number): void;
  committed(tookMs: number, turns: number): void;
  fenced(): void;
  effect(name: string, outcome: string, tookMs: number): void;
  activated(reason: string, tookMs: number): void;
  withoutLease(): void;
  /** An intent that an earlier owner left open was settled here. */
  recovered(): void;
  /** A record that had been delivered before: dropped by its offset, or known by its commandId. */
  redelivered(): void;
  deadLetter(reason: string): void;
  opened(intents: number): void;
  doubted(intents: number): void;
};

export type Site = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meters: Meters;
  readonly store: StateStore;
  readonly writer: LogWriter;
  readonly notices: Notices;
  readonly leases: LeaseKeeper;
  readonly relay: OutboxRelay;
  readonly timers: TimerWatch;
  readonly effects: Effects;
  readonly evidence: EvidenceKeeper;
  readonly definitions: Definitions;
  readonly limits: Limits;
  /** `REPLICA_ID/life`: who claims, and under which name the registry has its URL. */
  readonly owner: () => string;
  /** The `source` of the events. */
  readonly source: string;
  readonly partitionOf: (address: Address) => number;
  /** The topic of a command's lane. */
  readonly topicOf: (type: string, command: string) => string;
  /** Does this replica hold the partition now? */
  readonly assigned: (partition: number) => boolean;
  /** Append time of the newest record taken from a partition, ms: what ages are judged by. */
  readonly newestMs: (partition: number) => number;
  /** Waits until the store was checked in its present life; undefined: nothing may be claimed for this partition. */
  readonly checked: (partition: number) => Promise<string | undefined>;
  /** The store showed another life or generation: check it before the next claim. */
  readonly recheck: () => void;
  readonly refuse: (at: TopicPartition, code: 'COMMANDS_RECREATED', why: string) => void;
  /** Room was made somewhere. */
  readonly freed: () => void;
};
