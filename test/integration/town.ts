/** A town to break: real Kafka, a store and lock nodes of its own, a device gateway and replicas as processes, load, and what came of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Admin, Kafka, logLevel, Partitioners, type Producer } from 'kafkajs';
import { expect, inject } from 'vitest';
import { freePort } from '../../infra/dev/free-port.ts';
import { type RedisServer, startRedisServer } from '../../infra/dev/redis-server.ts';
import { encodeCommand } from '../../src/message/codec.ts';
import { type Device, startDevice } from './device.ts';
import { follow, type Ledger } from './ledger.ts';
import { until } from './until.ts';

export const TTL_MS = 3_000;
export const SESSION_MS = 6_000;
const LOCUS = ['dist/src/cli.js', 'serve'];

export type ReplicaProcess = {
  readonly id: string;
  readonly child: ChildProcess;
  readonly url: string;
  readonly admin: string;
  readonly log: string;
  signal(sig: NodeJS.Signals): void;
  /** Resolves with the exit code, or the signal's name. */
  readonly gone: Promise<number | string>;
  ready(): Promise<boolean>;
  /** Has it logged this message about this address? */
  says(message: string, address: string): boolean;
  /** How often the group has given it partitions so far. */
  assignments(): number;
  metric(name: string): Promise<number>;
};

export type Town = Awaited<ReturnType<typeof town>>;
type Options = { readonly partitions?: number; readonly locations?: number; readonly device?: readonly string[] };

/** What a town that cannot be built had begun is stopped again: nobody else knows of it. */
export async function town(options: Options = {}) {
  const begun: (() => Promise<unknown>)[] = [];
  try {
    return await build(options, begun);
  } catch (error) {
    await Promise.allSettled(begun.map((stop) => stop()));
    throw error;
  }
}

async function build(options: Options, begun: (() => Promise<unknown>)[]) {
  const part = async <T extends { stop(): Promise<unknown> }>(starting: Promise<T>): Promise<T> => {
    const it = await starting;
    begun.push(() => it.stop());
    return it;
  };
  const dir = mkdtempSync(join(tmpdir(), 'locus-town-'));
  const name = `town-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  const brokers = inject('brokers');
  const topics = { commands: `${name}.commands`, events: `${name}.events`, letters: `${name}.letters` };
  const folder = (part: string) => {
    mkdirSync(join(dir, part), { recursive: true });
    return join(dir, part);
  };
  const store = await part(startRedisServer({ dir: folder('store'), durable: true }));
  const locks = await Promise.all([1, 2, 3].map((n) => part(startRedisServer({ dir: folder(`lock-${n}`), durable: false }))));
  const device = await part(startDevice(folder('device'), options.device ?? ['--latency', '5..20']));
  const kafka = new Kafka({ clientId: name, brokers: [brokers], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  const admin = kafka.admin();
  begun.push(
    () => producer.disconnect(),
    () => admin.disconnect(),
  );
  await Promise.all([producer.connect(), admin.connect()]);
  const replicas = new Map<string, ReplicaProcess>();
  const partitions = options.partitions ?? 6;
  let ledger: Ledger | undefined;

  const environment = (id: string, http: number, adminPort: number) => ({
    PATH: process.env.PATH ?? '',
    KAFKA_BROKERS: brokers,
    KAFKA_GROUP_ID: name,
    REDIS_URL: store.url,
    LOCK_REDIS_URLS: locks.map((lock) => lock.url).join(','),
    DEVICE_URL: device.url,
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: String(http),
    ADMIN_PORT: String(adminPort),
    REPLICA_ID: id,
    COMMANDS_TOPIC: topics.commands,
    EVENTS_TOPIC: topics.events,
    DEAD_LETTERS_TOPIC: topics.letters,
    COMMANDS_PARTITIONS: String(partitions),
    LEASE_TTL_MS: String(TTL_MS),
    SESSION_TIMEOUT_MS: String(SESSION_MS),
    PROBE_TIMEOUT_MS: '1000',
    LOG_LEVEL: 'info',
  });

  /** Starts a replica; resolves when it is ready, or at once with `wait: false`. `program`: one that does what `locus serve` does. */
  async function replica(id: string, wait = true, program: readonly string[] = LOCUS): Promise<ReplicaProcess> {
    const [http, adminPort] = [await freePort(), await freePort()];
    const log = join(dir, `${id}-${http}.log`);
    const output = openSync(log, 'a');
    const child = spawn(process.execPath, program, {
      env: environment(id, http, adminPort),
      stdio: ['ignore', output, output],
    });
    const gone = new Promise<number | string>((resolve) => child.once('exit', (code, sig) => resolve(code ?? sig ?? 'gone')));
    const at = `http://127.0.0.1:${adminPort}`;
    const it: ReplicaProcess = {
      id,
      child,
      url: `http://127.0.0.1:${http}`,
      admin: at,
      log,
      signal: (sig) => void child.kill(sig),
      gone,
      ready: () =>
        fetch(`${at}/readyz`, { signal: AbortSignal.timeout(500) }).then(
          (answer) => answer.ok,
          () => false,
        ),
      says: (message, address) =>
        readFileSync(log, 'utf8')
          .split('\n')
          .some((line) => line.includes(`"msg":"${message}"`) && line.includes(`"address":"${address}"`)),
      assignments: () => readFileSync(log, 'utf8').split('"msg":"assigned"').length - 1,
      async metric(metric) {
        const answer = await fetch(`${at}/metrics`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
        const text = (await answer?.text()) ?? '';
        return [...text.matchAll(new RegExp(`^${metric}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].reduce(
          (sum, [, value]) => sum + Number(value),
          0,
        );
      },
    };
    replicas.set(id, it);
    if (wait) await until(`${id} is ready`, () => it.ready(), 30_000);
    return it;
  }

  let sent = 0;
  const ids = Array.from({ length: options.locations ?? 50 }, (_, n) => `L${n}`);
  type Sent = { readonly address: string; readonly commandId: string; readonly name: string };
  const commandOf = (id: string, command: string, input: unknown, commandId = `c-${++sent}`) => ({
    sent: { address: `cash-location/${id}`, commandId, name: command },
    message: encodeCommand({
      address: `cash-location/${id}`,
      name: command,
      commandId,
      input,
      source: 'town',
      time: new Date().toISOString(),
    }),
  });
  async function send(...commands: ReturnType<typeof commandOf>[]): Promise<Sent[]> {
    await producer.send({ topic: topics.commands, acks: -1, messages: commands.map(({ message }) => ({ ...message })) });
    return commands.map((command) => command.sent);
  }
  const fill = () =>
    send(...ids.map((id) => commandOf(id, 'load', { currency: 'USD', cassettes: [{ denomination: 2000, count: 5_000 }] })));
  /** A round of commands over all locations: dispenses for the most part. */
  const round = (rounds = 1, over: readonly string[] = ids) =>
    send(
      ...Array.from({ length: rounds }).flatMap((_, n) =>
        over.map((id, at) =>
          (n + at) % 4 === 3
            ? commandOf(id, 'load', { currency: 'USD', cassettes: [{ denomination: 2000, count: 1 }] })
            : commandOf(id, 'dispense', { amount: 2000 * (1 + ((n + at) % 3)), currency: 'USD' }),
        ),
      ),
    );

  /** The events so far; begun on the first call, so that topics exist. */
  const book = async () => {
    ledger ??= await follow(kafka, topics, `${name}-ledger`);
    return ledger;
  };
  /** Waits until each of these has its one final outcome, the load stopped. */
  async function settled(commands: readonly Sent[], limitMs = 60_000): Promise<void> {
    const events = await book();
    await until(`${commands.length} outcomes`, async () => events.missing(commands).length === 0, limitMs).catch((error: unknown) => {
      throw new Error(
        `${events.missing(commands).length} without an outcome, such as ${JSON.stringify(events.missing(commands).slice(0, 3))}`,
        { cause: error },
      );
    });
  }
  /** Cash and books agree: one outcome each, gapless events, the device moved what is booked and nothing twice. */
  async function audit(commands: readonly Sent[]): Promise<void> {
    const events = await book();
    expect(events.missing(commands)).toEqual([]);
    expect(events.faults()).toEqual([]);
    const moved = await device.moved();
    const booked = events.booked();
    expect([...moved.keys()].filter((key) => !booked.has(key))).toEqual([]);
    for (const [key, notes] of booked) expect({ key, notes: moved.get(key) ?? {} }).toEqual({ key, notes });
  }

  /** One line for the log; `more` holds what only this fault raises. */
  async function figures(killed: number, more: Readonly<Record<string, number>> = {}) {
    const alive = [...replicas.values()].filter((it) => it.child.exitCode === null && it.child.signalCode === null);
    const sum = async (metric: string) => (await Promise.all(alive.map((it) => it.metric(metric)))).reduce((a, b) => a + b, 0);
    const it = {
      killed,
      fenced: await sum('locus_fenced_total'),
      redelivered: await sum('locus_redelivered_total'),
      recovered: await sum('locus_recovered_total'),
    };
    const figure = Object.entries({ ...it, ...more }).map(([name, count]) => `${name}=${count}`);
    process.stdout.write(`fault: ${expect.getState().currentTestName?.split('fault: ').at(-1)}: ${figure.join(' ')}\n`);
    return it;
  }

  async function stop(): Promise<void> {
    await Promise.all(
      [...replicas.values()].map(async (it) => {
        it.signal('SIGKILL');
        await it.gone;
      }),
    );
    await ledger?.stop();
    await Promise.all([
      producer.disconnect(),
      admin.deleteTopics({ topics: [...Object.values(topics), `${topics.commands}.bulk`] }).catch(() => {}),
      device.stop(),
      store.stop(),
      ...locks.map((lock) => lock.stop()),
    ]);
    await admin.disconnect();
    if (process.env.KEEP === undefined) rmSync(dir, { recursive: true, force: true });
  }

  return {
    dir,
    name,
    brokers,
    topics,
    store,
    locks,
    device,
    kafka,
    producer,
    admin,
    replica,
    replicas,
    ids,
    commandOf,
    send,
    fill,
    round,
    book,
    settled,
    audit,
    figures,
    stop,
  } satisfies {
    readonly store: RedisServer;
    readonly device: Device;
    readonly producer: Producer;
    readonly admin: Admin;
    [part: string]: unknown;
  };
}
