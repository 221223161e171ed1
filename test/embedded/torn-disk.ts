/**
 * A disk that loses power: what a file may hold when the writes since its last sync are lost, kept or torn, in any order. Assumed,
 * as SQLite does: a sector of 512 bytes is written whole or not at all, and what a sync has answered stays. What lies between two
 * syncs is known from the order of libsql's calls: the log's new header is synced before its frames, the frames before the commit is
 * answered, and only then, if the log is long, its pages go into the file, which is synced before the log begins anew.
 */
export type Image = { readonly file: Buffer; readonly log: Buffer };
type Chance = () => number;

const SECTOR = 512;
const HEADER = 32;

/** mulberry32: numbers in [0, 1) from a seed. */
export function seeded(seed: number): Chance {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Of the sectors that differ each is the old or the new one; the length is any between the two, and what was never written is zero. */
function torn(old: Buffer, fresh: Buffer, chance: Chance): Buffer {
  const [least, most] = [Math.min(old.length, fresh.length), Math.max(old.length, fresh.length)];
  const [isLong, keeps] = [chance() < 0.4, chance() < 0.4 ? 1 : chance()];
  const length = isLong ? most : least + Math.floor((chance() * (most - least)) / SECTOR) * SECTOR;
  const mixed = Buffer.alloc(length);
  for (let at = 0; at < length; at += SECTOR) {
    const from = chance() < keeps ? fresh : old;
    if (at < from.length) from.copy(mixed, at, at, at + SECTOR);
  }
  return mixed;
}

export const isCheckpoint = (before: Image, after: Image): boolean => !before.file.equals(after.file);
export const isRestart = (before: Image, after: Image): boolean =>
  before.log.length > 0 && !before.log.subarray(0, HEADER).equals(after.log.subarray(0, HEADER));

/** What a power cut during one commit leaves. */
export function cut(before: Image, after: Image, chance: Chance): Image {
  if (isCheckpoint(before, after) && chance() < 0.6) return { file: torn(before.file, after.file, chance), log: after.log };
  if (!isRestart(before, after)) return { file: before.file, log: torn(before.log, after.log, chance) };
  // The header is on disk before any frame under it is written.
  if (chance() < 0.2) return before;
  const log = torn(before.log, after.log, chance);
  after.log.copy(log, 0, 0, SECTOR < log.length ? HEADER : log.length);
  return { file: before.file, log };
}
