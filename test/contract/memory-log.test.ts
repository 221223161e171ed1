import { expect, test } from 'vitest';
import { memoryLog } from '../../infra/memory/log.ts';
import { systemClock } from '../../src/clock.ts';
import { logSuite, PARTITIONS } from './log-suite.ts';
import { memberOf as member, memoryLogWorld, TOPICS } from './memory-world.ts';
import { recordingReader } from './recording-reader.ts';

const [customer, , eventsTopic, deadLettersTopic] = TOPICS;
const world = () => memoryLog({ topics: TOPICS, partitions: PARTITIONS, clock: systemClock });

logSuite('the log in memory', async () => memoryLogWorld(PARTITIONS));

test('a replica that vanished and is back within its session takes its partitions without a rebalance', async () => {
  const log = world();
  const [a, b, again] = [log.commandLog(member('a')), log.commandLog(member('b')), log.commandLog(member('a'))];
  const [first, other, second] = [recordingReader(), recordingReader(), recordingReader()];
  await a.start(first);
  await b.start(other);
  const told = other.assignments.length;
  a.vanish();
  await again.start(second);
  expect(second.assignments.at(-1)).toEqual(first.assignments.at(-1));
  expect(other.assignments).toHaveLength(told);
  await Promise.all([again.stop(), b.stop()]);
});

test('what a vanished replica held goes to the others once its session is over', async () => {
  const log = world();
  const [a, b] = [log.commandLog(member('a', 50)), log.commandLog(member('b', 50))];
  const other = recordingReader();
  await a.start(recordingReader());
  await b.start(other);
  expect(other.assignments.at(-1)).toHaveLength(PARTITIONS / 2);
  a.vanish();
  await expect.poll(() => other.assignments.at(-1)).toHaveLength(PARTITIONS);
  await b.stop();
});

test('a writer says whether a message may have been appended', async () => {
  const log = world();
  const writer = log.writer({ eventsTopic, deadLettersTopic });
  log.setWriters('down');
  await expect(writer.command(customer, { key: 'k', value: 'v' })).rejects.toMatchObject({ code: 'LOG_DOWN' });
  expect(log.records(customer)).toHaveLength(0);
  log.setWriters('deaf');
  await expect(writer.command(customer, { key: 'k', value: 'v' })).rejects.toMatchObject({ code: 'LOG_UNACKNOWLEDGED' });
  expect(log.records(customer)).toHaveLength(1);
});
