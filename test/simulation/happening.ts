/** What happens in a simulated world, as its checkers hear it: all of it seen from outside the replicas, at the moment it takes effect. */
import type { Line } from '../../infra/device/journal.ts';
import type { MemoryDisk } from '../../infra/memory/disk.ts';
import type { MemoryLog } from '../../infra/memory/log.ts';
import type { Address } from '../../src/message/address.ts';
import type { Change, Claim, Committed, Entry, InboxItem, LogRecord, PartitionKey, TopicPartition } from '../../src/ports.ts';

/** `REPLICA_ID/run`: one object graph; a restart is another. */
export type Who = string;
type Fence = { readonly epoch: number; readonly seq: number };

export type Happening =
  // The state store: what it applied, whether or not the answer arrives.
  | { readonly kind: 'claimed'; readonly who: Who; readonly claim: Claim }
  /** `sentMs`: when it left its replica, ms of the world that only rise. */
  | { readonly kind: 'committed'; readonly who: Who; readonly claim: Claim; readonly change: Change; readonly sentMs: number }
  | { readonly kind: 'rejected'; readonly who: Who; readonly claim: Claim; readonly change: Change; readonly answer: Committed }
  | { readonly kind: 'appended'; readonly who: Who; readonly address: Address; readonly item: InboxItem; readonly entry: Entry }
  | { readonly kind: 'trimmed'; readonly who: Who; readonly claim: Claim; readonly what: object }
  | { readonly kind: 'applied'; readonly who: Who; readonly key: PartitionKey; readonly offset: number; readonly accepted: boolean }
  | { readonly kind: 'store-restarted'; readonly life: string }
  /** A call to the state store or to honest lock nodes was given up. A release that was executed all the same is not said. */
  | {
      readonly kind: 'unanswered';
      readonly who: Who;
      readonly wire: 'store' | 'leases';
      readonly call: string;
      /** Whose lease it was about. */
      readonly address?: Address;
      readonly tookMs: number;
    }
  // The log: any topic.
  | { readonly kind: 'produced'; readonly who: Who | 'client'; readonly record: LogRecord }
  | { readonly kind: 'offset-committed'; readonly who: Who; readonly at: TopicPartition; readonly offset: number }
  // The device.
  | {
      readonly kind: 'asked';
      readonly who: Who;
      readonly address: Address;
      readonly verb: 'open' | 'run' | 'probe';
      readonly key?: string;
      readonly order?: unknown;
      readonly fence: Fence;
    }
  | { readonly kind: 'device'; readonly line: Line }
  // Clients: an HTTP-like call through a replica's desk, or a record of theirs.
  | {
      readonly kind: 'called';
      readonly call: number;
      readonly address: Address;
      readonly commandId: string;
      readonly name: string;
      readonly input: unknown;
    }
  | { readonly kind: 'answered'; readonly call: number; readonly answer: unknown }
  /** `askedMs`: when the client asked, the world's wall time. */
  | {
      readonly kind: 'read';
      readonly client: number;
      readonly address: Address;
      readonly seq: number;
      readonly stale: boolean;
      readonly askedMs: number;
    }
  // The world.
  | { readonly kind: 'fault'; readonly name: string; readonly detail: object }
  // SIGTERM is `draining`; `drained` is said when that replica is gone.
  | { readonly kind: 'started' | 'killed' | 'frozen' | 'thawed' | 'draining' | 'drained'; readonly who: Who }
  /** Said once: faults are over for good, everything is up. */
  | { readonly kind: 'calm' }
  /** What a replica heard of honest lock nodes, or that it heard nothing, to a request that left at `sentMs` (ms of the world that only rise). */
  | {
      readonly kind: 'leased';
      readonly who: Who;
      readonly address: Address;
      readonly holder: string;
      readonly verb: 'acquire' | 'renew' | 'release';
      readonly answer: string;
      readonly sentMs: number;
    }
  | { readonly kind: 'sized'; readonly who: Who; readonly residents: number; readonly mailbox: number; readonly inflight: number };

/** What the replicas of a world were told to keep. */
export type WorldLimits = {
  readonly leaseTtlMs: number;
  readonly sessionMs: number;
  readonly mailboxMax: number;
  readonly inboxMax: number;
  readonly residentMax: number;
  readonly inflightMax: number;
  readonly dedupeWindowMs: number;
  /** What the longest effect may take. */
  readonly longestEffectMs: number;
};
/** What the checkers may look at, beside what they hear. Nothing here belongs to a replica. */
export type Outside = {
  readonly disk: MemoryDisk;
  readonly log: MemoryLog;
  /** The device's journal. */
  readonly device: readonly Line[];
  readonly topics: { readonly commands: string; readonly bulk: string; readonly events: string; readonly letters: string };
  readonly group: string;
  readonly partitions: number;
  readonly limits: WorldLimits;
  /** Lock nodes say at random who holds a lease: what takes how long then is not promised. */
  readonly leasesLie: boolean;
  /** The world's wall time, ms. */
  now(): number;
};

/** One invariant. `hear` throws a Violation at once; `end` is called when all faults have stopped and nothing is pending. */
export type Checker = { readonly name: string; hear?(it: Happening): void; end?(): void };
export type MakeChecker = (outside: Outside) => Checker;

export class Violation extends Error {
  readonly invariant: string;
  constructor(invariant: string, message: string) {
    super(`${invariant}: ${message}`);
    this.invariant = invariant;
  }
}
