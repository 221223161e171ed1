/** A location of the memory store as text that can be kept: what one version wrote, read again by another. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { MemoryDisk, MemoryLocation } from '../../infra/memory/disk.ts';

const file = (name: string) => new URL(`./golden/${name}.json`, import.meta.url);
const rows = (map: ReadonlyMap<unknown, unknown>) => [...map];

/** As it is, but for who owned it. */
export function kept(disk: MemoryDisk): unknown {
  const locations = [...disk.locations].map(([address, { header, events, entries, records, seq, published }]) => ({
    address,
    seq,
    published,
    header: rows(header),
    events: rows(events),
    entries: rows(entries),
    records: rows(records),
  }));
  return JSON.parse(JSON.stringify(locations));
}

/** The golden file; `GOLDEN=write` makes it anew, which only a new file ever needs. */
export function golden(name: string, now?: unknown): unknown {
  if (process.env.GOLDEN === 'write' && now !== undefined) writeFileSync(file(name), `${JSON.stringify(now, null, 2)}\n`);
  return JSON.parse(readFileSync(file(name), 'utf8'));
}

/** Puts what was kept onto a disk on which nobody was yet, marked as having work. */
export function lay(disk: MemoryDisk, from: unknown): void {
  for (const it of from as (Pick<MemoryLocation, 'seq' | 'published'> & { address: string } & Record<
      'header' | 'events' | 'entries' | 'records',
      [never, never][]
    >)[]) {
    disk.locations.set(it.address, {
      epoch: 0,
      owner: '',
      seq: it.seq,
      published: it.published,
      header: new Map(it.header),
      events: new Map(it.events),
      entries: new Map(it.entries),
      records: new Map(it.records),
      inbox: { customer: new Map(), bulk: new Map() },
      line: { customer: new Set(), bulk: new Set() },
    });
    disk.dirty.set(0, new Map([...(disk.dirty.get(0) ?? []), [it.address, 0]]));
  }
}
