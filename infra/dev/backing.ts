/** The outside services of a fleet on this machine: one Kafka, one durable store, three lock nodes; those that run elsewhere are used as they are. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startKafkaServer } from './kafka-server.ts';
import { startRedisServer } from './redis-server.ts';

const LOCK_NODES = 3;

/** What is already there: a service that is named is used and never stopped. */
export type Outside = { readonly brokers?: string; readonly redisUrl?: string; readonly lockUrls?: string };
export type Backing = {
  /** The variables a replica needs to find these services. */
  readonly env: { readonly KAFKA_BROKERS: string; readonly REDIS_URL: string; readonly LOCK_REDIS_URLS: string };
  stop(): Promise<void>;
};

/** Which services the environment names. */
export const outsideOf = (env: NodeJS.ProcessEnv): Outside => ({
  ...(env.KAFKA_BROKERS ? { brokers: env.KAFKA_BROKERS } : {}),
  ...(env.REDIS_URL ? { redisUrl: env.REDIS_URL } : {}),
  ...(env.LOCK_REDIS_URLS ? { lockUrls: env.LOCK_REDIS_URLS } : {}),
});

/** Starts what is not outside, with its data under `dir`; if one cannot start, those that did are stopped again. */
export async function startBacking(dir: string, outside: Outside): Promise<Backing> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    await Promise.all(stops.splice(0).map((end) => end()));
  };
  const started = await Promise.allSettled([kafka(dir, outside, stops), store(dir, outside, stops), locks(dir, outside, stops)]);
  const failed = started.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  const [brokers = '', redisUrl = '', lockUrls = ''] = started.map((one) => (one.status === 'fulfilled' ? one.value : ''));
  return { env: { KAFKA_BROKERS: brokers, REDIS_URL: redisUrl, LOCK_REDIS_URLS: lockUrls }, stop };
}

type Stops = (() => Promise<void>)[];

async function kafka(dir: string, outside: Outside, stops: Stops): Promise<string> {
  if (outside.brokers !== undefined) return outside.brokers;
  const server = await startKafkaServer({ dir: folder(dir, 'kafka') });
  stops.push(() => server.stop());
  return server.brokers;
}

async function store(dir: string, outside: Outside, stops: Stops): Promise<string> {
  if (outside.redisUrl !== undefined) return outside.redisUrl;
  const server = await startRedisServer({ dir: folder(dir, 'store'), durable: true });
  stops.push(() => server.stop());
  return server.url;
}

async function locks(dir: string, outside: Outside, stops: Stops): Promise<string> {
  if (outside.lockUrls !== undefined) return outside.lockUrls;
  const names = Array.from({ length: LOCK_NODES }, (_, n) => `lock-${n + 1}`);
  const urls = await Promise.all(
    names.map(async (name) => {
      const server = await startRedisServer({ dir: folder(dir, name), durable: false });
      stops.push(() => server.stop());
      return server.url;
    }),
  );
  return urls.join(',');
}

function folder(dir: string, name: string): string {
  const path = join(dir, name);
  mkdirSync(path, { recursive: true });
  return path;
}
