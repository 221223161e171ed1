/**
 * Dispenses without Locus: a chain for each location of a timer, one write to the same Redis and two events through the same kafkajs, in one
 * process. It decides nothing, forgets nothing of its own accord and recovers nothing: what the machine leaves room for on that day.
 */
import { Redis } from 'ioredis';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import type { Ground } from './ground.ts';

const WARM_MS = 4_000;
const COUNTED_MS = 8_000;
const LINGER_MS = 10;
/** As large as those of a dispense: two entries, two events, the state and the intent. */
const ENTRY = 'x'.repeat(190);
const EVENT = 'x'.repeat(720);
const HEADER = 'x'.repeat(300);
const COMMIT = "redis.call('HMGET', KEYS[1], 'e', 's', ARGV[1], ARGV[3]) redis.call('HSET', KEYS[1], unpack(ARGV)) return 'OK'";

/** Dispenses a second. */
export async function rawDispenses(ground: Ground, topic: string, locations: number, deviceMs: number): Promise<number> {
  const redis = new Redis(ground.services.REDIS_URL);
  const kafka = new Kafka({ clientId: 'locus-raw', brokers: ground.services.KAFKA_BROKERS.split(','), logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const sha = (await redis.script('LOAD', COMMIT)) as string;
  let waiting: { key: string; value: string }[] = [];
  let done = 0;
  let isOver = false;

  async function chain(location: string): Promise<void> {
    for (let n = 0; !isOver; n++) {
      await new Promise((resolve) => setTimeout(resolve, deviceMs));
      const values = [
        `d:${n}`,
        ENTRY,
        `d:${n + 1}`,
        ENTRY,
        `v:${2 * n}`,
        EVENT,
        `v:${2 * n + 1}`,
        EVENT,
        'state',
        HEADER,
        'intent',
        HEADER,
      ];
      await redis.evalsha(sha, 1, location, ...values, 's', n);
      waiting.push({ key: location, value: EVENT }, { key: location, value: EVENT });
      done++;
    }
  }
  async function publish(): Promise<void> {
    while (!isOver || waiting.length > 0) {
      const messages = waiting;
      waiting = [];
      if (messages.length > 0) await producer.send({ topic, acks: -1, messages });
      await new Promise((resolve) => setTimeout(resolve, LINGER_MS));
    }
  }

  const all = Promise.all([publish(), ...Array.from({ length: locations }, (_, n) => chain(`{raw}/${n}`))]);
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  await pause(WARM_MS);
  const [before, atMs] = [done, performance.now()];
  await pause(COUNTED_MS);
  const rate = ((done - before) / (performance.now() - atMs)) * 1_000;
  isOver = true;
  await all;
  await producer.disconnect();
  redis.disconnect();
  return rate;
}
