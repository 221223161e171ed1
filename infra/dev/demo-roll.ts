/** What a rollout does to a fleet under load: each replica in turn is told to stop, watched until it has left, and replaced under its own name. */
import { allSettled, type Booked, books, pause, type Show, STILL_MS, showProgress, tell } from './demo-stage.ts';
import { lastWords, type Running, startReplica } from './processes.ts';

/** As a StatefulSet names its pods; it replaces the last one first. */
export const POD_NAMES = ['locus-0', 'locus-1', 'locus-2'];
/** What `minReadySeconds` of the manifests asks for. */
const READY_FOR_MS = 5_000;
/** One command for each location a time: 500 a second in all. */
const EVERY_MS = 400;
/** The fleet keeps up with its load: fewer wait than one time brings. */
const KEEPS_UP = 100;
const LOOK_MS = 10;
const TAKE_OVER_MS = 2_000;

export async function roll(show: Show): Promise<Booked> {
  const end = showProgress(show);
  try {
    show.watch.expect(await show.load.fill());
    const load = keepSending(show);
    for (const name of [...POD_NAMES].reverse()) {
      await keepsUp(show);
      await replace(show, name);
    }
    await load.end();
    await allSettled(show);
  } finally {
    end();
  }
  return books(show, ['--take-over-ms', String(TAKE_OVER_MS)]);
}

/** A steady load: what is waited for is the hand-over, not a backlog. */
function keepSending({ load, watch }: Show): { end(): Promise<void> } {
  let over = false;
  const sending = (async () => {
    while (!over) {
      const next = pause(EVERY_MS);
      watch.expect(await load.send(1));
      await next;
    }
  })();
  return {
    async end() {
      over = true;
      await sending;
    },
  };
}

/** A fleet that has just started is slower than its load for a while: a rollout of that would measure the start. */
async function keepsUp({ watch }: Show): Promise<void> {
  for (const untilMs = Date.now() + STILL_MS; watch.missing().length >= KEEPS_UP || watch.figures.done === 0; await pause())
    if (Date.now() > untilMs) throw new Error(`the fleet did not keep up with its load within ${STILL_MS / 1_000} s`);
}

async function replace(show: Show, name: string): Promise<void> {
  const old = show.replicas.get(name);
  if (old === undefined) throw new Error(`there is no ${name}`);
  tell(`SIGTERM to ${name}`);
  const startedMs = Date.now();
  const since = () => `${((Date.now() - startedMs) / 1_000).toFixed(2)} s`;
  old.signal('SIGTERM');
  show.replicas.delete(name);
  const said = await watchLeaving(old);
  const code = await old.gone;
  tell(`${name}: ready no more (${said}), has left with ${code} after ${since()}`);
  if (code !== 0) throw new Error(`${name} left with ${code}: see ${old.log}`);
  show.redelivered += Number(lastWords(old).redelivered ?? 0);
  show.replicas.set(name, await startReplica(name, show.dir, show.env));
  tell(`${name}: another process under its name is ready after ${since()}`);
  await pause(READY_FOR_MS);
}

/** From SIGTERM on: what `/readyz` said first when it was not well any more. It must say so while the process lives, and never be well again. */
async function watchLeaving(old: Running): Promise<string> {
  let said: string | undefined;
  while (old.isAlive()) {
    const answer = await fetch(`${old.url}/readyz`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
    if (answer?.status === 503) said ??= `503 ${(await answer.text()).trim()}`;
    if (answer?.status === 200 && said !== undefined) throw new Error(`${old.name} said that it was ready again while it left`);
    await pause(LOOK_MS);
  }
  if (said === undefined) throw new Error(`${old.name} left without /readyz saying so`);
  return said;
}
