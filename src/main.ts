/** Puts a replica together from its parts and runs it until it is told to stop. One of the two files that know everybody. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CashLocation } from '../actors/cash-location/actor.ts';
import { gatewayHandlers } from '../infra/device/gateway-client.ts';
import { startSimulatedGateway } from '../infra/device/simulated-gateway.ts';
import { embeddedArchive } from '../infra/embedded/archive.ts';
import { EmbeddedFile } from '../infra/embedded/file.ts';
import { EmbeddedLog, embeddedWriter } from '../infra/embedded/log.ts';
import { embeddedRegistry } from '../infra/embedded/registry.ts';
import { embeddedStateStore } from '../infra/embedded/state-store.ts';
import { startAdmin } from '../infra/http/admin.ts';
import { httpPeers } from '../infra/http/peers.ts';
import { startHttp } from '../infra/http/server.ts';
import { kafkaArchive } from '../infra/kafka/archive.ts';
import { kafkaCommandLog } from '../infra/kafka/consumer.ts';
import { kafkaWriter } from '../infra/kafka/producer.ts';
import { checkRights, type RightsOptions, refusedNow } from '../infra/kafka/rights.ts';
import { ensureTopics } from '../infra/kafka/topics.ts';
import { memoryDisk } from '../infra/memory/disk.ts';
import { memoryLeaseStore, memoryLocks } from '../infra/memory/lease-store.ts';
import { Group } from '../infra/memory/log-group.ts';
import { Member } from '../infra/memory/log-member.ts';
import { memoryNotices } from '../infra/memory/notices.ts';
import { redisLeaseStore } from '../infra/redis/lease-store.ts';
import { redisNotices } from '../infra/redis/notices.ts';
import { redisRegistry } from '../infra/redis/registry.ts';
import { redisStateStore } from '../infra/redis/state-store.ts';
import { type Bound, bind } from './actor.ts';
import { every, systemClock } from './clock.ts';
import type { Config, EmbeddedConfig, FleetConfig } from './config.ts';
import { LocusError, why } from './errors.ts';
import type { Archive, Log, StateStore } from './ports.ts';
import { systemRandom } from './random.ts';
import { definitions } from './runtime/definition.ts';
import { desk } from './runtime/desk.ts';
import { Replica, type ReplicaOptions } from './runtime/replica.ts';
import { type Telemetry, telemetry } from './runtime/telemetry.ts';
import { Waiters } from './runtime/waiters.ts';
import { welcome } from './welcome.ts';

/** sysexits.h EX_CONFIG: the operator must change something before it can start. */
const EXIT_CONFIG = 78;
const EXIT_FAILED = 1;
/** A dispense takes its time at the machine; the effect itself ends after 20 s. */
const REQUEST_MS = 20_000;
/** How often commands that were read leave the embedded file. */
const FORGET_MS = 10_000;

/** Runs until SIGTERM or SIGINT, or until it must not go on; answers the exit code. `bound`: the actors, with what runs their effects. */
export async function run(config: Config, bound?: readonly Bound[]): Promise<number> {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  const watch = telemetry({ level: config.logLevel, replica: config.replicaId, version });
  const end = ending();
  try {
    const replica = await start(config, watch, end.now, bound);
    const code = await end.asked;
    watch.log.info({ code }, 'drains');
    await replica.stop();
    watch.log.info({ code, ...(await counted(watch)) }, 'stopped');
    return code;
  } catch (error) {
    watch.log.error({ why: why(error) }, 'cannot start');
    return error instanceof LocusError && error.fate === 'stop' ? EXIT_CONFIG : EXIT_FAILED;
  } finally {
    watch.stop();
  }
}

async function start(config: Config, watch: Telemetry, fatal: (why: string) => void, given?: readonly Bound[]) {
  const { log } = watch;
  const on = config.embedded ? await embedded(config, log, fatal) : await fleet(config, log);
  const bound = given ?? [cashLocations(on.deviceUrl, log)];
  const replica = new Replica({ ...replicaOptions(config, watch, bound), ...on.parts, fatal });
  watch.watch({
    active: () => replica.router.size,
    mailboxDepth: () => replica.router.waiting().depth,
    mailboxOldestSeconds: () => replica.router.waiting().oldestMs / 1_000,
    parked: () => replica.router.parked(),
    outboxUnpublished: () => replica.site.relay.depth,
    watermarkLag: () => replica.partitions.lag,
  });

  const waiters = new Waiters(systemClock, `notify:${config.replicaId}:${systemRandom.hex(8)}`);
  const peers = httpPeers({ token: config.adminToken, clock: systemClock });
  const { registry, notices, partitions } = on.parts;
  const { sessionTimeoutMs: sessionMs, eventsTopic: events, deadLettersTopic: deadLetters } = config;
  const topics = { lanes: [...lanesOf(config).keys()], events, deadLetters };
  const front = desk({ replica, waiters, peers, registry, archive: on.archive, topics, sessionMs, metrics: watch.metrics });
  replica.site.evidence.forwardBy(async (address, { intent, evidence }) => {
    const key = `evidence:${intent.commandId}:${intent.fence.epoch}`;
    const action = { verb: 'settle', key, commandId: intent.commandId, because: 'evidence in hand', evidence } as const;
    const acted = await front.act(address, action, false);
    return acted.kind === 'acted' || acted.code === 'NOT_FOUND';
  });
  // The admin port first: a start that hangs can be looked at.
  const admin = await startAdmin({ host: config.adminHost, port: config.adminPort, token: config.adminToken, desk: front, log });
  // And the public one before the replica is ready: whoever is told so comes at once. A port that is taken is told before partitions are.
  const http = await startHttp({ host: config.httpHost, port: config.httpPort, rateMax: config.httpRateMax, desk: front, log });
  await replica.start();
  await waiters.start(notices);
  log.info({ http: http.url, admin: admin.url, partitions, group: config.kafkaGroupId }, 'serving');
  // It shows how to use a cash machine: whoever brings actors of their own knows better.
  if (config.embedded && given === undefined)
    process.stderr.write(welcome({ http: http.url, admin: admin.url, device: on.deviceUrl, dataDir: config.dataDir }));
  return {
    async stop() {
      await replica.drain();
      await http.stop();
      await admin.stop();
      await on.stop();
    },
  };
}

/** The cash locations, over a device gateway. */
const cashLocations = (url: string, log: Log): Bound =>
  bind(CashLocation, { dispenseCash: gatewayHandlers({ url, clock: systemClock, log, timeoutMs: REQUEST_MS }) });

/** How to tell of a value: by its variable, and by the file if it was read from one. */
const namedBy = (config: FleetConfig) => (variable: string) => config.origins[variable] ?? variable;
export const redisOf = (config: FleetConfig) => ({ ca: config.redisSslCa, named: namedBy(config) });

export function kafkaOf(config: FleetConfig, log: Log) {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: username, kafkaSaslPassword: password } = config;
  const known = mechanism !== undefined && username !== undefined && password !== undefined;
  return {
    brokers: config.kafkaBrokers,
    clientId: config.kafkaClientId,
    tls: config.kafkaSsl ? { ca: config.kafkaSslCa } : undefined,
    sasl: known ? { mechanism, username, password } : undefined,
    named: namedBy(config),
    log,
    clock: systemClock,
  };
}

/** Customer first: its partitions stand for ownership. */
const lanesOf = ({ commandsTopic, bulkTopic }: Config) =>
  new Map([
    [commandsTopic, 'customer' as const],
    [bulkTopic, 'bulk' as const],
  ]);

/** What a replica stands on. */
type Parts = 'store' | 'registry' | 'notices' | 'leaseStore' | 'writer' | 'partitions' | 'commandLog' | 'refusedByLog' | 'warnings';
type Backing = {
  readonly parts: Pick<ReplicaOptions, Parts>;
  readonly archive: Archive;
  readonly deviceUrl: string;
  stop(): Promise<void>;
};

/** Kafka and Redis, shared with other replicas. */
async function fleet(config: FleetConfig, log: Log): Promise<Backing> {
  const redis = { clock: systemClock, random: systemRandom, log, ...redisOf(config) };
  const kafka = kafkaOf(config, log);
  const lanes = [...lanesOf(config).keys()];
  const { eventsTopic, deadLettersTopic, redisUrl: url, replicaId, sessionTimeoutMs, kafkaGroupId: groupId } = config;
  const store = redisStateStore({ ...redis, url, policy: config.durability === 'relaxed' ? 'relaxed' : 'durable' });
  const leaseStore = redisLeaseStore({ ...redis, urls: config.lockRedisUrls });
  const warnings = config.durability === 'relaxed' ? ['DURABILITY=relaxed: what is acknowledged may be lost with the machine'] : [];
  for (const warning of warnings) log.warn({}, warning);
  const [found] = await allOf([topics(config, log), store.start(), leaseStore.start()]);
  const partitions = await recorded(store, found, config.commandsTopic);
  const parts = {
    store,
    partitions,
    refusedByLog: () => refusedNow(rightsOf(config, log)),
    warnings,
    registry: redisRegistry({ ...redis, url }),
    notices: redisNotices({ ...redis, url }),
    leaseStore,
    writer: kafkaWriter({ ...kafka, eventsTopic, deadLettersTopic }),
    commandLog: ({ mayJoin, before, fatal }: Asked) =>
      kafkaCommandLog({ ...kafka, groupId, replicaId, topics: lanes, sessionTimeoutMs, mayJoin, before, onFatal: fatal }),
  };
  const archive = kafkaArchive(kafka);
  return { parts, archive, deviceUrl: config.deviceUrl, stop: archive.stop };
}

/** Topics as they must be, and the right to use them; answers how many partitions the lanes have. */
async function topics(config: FleetConfig, log: Log): Promise<number> {
  if (config.kafkaSaslMechanism === 'PLAIN' && !config.kafkaSsl)
    log.warn({}, 'KAFKA_SASL_MECHANISM=PLAIN without KAFKA_SSL=true: the password crosses the network in clear');
  const named = rightsOf(config, log);
  await checkRights(named);
  return ensureTopics({ ...named, partitions: config.commandsPartitions });
}

/** Whose rights on what are asked for. */
function rightsOf(config: FleetConfig, log: Log): RightsOptions {
  const { eventsTopic: events, deadLettersTopic: deadLetters, kafkaGroupId: groupId } = config;
  return { ...kafkaOf(config, log), commands: [...lanesOf(config).keys()], events, deadLetters, groupId };
}

/** Waits for all: what must be changed before a start is told at once, not one start after the other. */
async function allOf<const T extends readonly unknown[]>(all: { readonly [K in keyof T]: Promise<T[K]> }): Promise<T> {
  const ended = await Promise.allSettled(all);
  const failed = ended.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  const [first, ...others] = failed.filter((error): error is LocusError => error instanceof LocusError && error.fate === 'stop');
  if (first === undefined && failed.length > 0) throw failed[0];
  if (first === undefined) return Promise.all(all) as unknown as Promise<T>;
  const faults = [first, ...others].flatMap((error) => error.faults);
  throw others.length === 0 ? first : new LocusError(first.code, [first, ...others].map(why).join('; '), { faults });
}

/** One file, and what never leaves the memory of one process: its leases and its hints. */
async function embedded(config: EmbeddedConfig, log: Log, broken: (why: string) => void): Promise<Backing> {
  const { dataDir, eventsTopic, deadLettersTopic, replicaId, sessionTimeoutMs } = config;
  const lanes = [...lanesOf(config).keys()];
  const file = new EmbeddedFile({ path: join(dataDir, 'locus.db'), clock: systemClock, broken });
  file.open();
  const store = embeddedStateStore(file, { random: systemRandom });
  await store.start();
  const partitions = await recorded(store, config.commandsPartitions, 'COMMANDS_PARTITIONS');
  const commands = await EmbeddedLog.open({ file, topics: [...lanes, eventsTopic, deadLettersTopic], partitions });
  const offsets = await commands.offsets(config.kafkaGroupId);
  const group = new Group(partitions, systemClock, offsets);
  const failed = (error: unknown) => log.warn({ why: why(error) }, 'commands that were read are not forgotten yet');
  const forgetting = every(systemClock, FORGET_MS, () => commands.forgetRead(lanes, offsets), failed);
  const common = { clock: systemClock, random: systemRandom, log };
  const gateway =
    config.deviceUrl === undefined
      ? await startSimulatedGateway({ ...common, journalPath: join(dataDir, 'device.journal') })
      : { url: config.deviceUrl, stop: async () => {} };
  const parts = {
    store,
    partitions,
    registry: embeddedRegistry(file),
    notices: memoryNotices(memoryDisk(systemClock)),
    leaseStore: memoryLeaseStore(memoryLocks(systemClock)),
    writer: embeddedWriter(commands, { events: eventsTopic, deadLetters: deadLettersTopic }),
    commandLog: ({ mayJoin, fatal }: Asked) =>
      new Member(commands, group, { replicaId, topics: lanes, sessionTimeoutMs, mayJoin, onFatal: fatal }),
  };
  return {
    parts,
    archive: embeddedArchive(file, commands),
    deviceUrl: gateway.url,
    async stop() {
      forgetting.cancel();
      await gateway.stop();
      file.close();
    },
  };
}

/** What the command log is asked for. */
type Asked = Parameters<ReplicaOptions['commandLog']>[0];

/** The partition count must be the one that the store was filled with, or the program does not start. */
async function recorded(store: StateStore, partitions: number, source: string): Promise<number> {
  const stands = await store.layout('partitions', partitions);
  if (stands === partitions) return partitions;
  const said = `${source} has ${partitions} partitions, the store was filled with ${stands}`;
  throw new LocusError('LAYOUT_CHANGED', `${said}: locations would move to other partitions`);
}

function replicaOptions(config: Config, { log, meters, leaseMargin }: Telemetry, bound: readonly Bound[]) {
  return {
    clock: systemClock,
    random: systemRandom,
    log,
    meters,
    marginMs: leaseMargin,
    definitions: definitions(bound),
    limits: config,
    replicaId: config.replicaId,
    url: config.advertiseUrl,
    group: config.kafkaGroupId,
    source: `locus/${config.kafkaGroupId}`,
    lanes: lanesOf(config),
    leaseTtlMs: config.leaseTtlMs,
    sessionMs: config.sessionTimeoutMs,
  };
}

/** What this life did, for whoever reads its last line after it has left. */
async function counted(watch: Telemetry): Promise<Record<string, number>> {
  const { text } = await watch.metrics();
  const figure = (name: string) => Number(new RegExp(`^locus_${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  return { redelivered: figure('redelivered_total'), recovered: figure('recovered_total'), fenced: figure('fenced_total') };
}

/** SIGTERM and SIGINT end it well; a second one, or `now`, ends it at once with a reason. */
function ending() {
  let tell: (code: number) => void = () => {};
  const asked = new Promise<number>((resolve) => {
    tell = resolve;
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => tell(0));
  return {
    asked,
    now: (reason: string) => {
      process.stderr.write(`locus: ${reason}\n`);
      tell(EXIT_FAILED);
    },
  };
}
