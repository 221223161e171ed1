/** Puts a replica together from its parts and runs it until it is told to stop. One of the two files that know everybody. */
import { readFileSync } from 'node:fs';
import { CashLocation } from '../actors/cash-location/actor.ts';
import { gatewayHandlers } from '../infra/device/gateway-client.ts';
import { startAdmin } from '../infra/http/admin.ts';
import { httpPeers } from '../infra/http/peers.ts';
import { startHttp } from '../infra/http/server.ts';
import { kafkaCommandLog } from '../infra/kafka/consumer.ts';
import { kafkaWriter } from '../infra/kafka/producer.ts';
import { ensureTopics } from '../infra/kafka/topics.ts';
import { redisLeaseStore } from '../infra/redis/lease-store.ts';
import { redisNotices } from '../infra/redis/notices.ts';
import { redisRegistry } from '../infra/redis/registry.ts';
import { redisStateStore } from '../infra/redis/state-store.ts';
import { type Bound, bind } from './actor.ts';
import { systemClock } from './clock.ts';
import type { Config } from './config.ts';
import { LocusError, why } from './errors.ts';
import type { Log, StateStore } from './ports.ts';
import { systemRandom } from './random.ts';
import { definitions } from './runtime/definition.ts';
import { desk } from './runtime/desk.ts';
import { Replica } from './runtime/replica.ts';
import { type Telemetry, telemetry } from './runtime/telemetry.ts';
import { Waiters } from './runtime/waiters.ts';

/** sysexits.h EX_CONFIG: the operator must change something before it can start. */
const EXIT_CONFIG = 78;
const EXIT_FAILED = 1;
/** A dispense takes its time at the machine; the effect itself ends after 20 s. */
const REQUEST_MS = 20_000;

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

async function start(
  config: Config,
  watch: Telemetry,
  fatal: (why: string) => void,
  bound: readonly Bound[] = [cashLocations(config, watch.log)],
) {
  const { log } = watch;
  const common = { clock: systemClock, random: systemRandom, log };
  const store = redisStateStore({ ...common, url: config.redisUrl, policy: config.durability === 'relaxed' ? 'relaxed' : 'durable' });
  if (config.durability === 'relaxed') log.warn({}, 'DURABILITY=relaxed: what is acknowledged may be lost with the machine');
  await store.start();
  const partitions = await layout(config, log, store);
  const registry = redisRegistry({ ...common, url: config.redisUrl });
  const notices = redisNotices({ ...common, url: config.redisUrl });
  const replica = new Replica({ ...replicaOptions(config, watch, partitions, bound), store, registry, notices, fatal });
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
  const { sessionTimeoutMs: sessionMs } = config;
  const front = desk({ replica, waiters, peers, registry, sessionMs, metrics: watch.metrics });
  replica.site.evidence.forwardBy(async (address, { intent, evidence }) => {
    const key = `evidence:${intent.commandId}:${intent.fence.epoch}`;
    const action = { verb: 'settle', key, commandId: intent.commandId, because: 'evidence in hand', evidence } as const;
    const acted = await front.act(address, action, false);
    return acted.kind === 'acted' || acted.code === 'NOT_FOUND';
  });
  // The admin port first: a start that hangs can be looked at.
  const admin = await startAdmin({ host: config.adminHost, port: config.adminPort, token: config.adminToken, desk: front, log });
  await replica.start();
  await waiters.start(notices);
  const http = await startHttp({ host: config.httpHost, port: config.httpPort, desk: front, log });
  log.info({ http: http.url, admin: admin.url, partitions, group: config.kafkaGroupId }, 'serving');
  return {
    async stop() {
      await replica.drain();
      await http.stop();
      await admin.stop();
    },
  };
}

/** The cash locations, over the device gateway of the configuration. */
const cashLocations = (config: Config, log: Log): Bound =>
  bind(CashLocation, { dispenseCash: gatewayHandlers({ url: config.deviceUrl, clock: systemClock, log, timeoutMs: REQUEST_MS }) });

const kafkaOf = (config: Config, log: Log) => ({ brokers: config.kafkaBrokers, clientId: config.kafkaClientId, log, clock: systemClock });

/** Customer first: its partitions stand for ownership. */
const lanesOf = ({ commandsTopic, bulkTopic }: Config) =>
  new Map([
    [commandsTopic, 'customer' as const],
    [bulkTopic, 'bulk' as const],
  ]);

/** Topics as they must be; their partition count is the one the store was filled with, or the program does not start. */
async function layout(config: Config, log: Log, store: StateStore): Promise<number> {
  const { commandsTopic, eventsTopic: events, deadLettersTopic: deadLetters, commandsPartitions } = config;
  const lanes = [...lanesOf(config).keys()];
  const partitions = await ensureTopics({ ...kafkaOf(config, log), commands: lanes, events, deadLetters, partitions: commandsPartitions });
  const recorded = await store.layout('partitions', partitions);
  if (recorded === partitions) return partitions;
  const said = `${commandsTopic} has ${partitions} partitions, the store was filled with ${recorded}`;
  throw new LocusError('LAYOUT_CHANGED', `${said}: locations would move to other partitions`);
}

function replicaOptions(config: Config, { log, meters, leaseMargin }: Telemetry, partitions: number, bound: readonly Bound[]) {
  const common = { clock: systemClock, random: systemRandom, log };
  const kafka = kafkaOf(config, log);
  const lanes = lanesOf(config);
  const { replicaId, sessionTimeoutMs, kafkaGroupId: groupId } = config;
  return {
    ...common,
    meters,
    marginMs: leaseMargin,
    leaseStore: redisLeaseStore({ ...common, urls: config.lockRedisUrls }),
    writer: kafkaWriter({ ...kafka, eventsTopic: config.eventsTopic, deadLettersTopic: config.deadLettersTopic }),
    definitions: definitions(bound),
    limits: config,
    replicaId,
    url: config.advertiseUrl,
    group: groupId,
    source: `locus/${groupId}`,
    lanes,
    leaseTtlMs: config.leaseTtlMs,
    sessionMs: sessionTimeoutMs,
    partitions,
    commandLog: (asked: { readonly mayJoin: () => Promise<boolean>; readonly fatal: (why: string) => void }) =>
      kafkaCommandLog({
        ...kafka,
        groupId,
        replicaId,
        topics: [...lanes.keys()],
        sessionTimeoutMs,
        mayJoin: asked.mayJoin,
        onFatal: asked.fatal,
      }),
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
