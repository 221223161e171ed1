import { expect, test } from 'vitest';
import { embeddedArchive } from '../../infra/embedded/archive.ts';
import { EmbeddedLog, embeddedWriter } from '../../infra/embedded/log.ts';
import { Group } from '../../infra/memory/log-group.ts';
import { Member } from '../../infra/memory/log-member.ts';
import { systemClock } from '../../src/clock.ts';
import { embeddedWorld } from './embedded-world.ts';
import { logSuite, PARTITIONS } from './log-suite.ts';
import { nameOf, recordingReader } from './recording-reader.ts';

const TOPICS = ['commands', 'commands.bulk', 'events', 'dead-letters'] as const;
const [customer, bulk, eventsTopic, deadLettersTopic] = TOPICS;
const member = (replicaId: string) => ({
  replicaId,
  topics: [customer, bulk],
  sessionTimeoutMs: 1_000,
  mayJoin: async () => true,
  onFatal: () => {},
});

async function world() {
  const { file, stop } = embeddedWorld();
  const open = async () => {
    const log = await EmbeddedLog.open({ file, topics: TOPICS, partitions: PARTITIONS });
    const offsets = await log.offsets('g');
    return {
      log,
      offsets,
      group: new Group(PARTITIONS, systemClock, offsets),
      writer: embeddedWriter(log, { events: eventsTopic, deadLetters: deadLettersTopic }),
    };
  };
  return { file, stop, open, ...(await open()) };
}

logSuite(
  'the log in the embedded file',
  async () => {
    const { file, log, offsets, group, writer, stop } = await world();
    return {
      topics: [customer, bulk],
      eventsTopic,
      deadLettersTopic,
      commandLog: (replicaId, life) => new Member(log, group, { ...member(replicaId), ...life }),
      writer: () => writer,
      archive: () => embeddedArchive(file, log),
      produce: (topic, partition, values) => log.append(values.map((value) => ({ topic, partition, message: { key: null, value } }))),
      produceUnreadable: () => Promise.reject(new Error('nothing in the file is packed')),
      records: async (topic) =>
        log
          .shelves(topic)
          .flatMap((shelf) => Array.from({ length: shelf.high - shelf.low }, (_, n) => shelf.at(shelf.low + n) ?? []))
          .flat(),
      committed: async (at) => offsets.get(nameOf(at)),
      truncate: async (at, low) => void (await file.write(() => log.shelf(at).truncate(low))),
      stop,
    };
  },
  // Nobody else writes into the file, nothing in it is compressed, and it takes what is large.
  { brokers: false },
);

const produce = (log: EmbeddedLog, count: number, partition = 0) =>
  log.append(Array.from({ length: count }, (_, n) => ({ topic: customer, partition, message: { key: null, value: `${n}` } })));

test('records and offsets outlive the process that wrote them', async () => {
  const { file, log, offsets, open, stop } = await world();
  await produce(log, 3);
  await offsets.set(`${customer}/0`, 2);
  file.close();
  file.open();
  const again = await open();
  expect(again.offsets.get(`${customer}/0`)).toBe(2);
  expect(again.log.shelf({ topic: customer, partition: 0 })).toMatchObject({ low: 0, high: 3 });
  const reader = recordingReader();
  const second = new Member(again.log, again.group, member('a'));
  await second.start(reader);
  await expect.poll(() => reader.offsets(0)).toEqual([2]);
  await second.stop();
  await stop();
});

test('commands that were read are forgotten, others are not, and no offset is issued twice', async () => {
  const { file, log, offsets, open, stop } = await world();
  await produce(log, 4);
  await produce(log, 2, 1);
  await log.append([{ topic: eventsTopic, partition: 0, message: { key: 'k', value: 'kept' } }]);
  await offsets.set(`${customer}/0`, 4);
  await log.forgetRead([customer, bulk], offsets);
  file.close();
  file.open();
  const again = await open();
  const shelf = (topic: string, partition: number) => again.log.shelf({ topic, partition });
  expect([shelf(customer, 0), shelf(customer, 1), shelf(eventsTopic, 0)]).toMatchObject([
    { low: 4, high: 4 },
    { low: 0, high: 2 },
    { low: 0, high: 1 },
  ]);
  await produce(again.log, 1);
  expect(shelf(customer, 0).at(4)).toMatchObject({ offset: 4 });
  await stop();
});

test('a writer says whether a message may have been written', async () => {
  const { file, log, writer, stop } = await world();
  file.lying = true;
  await expect(writer.command(customer, { key: 'k', value: 'v' })).rejects.toMatchObject({ code: 'LOG_UNACKNOWLEDGED' });
  await expect(writer.command(customer, { key: 'k', value: 'v' })).rejects.toMatchObject({ code: 'LOG_DOWN' });
  await expect(log.offsets('g')).rejects.toMatchObject({ code: 'STORE_DOWN' });
  await stop();
});
