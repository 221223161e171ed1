/** What the demo does to a fleet under full load: one replica is stopped, another is killed with cash on its way and comes back. */
import { allSettled, type Booked, books, pause, type Show, STILL_MS, showProgress, tell } from './demo-stage.ts';
import { lastWords, metric, type Running, startReplica } from './processes.ts';

const COMMANDS = 21_000;
/** A replica is only taken away while at least this many of its intents are open. */
const OPEN_INTENTS = 20;
/** More is sent while fewer than this wait and a replica is still to be taken away. */
const BACKLOG_MIN = 6_000;

export async function breakOff(show: Show): Promise<Booked> {
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
  for (const untilMs = Date.now() + STILL_MS; Date.now() < untilMs; await pause()) {
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
