/** What one replica of a simulated world stands on, and what it tells the world. */
import type { MemoryDisk } from '../../infra/memory/disk.ts';
import type { MemoryLog } from '../../infra/memory/log.ts';
import type { Bound } from '../../src/actor.ts';
import type { Desk } from '../../src/desk.ts';
import type { Clock, LeaseStore, Log } from '../../src/ports.ts';
import type { Meters } from '../../src/runtime/site.ts';
import type { Happening, Who } from './happening.ts';
import type { Kernel, Process } from './kernel.ts';
import type { Point, Weather } from './links.ts';
import type { Settings } from './settings.ts';

export const GROUP = 'locus';
export const topics = { commands: 'commands', bulk: 'commands.bulk', events: 'events', letters: 'letters' } as const;

/** What was counted in one world. */
export type Counts = Record<string, number>;
/** Honest lock nodes, or a lease that always grants, or one that lies. */
export type Leases = 'honest' | 'grants' | 'lies';

/** Another replica, as far as one can reach it. */
export type Peer = {
  readonly replicaId: string;
  readonly state: string;
  readonly desk: Desk;
  /** Runs `work` there as if a request had come. */
  ask<T>(label: string, work: () => Promise<T>): Promise<T>;
};

/** What a replica needs to know of the world around it. */
export type Stage = {
  readonly kernel: Kernel;
  readonly settings: Settings;
  readonly disk: MemoryDisk;
  readonly log: MemoryLog;
  readonly topics: typeof topics;
  readonly group: string;
  readonly weather: Readonly<Record<'store' | 'log' | 'leases' | 'device', Weather>>;
  readonly meters: Partial<Meters>;
  readonly honestLeases: boolean;
  readonly carriesEffects: boolean;
  /** Who asked the outside about a location last. */
  readonly askedBy: Map<string, Process>;
  readonly leaseStore: () => LeaseStore;
  readonly actors: (clock: Clock, log: Log) => readonly Bound[];
  readonly nodes: () => readonly Peer[];
  /** How long the store keeps what arrives now waiting, ms. */
  readonly storeWaitMs: () => number;
  readonly hear: (happening: Happening) => void;
  readonly passes: (process: Process, point: Point) => void;
  readonly tell: (who: Who, level: keyof Log, fields: object, message: string) => void;
  /** The process is over; somebody may begin another. */
  readonly gone: (who: Who) => void;
};
