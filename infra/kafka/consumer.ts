/** Commands from Kafka: a static member of its group, whose commits cover only what it holds at the moment of sending. */
import type { Admin, Cluster, Consumer } from 'kafkajs';
import { LocusError, why } from '../../src/errors.ts';
import type { Clock, CommandLog, LogReader, TopicPartition } from '../../src/ports.ts';
import { assigner } from './assigner.ts';
import { type KafkaAccess, kafkaClient, RETRY } from './client.ts';
import { nameOf } from './cursor.ts';
import { KafkaJSError, KafkaJSNonRetriableError } from './hidden.ts';
import { adopt, type BrokerLink, type CommitTopics } from './patches.ts';
import { Positions } from './positions.ts';
import { failure, told } from './refusals.ts';

export type KafkaCommandLogOptions = KafkaAccess & {
  readonly groupId: string;
  /** The static member's name: who is back under it within the session keeps its partitions without a rebalance. */
  readonly replicaId: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  readonly clock: Clock;
  /** What an earlier life under this name held: it claims that again when it joins, behind whoever holds it by now. */
  readonly before?: readonly number[];
  /** Asked before each join under no member id yet; false ends in `onFatal`. */
  readonly mayJoin: () => Promise<boolean>;
  /** This member can never be of the group again. */
  readonly onFatal: (why: string) => void;
  /** What one fetch brings of one partition, bytes; what does not fit the reader is fetched again. */
  readonly maxBytesPerPartition?: number;
};

export const kafkaCommandLog = (options: KafkaCommandLogOptions): CommandLog => new KafkaCommandLog(options);

const HEARTBEAT_MS = 300;
/** A resumed partition waits for the fetch that runs to end: up to this long. */
const FETCH_WAIT_MS = 100;
const FETCH_BYTES = 64 * 1024;
/** How long the others wait for us to commit before they share anew. */
const LAST_COMMIT_MS = 1_000;
/** Kafka counts from 1: a claim from an earlier life yields to everyone who holds the partition now. */
const GENERATION_BEFORE = 0;
/** What a group says to whom it no longer knows: ordinary in every rebalance. */
const NOT_OURS = ['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'FENCED_INSTANCE_ID'];

type Membership = { readonly memberId: string; readonly generation: number; readonly coordinator: BrokerLink };

class KafkaCommandLog implements CommandLog {
  readonly #it: KafkaCommandLogOptions;
  readonly #consumer: Consumer;
  readonly #admin: Admin;
  #cluster: Cluster | undefined;
  #reader: LogReader | undefined;
  #positions: Positions | undefined;
  #partitions = 0;
  /** As the last JoinGroup was answered; `settled` is the one whose assignment we act by. */
  #joining: Membership | undefined;
  #settled: Membership | undefined;
  /** Until this life is given partitions of its own. */
  #before: readonly number[] | undefined;
  #over = false;
  #trouble: string | undefined;

  constructor(options: KafkaCommandLogOptions) {
    this.#it = options;
    this.#before = options.before;
    const kafka = kafkaClient(options);
    this.#admin = kafka.admin();
    this.#consumer = kafka.consumer({
      groupId: options.groupId,
      sessionTimeout: options.sessionTimeoutMs,
      rebalanceTimeout: options.sessionTimeoutMs,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytesPerPartition: options.maxBytesPerPartition ?? FETCH_BYTES,
      allowAutoTopicCreation: false,
      retry: { ...RETRY, restartOnFailure: async () => true },
      partitionAssigners: [
        assigner({ owned: () => this.#owned(), partitions: () => this.#partitions, met: (cluster) => this.#meet(cluster) }),
      ],
    });
    const { GROUP_JOIN, HEARTBEAT, CRASH } = this.#consumer.events;
    this.#consumer.on(GROUP_JOIN, ({ payload }) => this.#joined(payload.memberAssignment));
    this.#consumer.on(HEARTBEAT, () => this.#reader?.alive());
    this.#consumer.on(CRASH, ({ payload }) => this.#crashed(payload.error, payload.restart));
  }

  trouble(): string | undefined {
    return this.#trouble;
  }
  get partitions(): number {
    return this.#partitions;
  }

  async start(reader: LogReader): Promise<void> {
    this.#reader = reader;
    const positions = new Positions({ ...this.#it, consumer: this.#consumer, admin: this.#admin }, reader);
    this.#positions = positions;
    const topics = [...this.#it.topics];
    try {
      await this.#admin.connect();
      const { topics: found } = await this.#admin.fetchTopicMetadata({ topics });
      const counts = new Set(found.map((topic) => topic.partitions.length));
      if (counts.size !== 1) throw new LocusError('TOPICS_INVALID', `lane topics ${topics.join(', ')} differ in their partitions`);
      this.#partitions = found[0]?.partitions.length ?? 0;
      await this.#consumer.connect();
      await this.#consumer.subscribe({ topics, fromBeginning: true });
      await this.#consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async (batch) => positions.read(batch) });
    } catch (error) {
      throw failure(error, this.#it, 'LOG_DOWN', `Kafka at ${this.#it.brokers.join(', ')} cannot be read`);
    }
  }

  hold(): void {
    this.#positions?.hold();
  }

  resume(at: readonly TopicPartition[]): void {
    this.#positions?.resume(at);
  }

  async again(at: TopicPartition): Promise<void> {
    await this.#positions?.again(at);
  }

  async stop(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.hold();
    await this.#consumer.disconnect();
    this.#leave();
    await this.#admin.disconnect();
  }

  // ── Offsets ──

  /** Sent once, by the generation that we act by: kafkajs's own commit repeats old payloads in later generations. */
  async commit(offsets: readonly (TopicPartition & { readonly offset: number })[]): Promise<void> {
    const member = this.#settled;
    if (member === undefined) throw new LocusError('LOG_DOWN', 'not committed: not in the group');
    const topics = this.#it.topics.map((topic) => ({
      topic,
      partitions: offsets.filter((at) => at.topic === topic).map(({ partition, offset }) => ({ partition, offset: String(offset) })),
    }));
    const { memberId, generation: groupGenerationId } = member;
    try {
      const coordinator = await this.#linked(member.coordinator);
      await coordinator.offsetCommit({ groupId: this.#it.groupId, memberId, groupGenerationId, topics });
    } catch (error) {
      const type = String((error as { type?: unknown }).type);
      const code = NOT_OURS.includes(type) ? 'PARTITION_REFUSED' : 'LOG_UNACKNOWLEDGED';
      throw new LocusError(code, 'the group did not take the offsets', { cause: error });
    }
    const foreign = offsets.filter((at) => this.#positions?.owns(at) !== true);
    if (foreign.length > 0) throw new LocusError('PARTITION_REFUSED', `not committed, not held here: ${foreign.map(nameOf).join(', ')}`);
  }

  async #linked(coordinator: BrokerLink): Promise<BrokerLink> {
    if (coordinator.isConnected()) return coordinator;
    return (await this.#cluster?.findBroker({ nodeId: coordinator.nodeId })) as unknown as BrokerLink;
  }

  #sendable(topics: CommitTopics): CommitTopics {
    const kept = topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.filter(({ partition, offset }) => this.#positions?.maySend({ topic, partition }, Number(offset)) === true),
    }));
    return kept.filter(({ partitions }) => partitions.length > 0);
  }

  // ── Membership ──

  #meet(cluster: Cluster): void {
    this.#cluster = cluster;
    adopt(cluster, {
      groupInstanceId: this.#it.replicaId,
      beforeJoin: (memberId) => (memberId === '' ? this.#askToJoin() : this.#lastCommits()),
      joined: (memberId, generation, coordinator) => {
        this.#joining = { memberId, generation, coordinator };
      },
      leaving: () => this.#leave(),
      sendable: (topics) => this.#sendable(topics),
    });
  }

  #owned() {
    if (this.#before !== undefined) return { generation: GENERATION_BEFORE, partitions: this.#before };
    return { generation: this.#settled?.generation ?? -1, partitions: this.#positions?.partitions ?? [] };
  }

  async #askToJoin(): Promise<void> {
    const may = await this.#it.mayJoin().catch((error) => {
      throw new KafkaJSError(`may not join yet: ${why(error)}`);
    });
    if (!may) throw new KafkaJSNonRetriableError(`a later life of ${this.#it.replicaId} has registered`);
  }

  async #lastCommits(): Promise<void> {
    const told = Promise.resolve(this.#reader?.rebalancing()).catch((error) => {
      this.#it.log.info({ why: why(error) }, 'offsets not committed before the group shares anew');
    });
    await new Promise<void>((resolve) => {
      const late = this.#it.clock.after(LAST_COMMIT_MS, resolve);
      void told.then(() => {
        late.cancel();
        resolve();
      });
    });
  }

  #joined(assignment: Readonly<Record<string, readonly number[]>>): void {
    const before = this.#settled;
    const now = this.#joining;
    if (this.#over || now === undefined) return;
    this.#settled = now;
    this.#before = undefined;
    this.#trouble = undefined;
    this.#reader?.alive();
    // Across a missed generation somebody else may have held what is ours again: then nothing counts as kept.
    const unbroken = now.memberId === before?.memberId && now.generation === before.generation + 1;
    const held = Object.entries(assignment).flatMap(([topic, partitions]) => partitions.map((partition) => ({ topic, partition })));
    this.#positions?.assign(held, unbroken);
  }

  #leave(): void {
    this.#settled = undefined;
    this.#positions?.endAll();
  }

  #crashed(error: Error, restart: boolean): void {
    this.#leave();
    if (this.#over) return;
    this.#trouble = told(error, this.#it);
    this.#it.log.warn({ why: this.#trouble, restart }, 'reading commands stopped');
    if (restart) return;
    this.#over = true;
    void this.#admin.disconnect().catch(() => {});
    this.#it.onFatal(`${this.#it.replicaId} cannot be of its group again: ${this.#trouble}`);
  }
}
