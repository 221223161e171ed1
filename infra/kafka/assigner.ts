/** Shares partitions out: each keeps what it had, and partition n of every lane topic goes to the same replica. */
import { AssignerProtocol, type Cluster, type GroupMember, type PartitionAssigner } from 'kafkajs';
import { KafkaJSNonRetriableError } from './hidden.ts';

/** What a member says it owned, and when: a hint that only decides who keeps what. */
export type Owned = { readonly generation: number; readonly partitions: readonly number[] };
export type Claimant = { readonly id: string; readonly instance: string; readonly owned: Owned };

const NAME = 'locus-sticky-copartitioned';
const NOTHING: Owned = { generation: -1, partitions: [] };

export type AssignerOptions = {
  readonly owned: () => Owned;
  /** Partitions that each lane topic must have. */
  readonly partitions: () => number;
  /** The cluster that this consumer talks through, once. */
  readonly met: (cluster: Cluster) => void;
};

export const assigner =
  ({ owned, partitions, met }: AssignerOptions): PartitionAssigner =>
  ({ cluster }) => {
    met(cluster);
    return {
      name: NAME,
      version: 0,
      protocol: ({ topics }) => ({
        name: NAME,
        metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.from(JSON.stringify(owned())) }),
      }),
      async assign({ members, topics }) {
        for (const topic of topics) {
          const found = cluster.findTopicPartitionMetadata(topic).length;
          if (found !== partitions())
            throw new KafkaJSNonRetriableError(`topic ${topic} has ${found} partitions now, it had ${partitions()}: locations would move`);
        }
        const shares = shareOut(members.map(claimant), partitions());
        return members.map(({ memberId }) => {
          const share = [...(shares.get(memberId) ?? [])];
          const assignment = Object.fromEntries(topics.map((topic) => [topic, share]));
          return {
            memberId,
            memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: 0, assignment, userData: Buffer.alloc(0) }),
          };
        });
      },
    };
  };

/** Partitions by member id; as even as can be, and moving as few as that allows. */
export function shareOut(claimants: readonly Claimant[], partitions: number): ReadonlyMap<string, readonly number[]> {
  const shares = new Map(claimants.map(({ id }) => [id, [] as number[]]));
  for (let partition = 0; partition < partitions; partition++) {
    const owners = claimants.filter(({ owned }) => owned.partitions.includes(partition));
    // Two may believe they own it: whoever was told later knows better.
    const latest = owners.reduce<Claimant | undefined>(
      (a, b) => (a === undefined || b.owned.generation > a.owned.generation ? b : a),
      undefined,
    );
    if (latest !== undefined) shares.get(latest.id)?.push(partition);
  }
  // Those who hold most may keep one more than the fair share; by instance, so that every leader decides alike.
  const ranked = [...claimants].sort((a, b) => held(b) - held(a) || (a.instance < b.instance ? -1 : 1));
  const fair = Math.floor(partitions / claimants.length);
  const larger = partitions - fair * claimants.length;
  const caps = new Map(ranked.map(({ id }, rank) => [id, rank < larger ? fair + 1 : fair]));
  for (const { id } of ranked) shares.get(id)?.splice(caps.get(id) ?? 0);
  const kept = new Set([...shares.values()].flat());
  for (let partition = 0; partition < partitions; partition++) {
    if (kept.has(partition)) continue;
    const room = ranked.filter(({ id }) => held({ id }) < (caps.get(id) ?? 0));
    const least = room.reduce((a, b) => (held(b) < held(a) ? b : a), room[0] as Claimant);
    shares.get(least.id)?.push(partition);
  }
  return shares;

  function held({ id }: Pick<Claimant, 'id'>): number {
    return shares.get(id)?.length ?? 0;
  }
}

function claimant(member: GroupMember): Claimant {
  const { memberId, memberMetadata, groupInstanceId } = member as GroupMember & { readonly groupInstanceId?: string | null };
  return { id: memberId, instance: groupInstanceId || memberId, owned: ownedFrom(memberMetadata) };
}

/** Written by another process, perhaps of another version: anything odd counts as nothing owned. */
function ownedFrom(metadata: Buffer): Owned {
  try {
    const told: unknown = JSON.parse(AssignerProtocol.MemberMetadata.decode(metadata)?.userData.toString() ?? '');
    const { generation, partitions } = told as Record<keyof Owned, unknown>;
    return typeof generation === 'number' && Array.isArray(partitions)
      ? { generation, partitions: partitions.filter(Number.isInteger) }
      : NOTHING;
  } catch {
    return NOTHING;
  }
}
