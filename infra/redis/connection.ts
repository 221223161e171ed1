/** One connection to one Redis, made anew by ourselves when it is lost: an ioredis object never outlives its connection. */
import { Redis, ReplyError } from 'ioredis';
import { LocusError, why } from '../../src/errors.ts';
import type { Alarm, Clock, Log, Random } from '../../src/ports.ts';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
const COMMAND_TIMEOUT_MS = 2_000;
const KEEP_ALIVE_MS = 5_000;

export type RedisOptions = {
  /** `redis://[user:password@]host:port[/db]`, `rediss://` for TLS. */
  readonly url: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** How long an answer may take before it counts as unknown and the connection as lost. */
  readonly commandTimeoutMs?: number;
};

/** A connection that was greeted: what the greeting learned is true of this connection and no other. */
export type Live<T> = { readonly client: Redis; readonly learned: T };
export type Connection<T> = {
  /** Resolves once greeted; rejects with what the first attempt met. Afterwards it comes back by itself. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Undefined: nothing can be sent now. */
  live(): Live<T> | undefined;
  /** Gives up a connection that did not answer in time. */
  drop(lost: Live<T>): void;
};

/** What every client here is built with: nothing is sent twice, nothing waits in a queue, nothing waits for ever (see DESIGN.md). */
export const clientOptions = (commandTimeoutMs: number) => ({
  lazyConnect: true,
  protocol: 2 as const,
  disableClientInfo: true,
  enableReadyCheck: false,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  connectTimeout: commandTimeoutMs,
  commandTimeout: commandTimeoutMs,
  keepAlive: KEEP_ALIVE_MS,
});

/** The server answered, and the answer was no: nothing was done. Any other rejection may have happened. */
export const answered = (error: unknown): error is Error => error instanceof ReplyError;

/** `greet` runs on each new connection before anybody sees it; `returned` is told of each but the first. */
export function redisConnection<T>(
  options: RedisOptions,
  greet: (client: Redis) => Promise<T>,
  returned: (live: Live<T>) => void,
): Connection<T> {
  const { clock, random, log } = options;
  let now: Live<T> | undefined;
  let running = false;
  let pauseMs = FIRST_PAUSE_MS;
  let alarm: Alarm | undefined;

  async function connect(): Promise<void> {
    const client = new Redis(options.url, {
      ...clientOptions(options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS),
      retryStrategy: () => null,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      const live = { client, learned: await greet(client) };
      if (client.status !== 'ready' || !running) throw new Error('the connection was closed');
      now = live;
      client.once('close', () => drop(live));
    } catch (error) {
      client.disconnect();
      throw error;
    }
  }

  function drop(lost: Live<T>): void {
    if (now !== lost) return;
    now = undefined;
    lost.client.disconnect();
    if (!running) return;
    log.warn({ redis: address(options.url) }, 'connection to Redis lost');
    again();
  }

  function again(): void {
    alarm = clock.after(pauseMs * (0.5 + random.next()), async () => {
      try {
        await connect();
        pauseMs = FIRST_PAUSE_MS;
        log.info({ redis: address(options.url) }, 'connection to Redis made anew');
        if (now) returned(now);
      } catch (error) {
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
        log.warn({ redis: address(options.url), why: why(error) }, 'Redis cannot be reached');
        if (running) again();
      }
    });
  }

  return {
    async start() {
      if (running) return;
      running = true;
      try {
        await connect();
      } catch (error) {
        running = false;
        if (error instanceof LocusError) throw error;
        throw new LocusError('STORE_DOWN', `Redis at ${address(options.url)} cannot be reached`, { cause: error });
      }
    },
    async stop() {
      running = false;
      alarm?.cancel();
      const last = now;
      now = undefined;
      last?.client.disconnect();
    },
    live: () => (now?.client.status === 'ready' ? now : undefined),
    drop,
  };
}

/** Where, without the password. */
function address(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}
