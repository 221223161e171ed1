/** Topics, a group and their readers in memory, as the suite of logs and the twins' comparison want them. */
import { type MemoryLog, memoryLog } from '../../infra/memory/log.ts';
import type { MemberOptions } from '../../infra/memory/log-member.ts';
import { systemClock } from '../../src/clock.ts';
import type { LogWorld } from './log-suite.ts';

export const TOPICS = ['commands', 'commands.bulk', 'events', 'dead-letters'] as const;
const [customer, bulk, eventsTopic, deadLettersTopic] = TOPICS;

/** A replica of the one group. */
export const memberOf = (replicaId: string, sessionTimeoutMs = 1_000): MemberOptions & { readonly groupId: string } => ({
  groupId: 'g',
  replicaId,
  topics: [customer, bulk],
  sessionTimeoutMs,
  mayJoin: async () => true,
  onFatal: () => {},
});

export function memoryLogWorld(
  partitions: number,
  log: MemoryLog = memoryLog({ topics: TOPICS, partitions, clock: systemClock }),
): LogWorld {
  return {
    topics: [customer, bulk],
    eventsTopic,
    deadLettersTopic,
    commandLog: (replicaId, life) => log.commandLog({ ...memberOf(replicaId), ...life }),
    writer: () => log.writer({ eventsTopic, deadLettersTopic }),
    archive: () => log.archive(),
    produce: async (topic, partition, values) => {
      for (const value of values) log.produce(topic, { key: null, value }, partition);
    },
    produceUnreadable: async (topic, partition, count) => {
      log.produceUnreadable({ topic, partition }, count, 'zstd');
      return 'zstd';
    },
    records: async (topic) => log.records(topic),
    committed: async (at) => log.committed('g', at),
    truncate: async (at, low) => log.truncate(at, low),
    stop: async () => {},
  };
}
