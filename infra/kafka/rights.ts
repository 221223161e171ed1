/** Asks the brokers whether this program may do all that it does, at start and ever after: a right that is missing must not be found out by a customer. */
import { createRequire } from 'node:module';
import type { RetryOptions } from 'kafkajs';
import { type Fault, LocusError, linkRefused, sentence } from '../../src/errors.ts';
import type { Clock, Log, LogRefusal } from '../../src/ports.ts';
import { type KafkaAccess, kafkaClient, RETRY } from './client.ts';
import { type Asked, type Contact, contactOf } from './contact.ts';
import { failure, lacking, refusal } from './refusals.ts';

const require = createRequire(import.meta.url);

export type RightsOptions = KafkaAccess & {
  readonly groupId: string;
  /** Lane topics. */
  readonly commands: readonly string[];
  readonly events: string;
  readonly deadLetters: string;
  readonly clock: Clock;
};

/** Numbers of org.apache.kafka.common.acl.AclOperation: an answer has the bit of each that is allowed. */
const OPERATIONS = { Read: 3, Write: 4, DescribeConfigs: 10 } as const;
type Operation = keyof typeof OPERATIONS;
const LANE: readonly Operation[] = ['Read', 'Write', 'DescribeConfigs'];
const OUT: readonly Operation[] = ['Write'];

/** A broker that has just begun, or has just taken over the group, says for a while that it is not ready. */
const ATTEMPTS = 8;
const AT_ONCE = { ...RETRY, retries: 0 };

/** Throws LINK_REFUSED with every right that is missing, or with what kept us from asking; LOG_DOWN when nobody answers. */
export async function checkRights(options: RightsOptions): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      // A refusal is told at once; what may pass gets kafkajs's patience from the second attempt on.
      const lacks = await askOnce(options, attempt === 1 ? AT_ONCE : RETRY);
      if (lacks.length > 0) throw linkRefused(lacks.map(({ fault }) => fault));
      return;
    } catch (error) {
      const passes = attempt === 1 || (attempt < ATTEMPTS && (error as { type?: unknown }).type !== undefined);
      if (error instanceof LocusError || refusal(error, options) !== undefined || !passes)
        throw failure(error, options, 'LOG_DOWN', `Kafka at ${options.brokers.join(', ')} cannot be reached`);
      const pauseMs = Math.min(RETRY.initialRetryTime * 2 ** (attempt - 1), RETRY.maxRetryTime);
      await new Promise<void>((resolve) => options.clock.after(pauseMs, resolve));
    }
  }
}

/**
 * What is refused by now, asked over a connection of its own: a password that works no more is known before the connections that stand are
 * lost. Rejects when nobody answers.
 */
export async function refusedNow(options: RightsOptions): Promise<readonly LogRefusal[]> {
  const turnedAway = (error: unknown): readonly Lack[] => {
    const fault = refusal(error, options);
    if (fault === undefined) throw error;
    return [{ what: 'connections', fault }];
  };
  const lacks = await askOnce({ ...options, log: hushed(options.log) }, AT_ONCE).catch(turnedAway);
  return lacks.map(({ what, fault }) => ({ what, why: sentence(fault) }));
}

/** Whoever asks tells what came of it. */
function hushed(log: Log): Log {
  const debug: Log['debug'] = (fields, message) => log.debug(fields, message);
  return { debug, info: debug, warn: debug, error: debug };
}

/** A right that is lacking, and what cannot be done without it. */
type Lack = { readonly what: LogRefusal['what']; readonly fault: Fault };

async function askOnce(options: RightsOptions, retry: RetryOptions): Promise<readonly Lack[]> {
  const contact = contactOf(kafkaClient(options, retry));
  try {
    await contact.connect();
    return [...(await topicLacks(contact, options)), ...(await groupLacks(contact, options))];
  } finally {
    await contact.disconnect();
  }
}

async function topicLacks(contact: Contact, { commands, events, deadLetters, sasl }: RightsOptions): Promise<readonly Lack[]> {
  const wanted = new Map([...commands.map((topic) => [topic, LANE] as const), [events, OUT], [deadLetters, OUT]]);
  const answers: readonly Topic[] = await contact.ask('any', allowedOn([...wanted.keys()]));
  return answers.flatMap(({ error, topic, allowed }) => {
    const may = (operation: Operation) => error !== TOPIC_REFUSED && (allowed & (1 << OPERATIONS[operation])) !== 0;
    const rights = (wanted.get(topic) ?? []).filter((it) => !may(it));
    const what = topic === events ? 'events' : topic === deadLetters ? 'dead-letters' : withoutRights(rights);
    return rights.length === 0 ? [] : [{ what, fault: lacking(sasl, rights, 'topic', topic) }];
  });
}
/** What of a lane is lost first. */
const withoutRights = (rights: readonly Operation[]) =>
  rights.includes('Read') ? 'reading' : rights.includes('Write') ? 'commands' : 'settings';
const TOPIC_REFUSED = 29;

/** A heartbeat of a member that nobody knows needs the right that joining needs, and changes nothing. */
async function groupLacks(contact: Contact, { groupId, sasl }: RightsOptions): Promise<readonly Lack[]> {
  try {
    await contact.ask({ groupId }, strangersHeartbeat(groupId));
  } catch (error) {
    const type = (error as { type?: unknown }).type;
    if (type === 'GROUP_AUTHORIZATION_FAILED') return [{ what: 'reading', fault: lacking(sasl, ['Read'], 'group', groupId) }];
    if (type !== 'UNKNOWN_MEMBER_ID') throw error;
  }
  return [];
}

function strangersHeartbeat(groupId: string): Asked<unknown> {
  const request = require('kafkajs/src/protocol/requests/heartbeat/v3/request.js');
  const response = require('kafkajs/src/protocol/requests/heartbeat/v3/response.js');
  const stranger = { groupId, groupGenerationId: -1, memberId: 'locus-asks-for-its-rights', groupInstanceId: null };
  return { request: request(stranger), response, logResponseError: false };
}

type Topic = { readonly error: number; readonly topic: string; readonly allowed: number };

/** Metadata v8, which kafkajs does not speak: the first version that answers with what is allowed (KIP-430). Brokers since 2.3 have it. */
function allowedOn(topics: readonly string[]): Asked<readonly Topic[]> {
  const Encoder = require('kafkajs/src/protocol/encoder.js');
  const Decoder = require('kafkajs/src/protocol/decoder.js');
  const { Metadata }: { Metadata: number } = require('kafkajs/src/protocol/requests/apiKeys.js');
  return {
    request: {
      apiKey: Metadata,
      apiVersion: 8,
      apiName: 'Metadata',
      // allow_auto_topic_creation, include_cluster_authorized_operations, include_topic_authorized_operations
      encode: async () =>
        new Encoder()
          .writeArray([...topics])
          .writeBoolean(false)
          .writeBoolean(true)
          .writeBoolean(true),
    },
    response: { decode: async (raw: Buffer) => readAllowed(new Decoder(raw)), parse: async (it: readonly Topic[]) => it },
  };
}

type Decoder = {
  readInt32(): number;
  readInt16(): number;
  readString(): string;
  readBoolean(): boolean;
  readArray<T>(read: (decoder: Decoder) => T): T[];
};
function readAllowed(it: Decoder): readonly Topic[] {
  it.readInt32(); // throttle time
  it.readArray((broker) => [broker.readInt32(), broker.readString(), broker.readInt32(), broker.readString()]);
  it.readString(); // cluster id
  it.readInt32(); // controller
  return it.readArray(() => {
    const [error, topic] = [it.readInt16(), it.readString(), it.readBoolean()];
    it.readArray(skipPartition);
    return { error, topic, allowed: it.readInt32() };
  });
}
function skipPartition(it: Decoder): void {
  it.readInt16();
  for (let field = 0; field < 3; field++) it.readInt32(); // partition, leader, its epoch
  for (let list = 0; list < 3; list++) it.readArray((one) => one.readInt32()); // replicas, in sync, offline
}
