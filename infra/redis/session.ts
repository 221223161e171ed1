/** The state store's connection and what may be asked through it: each script call ends as an answer or as a named trouble, never as a throw. */
import { type Fault, LocusError, linkRefused, why } from '../../src/errors.ts';
import type { Down, Log, NewLife, Unanswered } from '../../src/ports.ts';
import { type Live, NO_CONNECTION, RedisConnection, type RedisOptions } from './connection.ts';
import { checkPolicy, type Policy } from './policy.ts';
import { answered, databaseOf, forbidden, type Link, rightsFault } from './refusals.ts';
import { lackingRights, STORE } from './rights.ts';
import { evaluate, type Incarnation, lifeIn, loadScripts, reload, type ScriptName } from './scripts.ts';

const DOWN: Down = { kind: 'down', why: NO_CONNECTION };
const NEW_LIFE: NewLife = { kind: 'new-life' };
export type Failure = Down | Unanswered | NewLife;
/** What a script answered: text, or a list that begins with a word. */
export type Answer = { readonly kind: 'answer'; readonly value: unknown } | Failure;

export type Session = Pick<RedisConnection<Incarnation>, 'start' | 'stop' | 'trouble'> & {
  life(): string | undefined;
  /** Bound to `life`: under another one nothing is sent. */
  run(life: string, script: ScriptName, keys: readonly string[], values: readonly string[]): Promise<Answer>;
  /** A plain read; rejects with STORE_DOWN. */
  read<T>(ask: (client: Live<Incarnation>['client']) => Promise<T>): Promise<T>;
};

/** Redis reads 16 kB of a connection, then syncs, then reads on: over one alone a burst of commits takes several syncs. */
const LINES = 3;

/** What is said of one key goes over one line, in order; lines keep no order among each other, and nothing here needs one. */
export function redisSession(options: RedisOptions & Policy, returned: (life: string) => void): Session {
  const { log } = options;
  const lines: readonly Session[] = Array.from({ length: LINES }, (_, n) =>
    redisLine({ ...options, log: voice(n) }, () => {
      const now = life();
      // Told once the last of them is back.
      if (now !== undefined) returned(now);
    }),
  );
  const [first] = lines as readonly [Session, ...Session[]];
  /** That of all lines, or none: what is answered under it can be asked over each of them. */
  const life = () => (lines.every((line) => line.life() === first.life()) ? first.life() : undefined);
  const each = (ask: (line: Session) => Promise<void>) => Promise.all(lines.map(ask)).then(() => {});
  /** What befalls the server befalls all lines, and is told once: by the first of those that are down. */
  function voice(n: number): Log {
    const kind = (loud: 'info' | 'warn') => (lines.slice(0, n).every((line) => line.life() !== undefined) ? loud : 'debug');
    return {
      ...{ debug: log.debug.bind(log), error: log.error.bind(log) },
      info: (fields, message) => log[kind('info')](fields, message),
      warn: (fields, message) => log[kind('warn')](fields, message),
    };
  }
  return {
    async start() {
      try {
        await each((line) => line.start());
      } catch (error) {
        await each((line) => line.stop());
        throw error;
      }
    },
    stop: () => each((line) => line.stop()),
    trouble: () => lines.map((line) => line.trouble()).find((it) => it !== undefined),
    life,
    run: (life, script, keys, values) => (lines[lineOf(keys[0] ?? '')] as Session).run(life, script, keys, values),
    read: (ask) => first.read(ask),
  };
}

/** Ids differ at their ends. */
function lineOf(key: string): number {
  return (key.charCodeAt(key.length - 1) + key.charCodeAt(key.length - 2)) % LINES || 0;
}

function redisLine(options: RedisOptions & Policy, returned: (life: string) => void): Session {
  const { log } = options;
  const connection = new RedisConnection(
    options,
    (client) => greet(client, options, log),
    (live) => returned(live.learned.life),
  );

  async function attempt(live: Live<Incarnation>, script: ScriptName, keys: readonly string[], values: readonly string[], again: boolean) {
    try {
      return { kind: 'answer' as const, value: await evaluate(live.client, live.learned, script, keys, values) };
    } catch (error) {
      if (!answered(error)) return unanswered(live, error);
      if (error.message.startsWith('NOSCRIPT') && !again) return repeat(live, script, keys, values);
      // What is lacking is told by the greeting of the next connection, and until then nothing is promised.
      if (error.message.startsWith('READONLY') || forbidden(error)) connection.drop(live);
      log.error({ script, why: error.message }, 'Redis refused a script');
      return { kind: 'down' as const, why: error.message };
    }
  }

  /** The scripts were flushed, or another process answers here. */
  async function repeat(live: Live<Incarnation>, script: ScriptName, keys: readonly string[], values: readonly string[]): Promise<Answer> {
    try {
      if (await reload(live.client, live.learned, script)) return attempt(live, script, keys, values, true);
    } catch (error) {
      connection.drop(live);
      return { kind: 'down', why: why(error) };
    }
    connection.drop(live);
    return NEW_LIFE;
  }

  function unanswered(live: Live<Incarnation>, error: unknown): Unanswered {
    connection.drop(live);
    return { kind: 'unanswered', why: why(error) };
  }

  return {
    start: () => connection.start(),
    stop: () => connection.stop(),
    trouble: () => connection.trouble(),
    life: () => connection.live()?.learned.life,
    run(life, script, keys, values) {
      const live = connection.sending();
      if (live === undefined) return Promise.resolve(DOWN);
      return live.learned.life === life ? attempt(live, script, keys, values, false) : Promise.resolve(NEW_LIFE);
    },
    read: (work) => connection.ask(work),
  };
}

async function greet(client: Live<unknown>['client'], policy: Policy & Link, log: Log): Promise<Incarnation> {
  const lacking = await lackingRights(client, STORE, databaseOf(policy.url));
  const info = await client.info().catch((error: unknown) => {
    if (answered(error)) return error;
    throw error;
  });
  const life = info instanceof Error ? undefined : lifeIn(info);
  const loaded = life === undefined ? undefined : loadScripts(client, life);
  loaded?.catch(() => {});
  if (typeof info === 'string' && /^loading:1/m.test(info)) throw new LocusError('STORE_DOWN', 'Redis is still loading its log');
  const judged = checkPolicy(client, info, policy, log);
  if (lacking.length > 0) throw linkRefused([rightsFault(policy, lacking), ...(await judged.then(() => [], faultsOf))]);
  await judged;
  if (loaded === undefined) throw new LocusError('STORE_DOWN', 'Redis does not say its run_id');
  return loaded;
}

function faultsOf(error: unknown): readonly Fault[] {
  if (error instanceof LocusError) return error.faults;
  throw error;
}
