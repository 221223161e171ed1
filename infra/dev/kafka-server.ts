/** A real Kafka broker on loopback: one KRaft node that is its own controller. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { kafkaJars } from './kafka-jars.ts';
import { end, launched, type Server, server } from './server.ts';
import { tool } from './tools.ts';

const READY_WITHIN_MS = 60_000;
const ATTEMPTS = 3;

/** One quick compiler and one collector: as fast as the defaults under load here, with half of their CPU in the first minute. */
const JVM = ['-Xmx512m', '-Xms128m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];

export type KafkaServer = Server & { readonly brokers: string };

/** What a broker has beside a plain listener. */
export type More = {
  /** Such as `SASL_SSL://127.0.0.1:9093`. */
  readonly listeners: readonly string[];
  /** Lines of server.properties, asked for at each launch. */
  readonly settings: () => readonly string[];
  /** Arguments of StorageTool format, such as `--add-scram`. */
  readonly format: readonly string[];
};
const NO_MORE: More = { listeners: [], settings: () => [], format: [] };

/** Listens on `port`, or on a free one; its output goes to kafka.log in `dir`. */
export async function startKafkaServer(it: { readonly dir: string; readonly port?: number; readonly more?: More }): Promise<KafkaServer> {
  const more = it.more ?? NO_MORE;
  const made = await server((port) => begin(it.dir, port, more), it.port);
  return Object.assign(made, { brokers: `127.0.0.1:${made.port}` });
}

/** A free port may be taken between asking and listening: then another one is tried. */
async function begin(dir: string, port: number | undefined, more: More): Promise<{ port: number; child: ChildProcess }> {
  for (let attempt = 1; ; attempt++) {
    const at = port ?? (await freePort());
    const child = launch(dir, at, await freePort(), more);
    if (await ready(child, at)) return { port: at, child };
    await end(child, 'SIGKILL');
    if (attempt === ATTEMPTS) throw new Error(`kafka did not answer on 127.0.0.1:${at}: see ${join(dir, 'kafka.log')}`);
  }
}

const settings = (dir: string, port: number, controllerPort: number, more: More): string =>
  [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
    `listeners=${[`PLAINTEXT://127.0.0.1:${port}`, ...more.listeners, `CONTROLLER://127.0.0.1:${controllerPort}`].join(',')}`,
    `advertised.listeners=${[`PLAINTEXT://127.0.0.1:${port}`, ...more.listeners].join(',')}`,
    'controller.listener.names=CONTROLLER',
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL',
    `log.dirs=${join(dir, 'kafka-data')}`,
    // One node: nothing can have a second replica.
    'offsets.topic.replication.factor=1',
    'offsets.topic.num.partitions=4',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'transaction.state.log.num.partitions=4',
    'share.coordinator.state.topic.replication.factor=1',
    'share.coordinator.state.topic.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
    'auto.create.topics.enable=false',
    // A broker that returns after a kill may register only when its former life's session is over.
    'broker.session.timeout.ms=2000',
    'broker.heartbeat.interval.ms=500',
    // Its default buffer is a quarter of our heap.
    'log.cleaner.dedupe.buffer.size=2097152',
    ...more.settings(),
    '',
  ].join('\n');

function launch(dir: string, port: number, controllerPort: number, more: More): ChildProcess {
  const java = tool('java');
  const classPath = join(kafkaJars(), '*');
  const config = join(dir, 'server.properties');
  writeFileSync(config, settings(dir, port, controllerPort, more));
  if (!existsSync(join(dir, 'kafka-data', 'meta.properties'))) {
    const format = ['kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', config, ...more.format];
    execFileSync(java, [...JVM, '-cp', classPath, ...format], { stdio: ['ignore', 'ignore', 'pipe'] });
  }
  return launched(java, [...JVM, '-cp', classPath, 'kafka.Kafka', config], join(dir, 'kafka.log'));
}

/** 16 bytes in base64url, as Kafka demands; every cluster here has one node, so that the name need not differ. */
const CLUSTER_ID = 'bG9jdXMtZGV2LWthZmthMQ';

async function ready(child: ChildProcess, port: number): Promise<boolean> {
  const tries = READY_WITHIN_MS / 50;
  for (let n = 0; n < tries && child.exitCode === null; n++) {
    if (await knowsItself(port)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

/** Metadata v1 about no topic: a broker that serves names itself among the brokers, one that still starts names nobody. */
function knowsItself(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(METADATA));
    const answer = (it: boolean) => {
      socket.destroy();
      resolve(it);
    };
    // The answer: its size, the correlation id, then how many brokers there are.
    socket.once('data', (data) => answer(data.length >= 12 && data.readInt32BE(8) > 0));
    socket.once('error', () => answer(false));
    socket.once('close', () => answer(false));
    socket.setTimeout(1_000, () => answer(false));
  });
}

/** Size 14: api 3, version 1, correlation id 1, no client id, no topics. */
const METADATA = Buffer.from([0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0]);
