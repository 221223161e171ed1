/** `npm run demo`: a fleet on this machine moves cash while a replica is stopped and another killed; then the books are drawn up. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { outsideOf, startBacking } from './backing.ts';
import { type Load, startLoad } from './demo-load.ts';
import { startWatch, type Watch } from './demo-watch.ts';
import { lastWords, metric, type Running, startGateway, startReplica } from './processes.ts';

const LOCATIONS = 200;
const COMMANDS = 21_000;
const PARTITIONS = 12;
const DEVICE_MS = '5..50';
/** A replica is only taken away while at least this many of its intents are open. */
const OPEN_INTENTS = 20;
/** More is sent while fewer than this wait and a replica is still to be taken away. */
const BACKLOG_MIN = 6_000;
const STILL_MS = 90_000;
const TICK_MS = 50;

/** With --json standard output holds the books and nothing else. */
const isJson = process.argv.includes('--json');
const say = (line: string) => (isJson ? process.stderr : process.stdout).write(`${line}\n`);
const tell = (what: string) => say(`→ ${new Date().toISOString().slice(11, 23)} ${what}`);
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

type Show = {
  readonly dir: string;
  readonly run: string;
  readonly env: Readonly<Record<string, string>>;
  readonly load: Load;
  readonly watch: Watch;
  readonly gateway: Running & { readonly journal: string };
  readonly replicas: Map<string, Running>;
  /** Redelivered records as counted by replicas that left. */
  redelivered: number;
};

async function demo(environment: NodeJS.ProcessEnv): Promise<number> {
  const parent = join(process.cwd(), '.services');
  mkdirSync(parent, { recursive: true });
  const dir = mkdtempSync(join(parent, 'demo-'));
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const show = await raise(dir, environment, ends);
    const code = await perform(show);
    if (code === 0) rmSync(join(dir), { recursive: true, force: true });
    else say(`logs and the device's journal are kept in ${dir}`);
    return code;
  } finally {
    for (const end of ends.reverse()) await end().catch((error: unknown) => say(String(error)));
    rmSync(join(dir, 'kafka'), { recursive: true, force: true });
  }
}

async function raise(dir: string, environment: NodeJS.ProcessEnv, ends: (() => Promise<unknown>)[]): Promise<Show> {
  say('starting Kafka, the store, three lock nodes, a device gateway and three replicas');
  const backing = await startBacking(dir, outsideOf(environment));
  ends.push(() => backing.stop());
  const gateway = await startGateway(dir, DEVICE_MS);
  ends.push(() => leave(gateway));
  const run = `demo-${Date.now().toString(36)}`;
  const env = {
    ...backing.env,
    DEVICE_URL: gateway.url,
    KAFKA_GROUP_ID: run,
    COMMANDS_TOPIC: `${run}.commands`,
    EVENTS_TOPIC: `${run}.events`,
    DEAD_LETTERS_TOPIC: `${run}.dead-letters`,
    COMMANDS_PARTITIONS: String(PARTITIONS),
    LOG_LEVEL: 'info',
  };
  const replicas = new Map<string, Running>();
  ends.push(() => Promise.all([...replicas.values()].map(leave)));
  await Promise.all(['a', 'b', 'c'].map(async (id) => replicas.set(id, await startReplica(id, dir, env))));
  const watch = await startWatch(env.KAFKA_BROKERS, env.EVENTS_TOPIC);
  ends.push(() => watch.stop());
  const locations = Array.from({ length: LOCATIONS }, (_, n) => `${run}-${String(n + 1).padStart(3, '0')}`);
  const load = await startLoad(env.KAFKA_BROKERS, env.COMMANDS_TOPIC, locations);
  ends.push(() => load.stop());
  return { dir, run, env, load, watch, gateway, replicas, redelivered: 0 };
}

async function leave(running: Running): Promise<void> {
  running.signal('SIGTERM');
  await running.gone;
}

async function perform(show: Show): Promise<number> {
  const end = showProgress(show);
  try {
    show.watch.expect(await show.load.fill());
    show.watch.expect(await show.load.send(COMMANDS));
    await stopOne(show);
    await killAnother(show);
    await allSettled(show);
  } finally {
    end();
  }
  progress(show);
  for (const replica of show.replicas.values()) show.redelivered += await metric(replica, 'locus_redelivered_total');
  const { records, dispenses, malformed } = show.load.figures;
  say(`\nsent: ${records} records, ${dispenses} of them dispenses, ${malformed} malformed`);
  return books(show);
}

async function stopOne(show: Show): Promise<void> {
  const replica = await busiest(show, 'SIGTERM');
  tell(`SIGTERM to ${replica.name}`);
  const code = await replica.gone;
  const { redelivered } = lastWords(replica);
  show.redelivered += Number(redelivered ?? 0);
  tell(`${replica.name} has left with ${code}`);
}

async function killAnother(show: Show): Promise<void> {
  const replica = await busiest(show, 'SIGKILL');
  const id = replica.name.replace('replica-', '');
  tell(`kill -9 ${replica.name}, and in its place another process`);
  await replica.gone;
  show.replicas.set(id, await startReplica(id, show.dir, show.env));
  tell(`${replica.name} is back`);
}

/** Sends more until one replica has enough intents open, and signals it that very moment. */
async function busiest(show: Show, signal: NodeJS.Signals): Promise<Running> {
  for (const untilMs = Date.now() + STILL_MS; Date.now() < untilMs; await pause(TICK_MS)) {
    if (show.watch.missing().length < BACKLOG_MIN) show.watch.expect(await show.load.send(BACKLOG_MIN));
    for (const [id, replica] of show.replicas) {
      const open = await metric(replica, 'locus_open_intents');
      if (open < OPEN_INTENTS) continue;
      replica.signal(signal);
      show.replicas.delete(id);
      tell(`${open} intents are open on ${replica.name}`);
      return replica;
    }
  }
  throw new Error(`no replica had ${OPEN_INTENTS} intents open within ${STILL_MS / 1_000} s`);
}

async function allSettled({ watch }: Show): Promise<void> {
  let left = watch.missing().length;
  let movedMs = Date.now();
  while (left > 0) {
    await pause(TICK_MS);
    const now = watch.missing().length;
    if (now !== left) movedMs = Date.now();
    left = now;
    if (Date.now() - movedMs < STILL_MS) continue;
    // The books say what is missing: that is what they are for.
    say(
      `\nnothing has moved for ${STILL_MS / 1_000} s and ${left} commands have no outcome, such as ${watch.missing().slice(0, 3).join(', ')}`,
    );
    return;
  }
}

function showProgress(show: Show): () => void {
  const timer = setInterval(() => progress(show), 1_000);
  return () => clearInterval(timer);
}

let startedMs = 0;
function progress({ load, watch, replicas }: Show): void {
  startedMs ||= Date.now();
  const { done, refused } = watch.figures;
  const names = [...replicas.keys()].join(' ');
  const parts = [
    `${((Date.now() - startedMs) / 1_000).toFixed(0)} s`,
    `sent ${load.figures.records}`,
    `done ${done}`,
    `refused ${refused}`,
  ];
  say([...parts, `open intents ${watch.open()}`, `waiting ${watch.missing().length}`, `replicas ${names}`].join('  '));
}

/** In a process of their own: they share nothing with what they check. */
function books({ env, gateway, redelivered }: Show): Promise<number> {
  const program = fileURLToPath(new URL('./books-run.js', import.meta.url));
  const topics = ['--commands', env.COMMANDS_TOPIC, '--events', env.EVENTS_TOPIC, '--dead-letters', env.DEAD_LETTERS_TOPIC];
  const args = [
    '--brokers',
    env.KAFKA_BROKERS,
    ...topics,
    '--journal',
    gateway.journal,
    '--redelivered',
    String(redelivered),
    ...(isJson ? ['--json'] : []),
  ];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, ...(args as string[])], { stdio: 'inherit' });
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

// What is still running is killed by its starters when this process exits.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
demo(process.env).then(
  (code) => process.exit(code),
  (error: unknown) => {
    say(error instanceof Error ? error.message : String(error));
    process.exit(1);
  },
);
