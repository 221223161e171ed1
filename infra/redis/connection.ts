/** One connection to one Redis, made anew by ourselves when it is lost: an ioredis object never outlives its connection. */
import { isIP } from 'node:net';
import { Redis } from 'ioredis';
import { LocusError } from '../../src/errors.ts';
import type { Alarm, Clock, Log, Random } from '../../src/ports.ts';
import { answered, failure, forbidden, type Link, place, told } from './refusals.ts';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
const COMMAND_TIMEOUT_MS = 2_000;
const KEEP_ALIVE_MS = 5_000;
/** How much is gathered into one write: Redis works on the first ones while the next are made. */
const GATHER_MAX = 8;

export const NO_CONNECTION = 'there is no connection to Redis';

export type RedisOptions = Link & {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** How long an answer may take before it counts as unknown and the connection as lost. */
  readonly commandTimeoutMs?: number;
};

/** A connection that was greeted: what the greeting learned is true of this connection and no other. */
export type Live<T> = { readonly client: Redis; readonly learned: T };

/** What every client here is built with: nothing is sent twice, nothing waits in a queue, nothing waits for ever (see DESIGN.md). */
const clientOptions = (commandTimeoutMs: number) => ({
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
  retryStrategy: () => null,
});

/** ioredis names no server to TLS by itself, which proxies and servers of several names ask for. */
function tlsOptions({ url, ca }: Link): object {
  const { protocol, hostname } = new URL(url);
  const name = hostname.replace(/^\[|\]$/g, '');
  return protocol === 'rediss:' ? { tls: { ...(ca === undefined ? {} : { ca }), ...(isIP(name) === 0 ? { servername: name } : {}) } } : {};
}

export class RedisConnection<T> {
  readonly #options: RedisOptions;
  readonly #greet: (client: Redis) => Promise<T>;
  readonly #returned: (live: Live<T>) => void;
  #now: Live<T> | undefined;
  #corked: Redis['stream'] | undefined;
  #gathered = 0;
  #running = false;
  #pauseMs = FIRST_PAUSE_MS;
  #trouble: string | undefined;
  #alarm: Alarm | undefined;

  /** `greet` runs on each new connection before anybody sees it; `returned` is told of each but the first. */
  constructor(options: RedisOptions, greet: (client: Redis) => Promise<T>, returned: (live: Live<T>) => void = () => {}) {
    this.#options = options;
    this.#greet = greet;
    this.#returned = returned;
  }

  /** Resolves once greeted; rejects with what the first attempt met. Afterwards it comes back by itself. */
  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      await this.#connect();
    } catch (error) {
      this.#running = false;
      throw failure(error, this.#options);
    }
  }
  /** The same, but goes on trying after a first attempt that failed, unless it was refused. */
  async startPatiently(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    await this.#connect().catch((error: unknown) => {
      const failed = failure(error, this.#options);
      if (failed.fate !== 'stop') return this.#failed(error);
      this.#running = false;
      throw failed;
    });
  }
  async stop(): Promise<void> {
    this.#running = false;
    this.#alarm?.cancel();
    const last = this.#now;
    this.#now = undefined;
    last?.client.disconnect();
  }
  /** Why there is no connection, as far as it is known. */
  trouble(): string | undefined {
    return this.live() === undefined ? this.#trouble : undefined;
  }
  /** Undefined: nothing can be sent now. */
  live(): Live<T> | undefined {
    return this.#now?.client.status === 'ready' ? this.#now : undefined;
  }
  /** The same, for whoever sends at once: what is sent until the loop comes round leaves in one write, since each write is a system call. */
  sending(): Live<T> | undefined {
    const live = this.live();
    const stream = live?.client.stream;
    if (stream === undefined) return live;
    if (this.#corked === stream) {
      if (++this.#gathered % GATHER_MAX === 0) {
        stream.uncork();
        stream.cork();
      }
      return live;
    }
    this.#corked = stream;
    this.#gathered = 0;
    stream.cork();
    this.#options.clock.soon(() => {
      if (this.#corked === stream) this.#corked = undefined;
      stream.uncork();
    });
    return live;
  }
  /** Gives up a connection that did not answer in time. */
  drop(lost: Live<T>): void {
    if (this.#now !== lost) return;
    this.#now = undefined;
    this.#trouble = undefined;
    lost.client.disconnect();
    if (!this.#running) return;
    this.#options.log.warn({ redis: place(this.#options.url) }, 'connection to Redis lost');
    this.#again();
  }
  /** Rejects with STORE_DOWN: it did not answer, or it answered no. */
  async ask<R>(work: (client: Redis) => Promise<R>): Promise<R> {
    const asked = this.sending();
    if (asked === undefined) throw new LocusError('STORE_DOWN', NO_CONNECTION);
    try {
      return await work(asked.client);
    } catch (error) {
      if (!answered(error) || forbidden(error)) this.drop(asked);
      throw new LocusError('STORE_DOWN', 'Redis did not answer', { cause: error });
    }
  }

  async #connect(): Promise<void> {
    const { url, commandTimeoutMs = COMMAND_TIMEOUT_MS } = this.#options;
    const client = new Redis(url, { ...clientOptions(commandTimeoutMs), ...tlsOptions(this.#options) });
    // ioredis tells here, and nowhere else, what TLS, AUTH and SELECT were refused with; without SELECT it would go on in another database.
    let met: unknown;
    client.on('error', (error) => {
      met ??= error;
    });
    try {
      await client.connect().catch((error: unknown) => {
        throw met ?? error;
      });
      const greeted = { client, learned: await this.#greet(client) };
      if (met !== undefined) throw met;
      if (client.status !== 'ready' || !this.#running) throw new Error('the connection was closed');
      this.#now = greeted;
      client.once('close', () => this.drop(greeted));
    } catch (error) {
      client.disconnect();
      throw error;
    }
  }
  #again(): void {
    const { clock, random, log, url } = this.#options;
    this.#alarm = clock.after(jittered(random, this.#pauseMs), async () => {
      try {
        await this.#connect();
      } catch (error) {
        this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
        return this.#failed(error);
      }
      this.#pauseMs = FIRST_PAUSE_MS;
      log.info({ redis: place(url) }, 'connection to Redis made anew');
      const live = this.live();
      if (live) this.#returned(live);
    });
  }
  #failed(error: unknown): void {
    if (!this.#running) return;
    this.#trouble = told(error, this.#options);
    this.#options.log.warn({ redis: place(this.#options.url), why: this.#trouble }, 'Redis cannot be reached');
    this.#again();
  }
}

const jittered = (random: Random, ms: number): number => ms * (0.5 + random.next());
