/** The state store's connection and what may be asked through it: each script call ends as an answer or as a named trouble, never as a throw. */
import { LocusError, why } from '../../src/errors.ts';
import type { Down, Log, NewLife, Unanswered } from '../../src/ports.ts';
import { answered, type Live, NO_CONNECTION, RedisConnection, type RedisOptions } from './connection.ts';
import { checkPolicy, type Policy } from './policy.ts';
import { evaluate, type Incarnation, lifeIn, loadScripts, reload, type ScriptName } from './scripts.ts';

const DOWN: Down = { kind: 'down', why: NO_CONNECTION };
const NEW_LIFE: NewLife = { kind: 'new-life' };
export type Failure = Down | Unanswered | NewLife;
/** What a script answered: text, or a list that begins with a word. */
export type Answer = { readonly kind: 'answer'; readonly value: unknown } | Failure;

export type Session = Pick<RedisConnection<Incarnation>, 'start' | 'stop'> & {
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
  const lines: readonly Session[] = Array.from({ length: LINES }, () =>
    redisLine(options, () => {
      const now = life();
      // Told once the last of them is back.
      if (now !== undefined) returned(now);
    }),
  );
  const [first] = lines as readonly [Session, ...Session[]];
  /** That of all lines, or none: what is answered under it can be asked over each of them. */
  const life = () => (lines.every((line) => line.life() === first.life()) ? first.life() : undefined);
  return {
    async start() {
      await Promise.all(lines.map((line) => line.start()));
    },
    async stop() {
      await Promise.all(lines.map((line) => line.stop()));
    },
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
      if (error.message.startsWith('READONLY')) connection.drop(live);
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
    life: () => connection.live()?.learned.life,
    async run(life, script, keys, values) {
      const live = connection.sending();
      if (live === undefined) return DOWN;
      return live.learned.life === life ? attempt(live, script, keys, values, false) : NEW_LIFE;
    },
    read: (work) => connection.ask(work),
  };
}

async function greet(client: Live<unknown>['client'], policy: Policy, log: Log): Promise<Incarnation> {
  const info = await client.info().catch((error: unknown) => {
    if (answered(error)) return error;
    throw error;
  });
  const life = info instanceof Error ? undefined : lifeIn(info);
  const loaded = life === undefined ? undefined : loadScripts(client, life);
  loaded?.catch(() => {});
  if (typeof info === 'string' && /^loading:1/m.test(info)) throw new LocusError('STORE_DOWN', 'Redis is still loading its log');
  await checkPolicy(client, info, policy, log);
  if (loaded === undefined) throw new LocusError('STORE_DOWN', 'Redis does not say its run_id');
  return loaded;
}
