/** Everything that is changed in kafkajs 2.2.4, in one place: what it lacks, what it does that would lose commands, and what makes it slow. */
import { createRequire } from 'node:module';
import type { Cluster } from 'kafkajs';
import { quicken } from './encoder.ts';
import { decodeAround, FETCH_VERSION, type Fetched } from './unreadable.ts';

const VERSION = '2.2.4';
const require = createRequire(import.meta.url);

export type CommitTopics = readonly {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: unknown }[];
}[];
export type Commit = {
  readonly groupId: string;
  readonly memberId: string;
  readonly groupGenerationId: number;
  readonly topics: CommitTopics;
};
/** kafkajs's own class for a connection to one broker, as far as it is used or changed here. */
export type BrokerLink = {
  readonly nodeId: string;
  isConnected(): boolean;
  offsetCommit(commit: Commit): Promise<unknown>;
};
type Join = { readonly memberId?: string };
type Joined = { readonly memberId: string; readonly generationId: number };
type Request = { readonly request: { readonly apiVersion: number }; readonly response: { decode(raw: Buffer): Promise<Fetched> } };
type Lookup = (apiKey: number, definition: unknown) => (args: object) => Request;
type RawBroker = BrokerLink & {
  lookupRequest: Lookup;
  joinGroup(join: Join): Promise<Joined>;
  leaveGroup(leave: object): Promise<unknown>;
  produce(it: {
    readonly topicData: readonly { readonly partitions: readonly { readonly messages: readonly object[] }[] }[];
  }): Promise<unknown>;
};
type ApiKeys = Readonly<Record<'Fetch' | 'JoinGroup' | 'SyncGroup' | 'Heartbeat' | 'LeaveGroup', number>>;
type Queue = { throttleCheckTimeoutId: unknown; readonly pending: readonly unknown[]; readonly throttledUntil: number };

/** What one consumer wants to know and to decide. */
export type Hooks = {
  readonly groupInstanceId: string;
  /** Before each JoinGroup; a throw keeps it from being sent. */
  beforeJoin(memberId: string): Promise<void>;
  joined(memberId: string, generation: number, coordinator: BrokerLink): void;
  /** The group is about to hear that this member leaves. */
  leaving(): void;
  /** What of a commit may be sent, asked at the moment of sending. */
  sendable(topics: CommitTopics): CommitTopics;
};

/** Changes one consumer, through the cluster that kafkajs hands to its assigner: every broker that it will talk to passes here. */
export function adopt(cluster: Cluster, hooks: Hooks): void {
  const it = cluster as unknown as { findBroker(node: { nodeId: string }): Promise<RawBroker> };
  const find = it.findBroker.bind(cluster);
  const adopted = new WeakSet<RawBroker>();
  it.findBroker = async (node) => {
    const broker = await find(node);
    if (!adopted.has(broker)) change(broker, hooks);
    adopted.add(broker);
    return broker;
  };
}

function change(broker: RawBroker, hooks: Hooks): void {
  const joinGroup = broker.joinGroup.bind(broker);
  const leaveGroup = broker.leaveGroup.bind(broker);
  const offsetCommit = broker.offsetCommit.bind(broker);
  broker.joinGroup = async (join) => {
    await hooks.beforeJoin(join.memberId ?? '');
    const joined = await joinGroup(join);
    hooks.joined(joined.memberId, joined.generationId, broker);
    return joined;
  };
  broker.leaveGroup = (leave) => {
    hooks.leaving();
    return leaveGroup(leave);
  };
  // kafkajs commits -2 or -1 by itself when an offset is out of range, and brokers take commits of partitions that were lost.
  broker.offsetCommit = async (commit) => {
    const topics = hooks.sendable(commit.topics);
    return topics.length === 0 ? { responses: [] } : offsetCommit({ ...commit, topics });
  };
  let lookup = around(broker.lookupRequest, hooks.groupInstanceId);
  // Set anew by kafkajs on each connection.
  Object.defineProperty(broker, 'lookupRequest', {
    get: () => lookup,
    set: (plain: Lookup) => {
      lookup = around(plain, hooks.groupInstanceId);
    },
  });
}

/** The requests that carry a group.instance.id get it, and fetch answers may hold batches of any codec. */
function around(plain: Lookup, groupInstanceId: string): Lookup {
  const keys: ApiKeys = require('kafkajs/src/protocol/requests/apiKeys.js');
  const membership = [keys.JoinGroup, keys.SyncGroup, keys.Heartbeat, keys.LeaveGroup];
  return (apiKey, definition) => {
    const build = plain(apiKey, definition);
    if (membership.includes(apiKey)) return (args) => build({ ...args, groupInstanceId });
    return apiKey === keys.Fetch ? (args) => withPlaceholders(build(args)) : build;
  };
}

function withPlaceholders(fetch: Request): Request {
  if (fetch.request.apiVersion !== FETCH_VERSION)
    throw new Error('the Kafka brokers are older than 2.3: static membership needs at least that');
  const { response } = fetch;
  return { ...fetch, response: { ...response, decode: (raw) => decodeAround(raw, (rest) => response.decode(rest)) } };
}

/** Messages whose batch was handed to a connection: from then on the broker may have it. */
const handedOver = new WeakSet<object>();
export const mayHaveBeenSent = (messages: readonly object[]): boolean => messages.some((message) => handedOver.has(message));

let installed = false;
/** Changes that hold no state of any one client. */
export function install(): void {
  if (installed) return;
  const { version }: { version: string } = require('kafkajs/package.json');
  if (version !== VERSION)
    throw new Error(`kafkajs is ${version}, but infra/kafka/patches.ts was written for ${VERSION}: check each change in it`);
  guardIdleTimer(require('kafkajs/src/network/requestQueue/index.js').prototype);
  noteProduce(require('kafkajs/src/broker/index.js').prototype);
  quicken(require('kafkajs/src/protocol/encoder.js'));
  goOn(require('kafkajs/src/broker/saslAuthenticator/index.js').prototype, 'authenticate');
  goOn(require('kafkajs/src/cluster/index.js').prototype, 'findGroupCoordinator');
  for (const kind of require('kafkajs/src/protocol/error.js').errorCodes as { readonly type: string; retriable: boolean }[])
    if (/^(TOPIC|GROUP)_AUTHORIZATION_FAILED$/.test(kind.type)) kind.retriable = true;
  installed = true;
}

/** An idle queue re-arms its timer with a negative delay, some 2,300 times a second: without anything to wait for, none is needed. */
function guardIdleTimer(queue: { scheduleCheckPendingRequests(this: Queue): void }): void {
  const schedule = queue.scheduleCheckPendingRequests;
  queue.scheduleCheckPendingRequests = function (this: Queue) {
    if (this.pending.length > 0) schedule.call(this);
  };
}

function noteProduce(broker: RawBroker): void {
  const produce = broker.produce;
  broker.produce = function (this: RawBroker, it) {
    // kafkajs passes on the very objects it was given, and one of each partition tells for all.
    for (const { partitions } of it.topicData)
      for (const { messages } of partitions) if (messages[0] !== undefined) handedOver.add(messages[0]);
    return produce.call(this, it);
  };
}

/** A password that was changed, or a right that was taken away, may be given back: kafkajs would stop reading for ever. */
function goOn<Name extends string>(prototype: Record<Name, (...given: unknown[]) => Promise<unknown>>, name: Name): void {
  const work = prototype[name];
  prototype[name] = async function (this: unknown, ...given: unknown[]) {
    try {
      return await work.apply(this, given);
    } catch (error) {
      throw error instanceof Error ? Object.assign(error, { retriable: true }) : error;
    }
  };
}
