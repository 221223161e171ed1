/** Where a partition's log begins and ends, and what the group has committed of it. */
import type { Admin } from 'kafkajs';
import type { Bounds, TopicPartition } from '../../src/ports.ts';

/** Kafka's answer for a partition without a committed offset. */
const NONE = -1;

/** One look at all lane topics, for as many partitions as are asked afterwards. */
export async function boundsOf(admin: Admin, groupId: string, topics: readonly string[]): Promise<(at: TopicPartition) => Bounds> {
  // Committed before ends: an offset committed meanwhile must not seem to lie beyond the end of its log.
  const committed = await admin.fetchOffsets({ groupId, topics: [...topics] });
  const ends = await Promise.all(topics.map(async (topic) => [topic, await admin.fetchTopicOffsets(topic)] as const));
  const offsets = committed.flatMap(({ topic, partitions }) => partitions.map(({ partition, offset }) => ({ topic, partition, offset })));
  const fresh = offsets.every(({ offset }) => Number(offset) === NONE);
  return (at) => {
    const end = ends.find(([topic]) => topic === at.topic)?.[1].find(({ partition }) => partition === at.partition);
    if (end === undefined) throw new Error(`topic ${at.topic} has no partition ${at.partition}`);
    const offset = Number(offsets.find(({ topic, partition }) => topic === at.topic && partition === at.partition)?.offset ?? NONE);
    return { committed: offset === NONE ? undefined : offset, low: Number(end.low), high: Number(end.high), fresh };
  };
}
