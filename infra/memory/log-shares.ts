/** How a group of the memory log shares its partitions out: the same as the assigner of infra/kafka. */

/** What a member held, and in which generation it was told so. */
export type Owned = { readonly generation: number; readonly partitions: readonly number[] };
export type Claim = { readonly id: string; readonly owned: Owned };

/** Partitions by member id; as even as can be, and moving as few as that allows. */
export function shareOut(claims: readonly Claim[], partitions: number): ReadonlyMap<string, readonly number[]> {
  const shares = new Map(claims.map(({ id }) => [id, [] as number[]]));
  if (claims.length === 0) return shares;
  const held = (id: string) => shares.get(id)?.length ?? 0;
  for (let partition = 0; partition < partitions; partition++) {
    const owners = claims.filter(({ owned }) => owned.partitions.includes(partition));
    // Two may believe they own it: whoever was told later knows better.
    const latest = owners.reduce<Claim | undefined>(
      (a, b) => (a === undefined || b.owned.generation > a.owned.generation ? b : a),
      undefined,
    );
    if (latest !== undefined) shares.get(latest.id)?.push(partition);
  }
  const ranked = claims.map(({ id }) => id).sort((a, b) => held(b) - held(a) || (a < b ? -1 : 1));
  const fair = Math.floor(partitions / claims.length);
  const larger = partitions - fair * claims.length;
  const caps = new Map(ranked.map((id, rank) => [id, rank < larger ? fair + 1 : fair]));
  for (const id of ranked) shares.get(id)?.splice(caps.get(id) ?? 0);
  const kept = new Set([...shares.values()].flat());
  for (let partition = 0; partition < partitions; partition++) {
    if (kept.has(partition)) continue;
    const room = ranked.filter((id) => held(id) < (caps.get(id) ?? 0));
    const least = room.reduce((a, b) => (held(b) < held(a) ? b : a), room[0] ?? '');
    shares.get(least)?.push(partition);
  }
  return shares;
}
