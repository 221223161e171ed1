/** Topics, a group and their clients over a real Kafka, as the suite of logs and the twins' comparison want them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Admin, Kafka, logLevel, Partitioners } from 'kafkajs';
import { tool } from '../../infra/dev/tools.ts';
import { kafkaArchive } from '../../infra/kafka/archive.ts';
import { kafkaCommandLog } from '../../infra/kafka/consumer.ts';
import { kafkaWriter } from '../../infra/kafka/producer.ts';
import { ensureTopics } from '../../infra/kafka/topics.ts';
import { systemClock } from '../../src/clock.ts';
import type { LogRecord } from '../../src/ports.ts';
import { soon } from '../simulation/twins/wait.ts';
import type { LogWorld } from './log-suite.ts';
import { quiet } from './quiet.ts';

const SESSION_MS = 6_000;
let worlds = 0;

/** Over brokers that run already; topics and group are its own, and gone after `stop`. */
export async function kafkaLogWorld(brokers: readonly string[], partitions: number): Promise<LogWorld> {
  const base = `suite-${process.pid}-${Date.now()}-${worlds++}`;
  const [customer, bulk, eventsTopic, deadLettersTopic] = [`${base}.commands`, `${base}.bulk`, `${base}.events`, `${base}.dead`] as const;
  const kafka = new Kafka({ brokers: [...brokers], clientId: 'suite', logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  const access = { brokers: [...brokers], clientId: 'suite', log: quiet };
  await Promise.all([
    admin.connect(),
    producer.connect(),
    ensureTopics({ ...access, commands: [customer, bulk], events: eventsTopic, deadLetters: deadLettersTopic, partitions }),
  ]);
  const common = { ...access, clock: systemClock };
  return {
    topics: [customer, bulk],
    eventsTopic,
    deadLettersTopic,
    commandLog: (replicaId, life) =>
      kafkaCommandLog({ ...common, ...life, groupId: base, replicaId, topics: [customer, bulk], sessionTimeoutMs: SESSION_MS }),
    writer: () => kafkaWriter({ ...common, eventsTopic, deadLettersTopic }),
    archive: () => kafkaArchive(access),
    async produce(topic, partition, values) {
      await producer.send({ topic, messages: values.map((value) => ({ value, partition })) });
    },
    produceUnreadable: (topic, partition, count) => kcat(brokers, topic, partition, count),
    records: (topic) => readAll(kafka, topic),
    async committed({ topic, partition }) {
      const [answer] = await admin.fetchOffsets({ groupId: base, topics: [topic] });
      const offset = Number(answer?.partitions.find((one) => one.partition === partition)?.offset ?? -1);
      return offset === -1 ? undefined : offset;
    },
    async truncate({ topic, partition }, low) {
      // kafkajs deletes records only of topics whose metadata it has loaded.
      await endsOf(admin, topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(low) }] });
    },
    async stop() {
      await admin.deleteTopics({ topics: [customer, bulk, eventsTopic, deadLettersTopic] });
      await Promise.all([admin.disconnect(), producer.disconnect()]);
    },
  };
}

/** librdkafka packs what it is given at once into one batch. */
async function kcat(brokers: readonly string[], topic: string, partition: number, count: number): Promise<string> {
  const where = ['-P', '-b', brokers.join(','), '-t', topic, '-p', String(partition)];
  const child = spawn(tool('kcat'), [...where, '-z', 'zstd', '-X', 'linger.ms=500']);
  child.stdin.end(Array.from({ length: count }, (_, n) => `${n}${'x'.repeat(200)}\n`).join(''));
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`kcat ended with ${code}`);
  return 'zstd';
}

/** A topic that was created just now may not have the leaders of all its partitions yet. */
async function endsOf(admin: Admin, topic: string): ReturnType<Admin['fetchTopicOffsets']> {
  let ends: Awaited<ReturnType<Admin['fetchTopicOffsets']>> = [];
  await soon(`${topic} has its leaders`, async () => {
    ends = await admin.fetchTopicOffsets(topic).catch(() => []);
    return ends.length > 0;
  });
  return ends;
}

/** Every record of a topic, by a reader of its own group. */
async function readAll(kafka: Kafka, topic: string): Promise<readonly LogRecord[]> {
  const admin = kafka.admin();
  await admin.connect();
  const ends = await endsOf(admin, topic);
  const expected = ends.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
  await admin.disconnect();
  const records: LogRecord[] = [];
  const consumer = kafka.consumer({ groupId: `${topic}-reader-${Date.now()}`, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve) => {
    if (expected === 0) resolve();
    void consumer.run({
      eachMessage: async ({ partition, message: { key, value, headers = {}, offset, timestamp } }) => {
        const place = { topic, partition, offset: Number(offset), appendedMs: Number(timestamp) };
        records.push({ ...place, key, value, headers: headers as LogRecord['headers'] });
        if (records.length === expected) resolve();
      },
    });
  });
  await consumer.disconnect();
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}
