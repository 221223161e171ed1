/** `locus doctor`: looks at everything that a replica will need, from names to clocks, and says of each what is wrong and what to do. */
import { isIP } from 'node:net';
import { type Fault, LocusError, sentence, why } from '../errors.ts';
import type { Said } from './ask.ts';
import { EXIT } from './client.ts';
import { duration, table } from './print.ts';
import { type Place, placeIn } from './reach.ts';

/** skipped: it could not be looked at, which proves nothing. */
export type Finding = {
  readonly state: 'ok' | 'wrong' | 'skipped';
  readonly check: string;
  readonly target: string;
  readonly told: string;
};
export type Skew = { readonly aheadMs: number; readonly withinMs: number };
export type TopicFacts = {
  readonly topic: string;
  readonly partitions: number;
  readonly replicas: number;
  readonly stamp: string;
  readonly retentionMs: number;
  readonly cleanup: string;
};
export type KafkaFacts = { readonly brokers: number; readonly topics: readonly TopicFacts[] };
export type StoreFacts = Skew & { readonly faults: readonly Fault[]; readonly partitions: number | undefined };

/** How it gets at things; whatever it meets is a rejection, whose faults, if it has any, are told one by one. */
export type Instruments = {
  readonly resolve: (host: string) => Promise<readonly string[]>;
  /** How long it took, ms. */
  readonly connect: (place: Place) => Promise<number>;
  readonly kafka: () => Promise<KafkaFacts>;
  readonly kafkaClock: () => Promise<Skew>;
  readonly store: () => Promise<StoreFacts>;
  readonly lock: (url: string) => Promise<Skew>;
  /** What the device said, in words. */
  readonly device: () => Promise<string>;
};
/** What of the configuration is looked at. */
export type Patient = {
  readonly kafkaBrokers: readonly string[];
  readonly redisUrl: string;
  readonly lockRedisUrls: readonly string[];
  readonly deviceUrl: string;
  readonly commandsTopic: string;
  readonly bulkTopic: string;
  readonly eventsTopic: string;
  readonly deadLettersTopic: string;
};

const PORTS = { 'redis:': 6379, 'rediss:': 6379, 'http:': 80, 'https:': 443 };
const nameOf = ({ host, port }: Place): string => `${host}:${port}`;
const ok = (check: string, target: string, told: string): Finding => ({ state: 'ok', check, target, told });
const wrong = (check: string, target: string, told: string): Finding => ({ state: 'wrong', check, target, told });

/** Of the commands topic, and what the store was filled from. */
type Counts = { topic?: number; store?: number };

export async function examine(it: Patient, by: Instruments): Promise<readonly Finding[]> {
  const counts: Counts = {};
  const groups = await Promise.all([
    reached(
      it.kafkaBrokers.map((text) => placeIn(text)),
      by,
      () => kafka(it, by, counts),
    ),
    reached([placeIn(it.redisUrl, PORTS)], by, () => store(it, by, counts)),
    ...it.lockRedisUrls.map((url) => reached([placeIn(url, PORTS)], by, () => lock(url, by))),
    reached([placeIn(it.deviceUrl, PORTS)], by, () => device(it.deviceUrl, by)),
  ]);
  const all = [...groups.flat(), ...layout(it, counts)];
  // One host may serve for several things.
  const first = new Map(all.map((one) => [JSON.stringify(one), one]));
  return [...first.values()];
}

/** An embedded replica needs a folder, and a device only when it names one. */
export async function examineAlone(
  it: { readonly dataDir: string; readonly deviceUrl: string | undefined },
  by: Pick<Instruments, 'resolve' | 'connect' | 'device'> & { readonly folder: (path: string) => Promise<string> },
): Promise<readonly Finding[]> {
  const { dataDir, deviceUrl } = it;
  const folder = await by.folder(dataDir).then(
    (told) => [ok('folder', dataDir, told)],
    (error: unknown) => [wrong('folder', dataDir, `${why(error)}: give DATA_DIR a folder that this user may write to`)],
  );
  return deviceUrl === undefined ? folder : [...folder, ...(await reached([placeIn(deviceUrl, PORTS)], by, () => device(deviceUrl, by)))];
}

export function report(findings: readonly Finding[], format: 'text' | 'json'): Said {
  const isWell = findings.every(({ state }) => state !== 'wrong');
  const columns = [
    ['STATE', (row: { readonly state?: unknown }) => row.state],
    ['CHECK', (row: { readonly check?: unknown }) => row.check],
    ['TARGET', (row: { readonly target?: unknown }) => row.target],
    ['FOUND', (row: { readonly told?: unknown }) => row.told],
  ] as const;
  const text = format === 'json' ? JSON.stringify({ well: isWell, findings }) : table(columns, findings);
  return { text, exit: isWell ? EXIT.done : EXIT.failed };
}

/** Names, then listeners; what lies behind is asked as soon as one of them can be reached. */
async function reached(
  places: readonly Place[],
  { resolve, connect }: Pick<Instruments, 'resolve' | 'connect'>,
  beyond: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  let isOpen = false;
  for (const place of places) {
    const { host } = place;
    const found = await resolve(host).catch(
      (error: unknown) =>
        void findings.push(wrong('dns', host, `${why(error)}: write a name that this machine can resolve, or mend its resolver`)),
    );
    if (found === undefined) continue;
    if (!isIP(host)) findings.push(ok('dns', host, found.join(', ')));
    const tookMs = await connect(place).catch(
      (error: unknown) =>
        void findings.push(wrong('tcp', nameOf(place), `${why(error)}: see that it runs, listens there, and that no firewall is between`)),
    );
    if (tookMs === undefined) continue;
    findings.push(ok('tcp', nameOf(place), `open, ${duration(tookMs)}`));
    isOpen = true;
  }
  return isOpen ? [...findings, ...(await beyond())] : findings;
}

/** What was met on the way: each fault a line of its own. */
function met(check: string, target: string, error: unknown): readonly Finding[] {
  const faults = error instanceof LocusError ? error.faults : [];
  return faults.length > 0 ? faults.map((fault) => wrong(check, target, sentence(fault))) : [wrong(check, target, why(error))];
}

// ── Kafka ────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function kafka(it: Patient, by: Instruments, counts: Counts): Promise<readonly Finding[]> {
  const target = it.kafkaBrokers.join(',');
  try {
    const facts = await by.kafka();
    const commands = facts.topics.find(({ topic }) => topic === it.commandsTopic);
    if (commands !== undefined) counts.topic = commands.partitions;
    const brokers = ok('kafka', target, `answers, ${facts.brokers} broker${facts.brokers === 1 ? '' : 's'}`);
    return [brokers, ...topics(it, facts.topics), await kafkaClock(target, by)];
  } catch (error) {
    return met('kafka', target, error);
  }
}

async function kafkaClock(target: string, by: Instruments): Promise<Finding> {
  try {
    return clock(`Kafka ${target}`, await by.kafkaClock());
  } catch (error) {
    return { state: 'skipped', check: 'clock', target: `Kafka ${target}`, told: `not measured: ${why(error)}` };
  }
}

const DAY_MS = 86_400_000;
const configs = (topic: string, setting: string) =>
  `kafka-configs --alter --entity-type topics --entity-name ${topic} --add-config ${setting}`;

function topics(it: Patient, found: readonly TopicFacts[]): readonly Finding[] {
  const commands = found.find(({ topic }) => topic === it.commandsTopic);
  const lanes = [it.commandsTopic, it.bulkTopic];
  /** Those that must have as many partitions as the commands topic, by the variable that names them. */
  const alike = new Map([
    [it.bulkTopic, 'BULK_TOPIC'],
    [it.eventsTopic, 'EVENTS_TOPIC'],
  ]);
  return [...lanes, it.eventsTopic, it.deadLettersTopic].map((name) => {
    const facts = found.find(({ topic }) => topic === name);
    if (facts === undefined) return ok('topic', name, 'not there yet: the first replica creates it');
    const says = topicFaults(facts, lanes.includes(name));
    const variable = alike.get(name);
    if (variable !== undefined && commands !== undefined && facts.partitions !== commands.partitions)
      says.unshift(
        `it has ${facts.partitions} partitions, and ${commands.topic} ${commands.partitions}: name another topic in ${variable}`,
      );
    const { partitions, replicas, retentionMs, stamp } = facts;
    const kept = retentionMs < 0 ? 'kept for ever' : `kept ${Math.round(retentionMs / 3_600_000)} h`;
    const told = `${partitions} partitions, ${replicas} replica${replicas === 1 ? '' : 's'}, ${kept}, ${stamp}`;
    return says.length === 0 ? ok('topic', name, told) : wrong('topic', name, says.join('; '));
  });
}

function topicFaults(facts: TopicFacts, isLane: boolean): string[] {
  const { topic, stamp, retentionMs, cleanup } = facts;
  const says: string[] = [];
  if (cleanup !== 'delete')
    says.push(
      `cleanup.policy is ${cleanup}: must be delete, else records of one location push each other out: ${configs(topic, 'cleanup.policy=delete')}`,
    );
  if (isLane && stamp !== 'LogAppendTime')
    says.push(`message.timestamp.type is ${stamp}: must be LogAppendTime: ${configs(topic, 'message.timestamp.type=LogAppendTime')}`);
  if (isLane && retentionMs >= 0 && retentionMs < DAY_MS)
    says.push(
      `retention.ms is ${retentionMs}: must be at least a day, else an outage over night loses commands: ${configs(topic, `retention.ms=${7 * DAY_MS}`)}`,
    );
  return says;
}

/** Locations would move to other partitions, away from what is known of them. */
function layout({ commandsTopic }: Patient, { topic, store: filled }: Counts): readonly Finding[] {
  if (topic === undefined || filled === undefined || topic === filled) return [];
  const fix = 'name the topic that it was filled from in COMMANDS_TOPIC, or an empty store in REDIS_URL';
  return [wrong('layout', commandsTopic, `it has ${topic} partitions, the store was filled with ${filled}: ${fix}`)];
}

// ── Redis, locks, device, clocks ─────────────────────────────────────────────────────────────────────────────────────

async function store({ redisUrl }: Patient, by: Instruments, counts: Counts): Promise<readonly Finding[]> {
  const target = nameOf(placeIn(redisUrl, PORTS));
  try {
    const facts = await by.store();
    if (facts.partitions !== undefined) counts.store = facts.partitions;
    const durable = ok('redis', target, 'the state store answers, and is as durable as DURABILITY asks');
    const faults = facts.faults.map((fault) => wrong('redis', target, sentence(fault)));
    return [...(faults.length === 0 ? [durable] : faults), clock(`Redis ${target}`, facts)];
  } catch (error) {
    return met('redis', target, error);
  }
}

async function lock(url: string, by: Instruments): Promise<readonly Finding[]> {
  const target = nameOf(placeIn(url, PORTS));
  try {
    await by.lock(url);
    return [ok('lock', target, 'answers')];
  } catch (error) {
    return met('lock', target, error);
  }
}

async function device(url: string, by: Pick<Instruments, 'device'>): Promise<readonly Finding[]> {
  try {
    return [ok('device', url, await by.device())];
  } catch (error) {
    return met('device', url, error);
  }
}

/** Deadlines and ages are told by clocks of several machines. */
const SKEW_MAX_MS = 1_000;
function clock(target: string, { aheadMs, withinMs }: Skew): Finding {
  const off = `${Math.round(Math.abs(aheadMs))} ms ${aheadMs < 0 ? 'behind' : 'ahead of'} this machine, within ${Math.ceil(withinMs)} ms`;
  if (Math.abs(aheadMs) - withinMs <= SKEW_MAX_MS) return ok('clock', target, off);
  return wrong('clock', target, `${off}: must be within ${SKEW_MAX_MS} ms: let both follow one time server (NTP)`);
}
