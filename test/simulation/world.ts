/** A fleet and all that it stands on, in one thread under one clock. */
import { MemoryDisk } from '../../infra/memory/disk.ts';
import { memoryLeaseStore, memoryLocks } from '../../infra/memory/lease-store.ts';
import { type MemoryLog, memoryLog } from '../../infra/memory/log.ts';
import { grantingLeaseStore, lyingLeaseStore } from '../../infra/memory/lying-lease-stores.ts';
import type { Bound } from '../../src/actor.ts';
import type { Clock, LeaseStore, Log, LogRecord } from '../../src/ports.ts';
import type { Meters } from '../../src/runtime/site.ts';
import { publishedFact } from './checkers/facts.ts';
import { described } from './describe.ts';
import { type SimulatedDevice, simulatedDevice } from './device.ts';
import type { Checker, Happening, MakeChecker, Outside } from './happening.ts';
import { Kernel, type Process, START_MS } from './kernel.ts';
import { calm, type Point } from './links.ts';
import { Node } from './node.ts';
import type { Settings } from './settings.ts';
import { type Counts, GROUP, type Leases, type Stage, topics } from './stage.ts';

export type WorldOptions = {
  readonly seed: number;
  readonly settings: Settings;
  readonly leases: Leases;
  /** The actors, with what runs their effects in one replica; the device is there for those that move cash. */
  readonly actors: (device: SimulatedDevice) => (clock: Clock, log: Log) => readonly Bound[];
  /** Handlers that know of no wire: their calls are carried over one that loses and delays. */
  readonly carriesEffects: boolean;
  readonly checkers: readonly MakeChecker[];
};

export class World {
  readonly kernel: Kernel;
  readonly settings: Settings;
  readonly counts: Counts = {};
  readonly disk: MemoryDisk;
  readonly log: MemoryLog;
  readonly locks: ReturnType<typeof memoryLocks>;
  readonly device: SimulatedDevice;
  readonly outside: Outside;
  readonly weather = { store: calm(), log: calm(), leases: calm(), device: calm() };
  readonly nodes: Node[] = [];
  /** The last event of each location on the events topic; the store learns of it only now and then. */
  readonly published = new Map<string, number>();
  /** A store that is frozen executes nothing before this time, ms, and then all that was sent to it. */
  storeWakesMs = 0;
  /** Called when a process passes a point. */
  onPoint: (node: Node, point: Point) => void = () => {};
  onGone: (node: Node) => void = () => {};
  readonly #checkers: readonly Checker[];
  readonly #runs = new Map<string, number>();
  readonly #stage: Stage;
  readonly #doubted = new Set<string>();

  private constructor(options: WorldOptions, kernel: Kernel, device: (heard: (line: never) => void) => SimulatedDevice) {
    const { settings } = options;
    this.kernel = kernel;
    this.settings = settings;
    const clock = kernel.clock(kernel.world);
    this.disk = new MemoryDisk(clock);
    this.locks = memoryLocks(clock, 3, kernel.chance('locks'));
    this.log = memoryLog({ topics: Object.values(topics), partitions: settings.partitions, clock, random: kernel.chance('log') });
    const askedBy = new Map<string, Process>();
    this.device = device((line: never) => {
      this.hear({ kind: 'device', line });
      const { kind, location } = line as { readonly kind: string; readonly location?: string };
      const process = kind === 'moved' ? askedBy.get(`cash-location/${location}`) : undefined;
      if (process !== undefined) this.#passes(process, 'run:applied');
    });
    this.outside = {
      disk: this.disk,
      log: this.log,
      device: this.device.lines,
      topics,
      group: GROUP,
      partitions: settings.partitions,
      limits: { ...settings.limits, leaseTtlMs: settings.leaseTtlMs, sessionMs: settings.sessionMs, longestEffectMs: 20_000 },
      leasesLie: options.leases === 'lies',
      now: () => Math.floor(START_MS + kernel.nowMs),
    };
    this.#checkers = options.checkers.map((make) => make(this.outside));
    this.#stage = {
      kernel,
      settings,
      disk: this.disk,
      log: this.log,
      topics,
      group: GROUP,
      weather: this.weather,
      meters: this.#meters(),
      honestLeases: options.leases === 'honest',
      carriesEffects: options.carriesEffects,
      askedBy,
      leaseStore: () => this.#leaseStore(options.leases),
      actors: options.actors(this.device),
      nodes: () => this.nodes,
      storeWaitMs: () => Math.max(0, this.storeWakesMs - kernel.nowMs),
      hear: (it) => this.hear(it),
      passes: (process, point) => this.#passes(process, point),
      tell: (who, level, fields, message) =>
        kernel.trace.note(() => `${stamp(kernel.nowMs)} ${who}   ${level} ${message} ${JSON.stringify(fields)}`),
      gone: (who) => {
        const at = this.nodes.findIndex((node) => node.who === who);
        for (const node of this.nodes.splice(at, 1)) this.onGone(node);
      },
    };
    for (const wire of Object.values(this.weather)) wire.meanMs = settings.meanMs;
  }

  static async create(options: WorldOptions): Promise<World> {
    const kernel = new Kernel(options.seed);
    const heard = { line: (_line: never) => {} };
    const device = await simulatedDevice({
      clock: kernel.clock(kernel.world),
      random: kernel.chance('device'),
      heard: (line) => heard.line(line as never),
    });
    return new World(options, kernel, (hear) => {
      heard.line = hear;
      return device;
    });
  }

  start(replicaId: string): Node {
    const run = (this.#runs.get(replicaId) ?? 0) + 1;
    this.#runs.set(replicaId, run);
    const node = new Node(this.#stage, replicaId, run);
    this.nodes.push(node);
    node.start();
    return node;
  }

  /** Something took effect: everybody hears of it now. */
  hear(it: Happening): void {
    const { trace, nowMs } = this.kernel;
    const text = described(it);
    trace.text(text);
    trace.note(() => `${stamp(nowMs)} ${text}`);
    if (it.kind === 'committed') this.#doubts(it);
    try {
      if (it.kind === 'produced' && it.record.topic === topics.events) this.#publishes(it.record);
      for (const checker of this.#checkers) checker.hear?.(it);
    } catch (error) {
      // Not into the code that made it happen: that would take it for an answer.
      this.kernel.fail(error);
    }
  }
  end(): void {
    for (const checker of this.#checkers) checker.end?.();
  }
  count(name: string, by = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + by;
  }

  #leaseStore(leases: Leases): LeaseStore {
    if (leases === 'grants') return grantingLeaseStore();
    return leases === 'lies' ? lyingLeaseStore(this.kernel.chance('lies')) : memoryLeaseStore(this.locks);
  }
  #passes(process: Process, point: Point): void {
    const node = this.nodes.find((it) => it.process === process);
    if (node !== undefined) this.onPoint(node, point);
  }
  #publishes(record: LogRecord): void {
    const { address, seq } = publishedFact(record).event;
    this.published.set(address, Math.max(seq, this.published.get(address) ?? 0));
  }
  #doubts({ claim: { address }, change: { header } }: Extract<Happening, { readonly kind: 'committed' }>): void {
    if (header.intent === undefined) return;
    if (header.intent.includes('"doubtSinceMs"')) {
      if (!this.#doubted.has(address)) this.count('in doubt opened');
      this.#doubted.add(address);
    } else if (this.#doubted.delete(address)) this.count('in doubt settled');
  }
  #meters(): Meters {
    return {
      turn: (_type, outcome) => this.count(`turns ${outcome}`),
      committed: () => this.count('commits'),
      fenced: () => this.count('fenced'),
      effect: () => this.count('effects'),
      activated: (reason) => this.count(`activations ${reason}`),
      withoutLease: () => this.count('without lease'),
      recovered: () => this.count('recovered'),
      redelivered: () => this.count('redelivered'),
      deadLetter: (reason) => this.count(`dead letters ${reason}`),
      opened: () => {},
      doubted: () => {},
    };
  }
}

/** Virtual time as mm:ss.mmm. */
export const stamp = (ms: number): string =>
  `${String(Math.floor(ms / 60_000)).padStart(3)}:${String(Math.floor(ms / 1_000) % 60).padStart(2, '0')}.${String(Math.floor(ms % 1_000)).padStart(3, '0')}`;
