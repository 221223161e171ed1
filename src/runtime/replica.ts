/** One replica put together: the parts of the runtime over its ports, started in order and drained in the reverse. */
import { every, pause } from '../clock.ts';
import { why } from '../errors.ts';
import type { Address } from '../message/address.ts';
import type { Lane } from '../message/envelope.ts';
import { partitionOf } from '../message/partition.ts';
import type {
  Alarm,
  Clock,
  CommandLog,
  LeaseStore,
  Log,
  LogReader,
  LogRefusal,
  LogWriter,
  Notices,
  Random,
  Registry,
  StateStore,
} from '../ports.ts';
import { type Definitions, longestEffectMs } from './definition.ts';
import { Delivery } from './delivery.ts';
import { effects } from './effects.ts';
import { EvidenceKeeper } from './evidence.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { LogWatch } from './log-watch.ts';
import { Membership } from './membership.ts';
import { OutboxRelay } from './outbox-relay.ts';
import { Partitions } from './partitions.ts';
import { Router } from './router.ts';
import type { Limits, Meters, Site } from './site.ts';
import { TimerWatch } from './timer-watch.ts';

export type ReplicaOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meters: Meters;
  readonly marginMs: (ms: number) => void;
  readonly store: StateStore;
  readonly leaseStore: LeaseStore;
  readonly registry: Registry;
  readonly notices: Notices;
  readonly writer: LogWriter;
  readonly definitions: Definitions;
  readonly limits: Limits;
  readonly replicaId: string;
  readonly url: string;
  readonly group: string;
  readonly source: string;
  /** Lane topics; the customer lane's stands for ownership. */
  readonly lanes: ReadonlyMap<string, Exclude<Lane, 'control'>>;
  readonly leaseTtlMs: number;
  readonly sessionMs: number;
  readonly partitions: number;
  /** The log is made once the replica knows its life: `mayJoin` and the reader belong to it. */
  readonly commandLog: (asked: {
    readonly mayJoin: () => Promise<boolean>;
    readonly before: readonly number[];
    readonly fatal: (why: string) => void;
  }) => CommandLog;
  /** Asks the log what it refuses by now, where it may refuse anything; rejects when it does not answer. */
  readonly refusedByLog?: () => Promise<readonly LogRefusal[]>;
  /** What an operator chose and should be reminded of. */
  readonly warnings?: readonly string[];
  /** The process must end: why. */
  readonly fatal: (why: string) => void;
};

const SWEEP_MS = 100;
const PASSIVATE_MS = 1_000;
const HANDOVER_MS = 500;
const LOG_WATCH_MS = 5_000;
const LOOK_MS = 5_000;
/** What a claim without the lease waits beside TTL and the longest effect. */
const LEASE_PATIENCE_MS = 5_000;

export class Replica {
  readonly site: Site;
  readonly router: Router;
  readonly partitions: Partitions;
  readonly membership: Membership;
  readonly delivery: Delivery;
  readonly logWatch: LogWatch;
  readonly #it: ReplicaOptions;
  #commandLog: CommandLog | undefined;
  #timers: Alarm[] = [];
  #heardMs = Number.NEGATIVE_INFINITY;
  #state: 'starting' | 'serving' | 'draining' | 'stopped' = 'starting';

  constructor(options: ReplicaOptions) {
    this.#it = options;
    const { clock, log, store, refusedByLog = async () => [] } = options;
    this.logWatch = new LogWatch(refusedByLog, log);
    const topic = this.#topicOf('customer') ?? '';
    this.partitions = new Partitions({
      store,
      registry: options.registry,
      clock,
      log,
      group: options.group,
      topic,
      lanes: [...options.lanes.keys()],
      count: options.partitions,
      gained: (partition) => this.#gained(partition),
      lost: (partition) => {
        this.site.timers.lost(partition);
        this.router.revoke(partition);
      },
    });
    this.membership = new Membership({
      registry: options.registry,
      clock,
      log,
      replicaId: options.replicaId,
      url: options.url,
      sessionMs: options.sessionMs,
      generation: () => this.partitions.generation,
      held: () => this.partitions.heldPartitions,
      superseded: options.fatal,
    });
    this.site = this.#makeSite();
    this.router = new Router(this.site);
    this.delivery = new Delivery(this.site, this.partitions, this.router, options.lanes, (at) => this.#commandLog?.resume(at));
  }

  get state(): string {
    return this.#state;
  }
  /** Did the group acknowledge a heartbeat within the session? */
  get joined(): boolean {
    return this.#it.clock.monotonic() - this.#heardMs < this.#it.sessionMs;
  }

  /** Why it has not joined, as far as it is known. */
  get trouble(): string | undefined {
    return this.#commandLog?.trouble?.();
  }

  get warnings(): readonly string[] {
    return this.#it.warnings ?? [];
  }

  async start(): Promise<void> {
    const { store, notices, writer, log, clock, registry, leaseStore } = this.#it;
    await store.start();
    await Promise.all([notices.start(), writer.start(), registry.start(), leaseStore.start()]);
    store.onReconnect(() => this.partitions.recheck());
    await this.membership.join();
    this.site.leases.start(this.membership.life, (address) => this.#leaseLost(address));
    const fatal = this.#it.fatal;
    const { before } = this.membership;
    this.#commandLog = this.#it.commandLog({ mayJoin: () => this.membership.mayJoin(), before, fatal });
    this.partitions.start(this.#commandLog);
    await this.#commandLog.start(this.#reader());
    const failed = (error: unknown) => log.error({ why: why(error) }, 'a periodic task failed');
    this.#timers = [
      every(clock, SWEEP_MS, () => this.#sweep(), failed),
      every(clock, LOG_WATCH_MS, () => this.logWatch.look(), failed),
      every(clock, LOOK_MS, () => this.router.look(), failed),
      every(clock, PASSIVATE_MS, () => this.router.passivate(), failed),
      every(
        clock,
        HANDOVER_MS,
        () => this.site.evidence.handOver((address) => this.partitions.held(this.site.partitionOf(address))),
        failed,
      ),
    ];
    this.#state = 'serving';
  }

  /** Finishes the turns in hand, publishes, commits offsets, lets go of everything and leaves; at most `drainMs`. */
  async drain(): Promise<void> {
    if (this.#state === 'draining' || this.#state === 'stopped') return;
    this.#state = 'draining';
    const { log, clock, limits } = this.#it;
    this.delivery.drain();
    this.#commandLog?.hold();
    const inTime = await Promise.race([this.#letGo().then(() => true), pause(clock, limits.drainMs).then(() => false)]);
    if (!inTime)
      log.warn({ drainMs: limits.drainMs, left: this.router.left() }, 'not all turns ended in time: the next owner recovers them');
    await this.#leave();
  }

  async #letGo(): Promise<void> {
    await this.router.close();
    await this.site.relay.flushed();
    await this.partitions.checkpoint().catch((error: unknown) => this.#it.log.warn({ why: why(error) }, 'last offsets not committed'));
  }

  async #leave(): Promise<void> {
    const { store, notices, writer, registry, leaseStore, log } = this.#it;
    for (const timer of this.#timers) timer.cancel();
    this.partitions.stop();
    this.site.leases.stop();
    this.site.relay.stop();
    const quiet = (what: string) => (error: unknown) => log.warn({ why: why(error) }, `${what} did not end cleanly`);
    await this.#commandLog?.stop().catch(quiet('the command log'));
    await this.membership.leave().catch(quiet('the registry'));
    await Promise.all([
      writer.stop().catch(quiet('the writer')),
      leaseStore.stop().catch(quiet('the leases')),
      notices.stop().catch(quiet('notices')),
    ]);
    await registry.stop().catch(quiet('the registry'));
    await store.stop().catch(quiet('the store'));
    this.#state = 'stopped';
  }

  /** Asks a refused partition again. */
  resume(at: { readonly topic: string; readonly partition: number }): Promise<void> {
    return this.#commandLog?.again(at) ?? Promise.resolve();
  }

  #topicOf(lane: Lane): string | undefined {
    return [...this.#it.lanes].find(([, its]) => its === lane)?.[0];
  }
  #sweep(): void {
    this.router.relieve();
    this.delivery.freed();
    if (this.#state === 'serving') this.site.timers.sweep();
  }
  #gained(partition: number): void {
    // The index may be read late or twice; what it names is only looked after sooner.
    void this.router
      .walk(partition)
      .catch((error: unknown) => this.#it.log.warn({ partition, why: why(error) }, 'the index of locations with work was not read'));
  }
  #leaseLost(address: Address): void {
    this.#it.log.info({ address }, 'lease lost to another holder');
    this.router.find(address)?.yieldLease();
  }

  #reader(): LogReader {
    const { partitions, delivery } = this;
    return {
      begin: (at, bounds) => partitions.begin(at, bounds),
      end: (at) => partitions.end(at),
      next: (at) => (partitions.tracker(at)?.highest ?? -1) + 1,
      take: (record) => delivery.take(record),
      unreadable: (at, from, to, codec) => delivery.unreadable(at, from, to, codec),
      owns: (at) => partitions.tracker(at) !== undefined,
      refuse: (at, code, reason) => partitions.refuse(at, code, reason),
      alive: () => {
        this.#heardMs = this.#it.clock.monotonic();
      },
      rebalancing: () => partitions.checkpoint(),
      assigned: (held) => this.#it.log.info({ partitions: held }, 'assigned'),
    };
  }

  #makeSite(): Site {
    const it = this.#it;
    const { clock, random, log } = it;
    const giveUpMs = it.leaseTtlMs + longestEffectMs(it.definitions) + LEASE_PATIENCE_MS;
    const leases = new LeaseKeeper({
      store: it.leaseStore,
      clock,
      random,
      log,
      replicaId: it.replicaId,
      ttlMs: it.leaseTtlMs,
      giveUpMs,
      alive: () => this.joined,
      without: it.meters.withoutLease,
      marginMs: it.marginMs,
    });
    const partitionFor = (address: Address) => partitionOf(address, it.partitions);
    const assigned = (partition: number) => this.partitions.held(partition);
    const laneOf = (type: string, command: string) => it.definitions.get(type)?.commands[command]?.lane ?? 'customer';
    const topicOf = (type: string, command: string) => this.#topicOf(laneOf(type, command)) ?? this.#topicOf('customer') ?? '';
    const { store, writer, source } = it;
    return {
      clock,
      random,
      log,
      meters: it.meters,
      store,
      writer,
      notices: it.notices,
      leases,
      relay: new OutboxRelay(it.writer, clock, random, log),
      timers: new TimerWatch({ store, writer, clock, log, source, partitionOf: partitionFor, assigned, topicOf }),
      effects: effects(clock, it.limits.probeTimeoutMs),
      evidence: new EvidenceKeeper(),
      definitions: it.definitions,
      limits: it.limits,
      owner: () => this.membership.owner,
      source,
      partitionOf: partitionFor,
      topicOf,
      assigned,
      newestMs: (partition) => this.partitions.newestMs(partition),
      checked: (partition) => this.partitions.checked(partition),
      recheck: () => this.partitions.recheck(),
      refuse: (at, code, reason) => this.partitions.refuse(at, code, reason),
      freed: () => this.delivery.freed(),
    };
  }
}
