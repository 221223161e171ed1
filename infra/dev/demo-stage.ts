/** What the demo plays on: Kafka, the store, lock nodes, a device and three replicas on this machine; the load, the watch over it, and the books at the end. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { outsideOf, startBacking } from './backing.ts';
import { type Load, startLoad } from './demo-load.ts';
import { startWatch, type Watch } from './demo-watch.ts';
import { metric, type Running, startGateway, startReplica } from './processes.ts';

const LOCATIONS = 200;
const PARTITIONS = 12;
const DEVICE_MS = '5..50';
/** Nothing moves any more after this long. */
export const STILL_MS = 90_000;
const TICK_MS = 50;

/** With --json standard output holds the books and nothing else. */
const isJson = process.argv.includes('--json');
export const say = (line: string) => (isJson ? process.stderr : process.stdout).write(`${line}\n`);
/** What was told, for whoever draws a picture of it. */
export const said: { readonly atMs: number; readonly what: string }[] = [];
export function tell(what: string): void {
  said.push({ atMs: Date.now(), what });
  say(`→ ${new Date().toISOString().slice(11, 23)} ${what}`);
}
export const pause = (ms = TICK_MS) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export type Show = {
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

export async function raise(
  dir: string,
  environment: NodeJS.ProcessEnv,
  ids: readonly string[],
  ends: (() => Promise<unknown>)[],
): Promise<Show> {
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
    BULK_TOPIC: `${run}.commands.bulk`,
    EVENTS_TOPIC: `${run}.events`,
    DEAD_LETTERS_TOPIC: `${run}.dead-letters`,
    COMMANDS_PARTITIONS: String(PARTITIONS),
    LOG_LEVEL: 'info',
  };
  const replicas = new Map<string, Running>();
  ends.push(() => Promise.all([...replicas.values()].map(leave)));
  await Promise.all(ids.map(async (id) => replicas.set(id, await startReplica(id, dir, env))));
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

export async function allSettled({ watch }: Show): Promise<void> {
  let left = watch.missing().length;
  let movedMs = Date.now();
  while (left > 0) {
    await pause();
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

export function showProgress(show: Show): () => void {
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

export type Booked = { readonly code: number; readonly text: string };
/** In a process of their own: they share nothing with what they check. `more`: what else they are to look at. Answers what they said as well. */
export async function books(show: Show, more: readonly string[] = []): Promise<Booked> {
  progress(show);
  for (const replica of show.replicas.values()) show.redelivered += await metric(replica, 'locus_redelivered_total');
  const { env, gateway, load, redelivered } = show;
  const { records, dispenses, malformed } = load.figures;
  say(`\nsent: ${records} records, ${dispenses} of them dispenses, ${malformed} malformed`);
  const program = fileURLToPath(new URL('./books-run.js', import.meta.url));
  const topics = [
    '--commands',
    `${env.COMMANDS_TOPIC},${env.BULK_TOPIC}`,
    '--events',
    env.EVENTS_TOPIC,
    '--dead-letters',
    env.DEAD_LETTERS_TOPIC,
  ];
  const asked = ['--brokers', env.KAFKA_BROKERS, ...topics, '--journal', gateway.journal, '--redelivered', String(redelivered)];
  const args = [...asked, ...(isJson ? ['--json'] : []), ...more];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, ...(args as string[])], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (some: string) => {
      text += some;
      process.stdout.write(some);
    });
    child.once('close', (code) => resolve({ code: code ?? 1, text }));
  });
}
