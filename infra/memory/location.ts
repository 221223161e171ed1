/** What each request does to one location in memory, and what it answers: the laws that infra/redis holds in its scripts. */
import type { Address } from '../../src/message/address.ts';
import { mayFollow } from '../../src/message/change.ts';
import type {
  Change,
  Claim,
  Entry,
  EntryStatus,
  Fenced,
  InboxItem,
  Located,
  NewLife,
  Offender,
  Ok,
  OtherGeneration,
} from '../../src/ports.ts';
import type { MemoryDisk, MemoryLocation } from './disk.ts';

export const OK: Ok = { kind: 'ok' };
const GENERATION_STEP = 2 ** 32;

export const final = (status: EntryStatus) => status === 'done' || status === 'refused';

export function location(disk: MemoryDisk, address: Address): MemoryLocation {
  const had = disk.locations.get(address);
  if (had) return had;
  const made: MemoryLocation = {
    epoch: 0,
    owner: '',
    seq: 0,
    published: 0,
    header: new Map(),
    events: new Map(),
    entries: new Map(),
    records: new Map(),
    inbox: { customer: new Map(), bulk: new Map() },
    line: { customer: new Set(), bulk: new Set() },
  };
  disk.locations.set(address, made);
  return made;
}
export function index(disk: MemoryDisk, partition: number): Map<Address, number> {
  const had = disk.dirty.get(partition) ?? new Map<Address, number>();
  disk.dirty.set(partition, had);
  return had;
}
export function located(at: MemoryLocation): Located {
  const header: Record<string, string> = {};
  for (const [name, text] of at.header) if (text !== '') header[name] = text;
  const inbox = { customer: at.line.customer.size, bulk: at.line.bulk.size };
  return { epoch: at.epoch, owner: at.owner, seq: at.seq, published: at.published, header, inbox };
}
export function fields(at: MemoryLocation | undefined): number {
  if (!at) return 0;
  const own = (at.epoch > 0 ? 2 : 0) + (at.seq > 0 ? 1 : 0) + (at.published > 0 ? 1 : 0) + at.header.size;
  return own + at.events.size + at.entries.size + at.records.size + at.inbox.customer.size + at.inbox.bulk.size;
}
export function waiting(at: MemoryLocation): boolean {
  const { header, inbox } = located(at);
  const held = header.intent ?? header.parked ?? header.frozen ?? header.paused ?? header.timers;
  return held !== undefined || at.published < at.seq || inbox.customer > 0 || inbox.bulk > 0;
}
/** The time at the top of an entry's or a record's first line of JSON; the lines after it are the outcome, as its caller gets it. */
export function older(text: string, beforeMs: number): boolean {
  const end = text.indexOf('\n');
  const { t } = JSON.parse(end < 0 ? text : text.slice(0, end)) as { readonly t?: unknown };
  return typeof t === 'number' && t < beforeMs;
}

export function otherGeneration(disk: MemoryDisk, generation: string): OtherGeneration | undefined {
  return disk.generation === generation ? undefined : { kind: 'generation', found: disk.generation ?? '' };
}
/** The law before every fenced write, in the order in which Redis judges it: life, generation, epoch. */
export function refused(disk: MemoryDisk, claim: Claim): NewLife | OtherGeneration | Fenced | undefined {
  if (claim.life !== disk.life()) return { kind: 'new-life' };
  const other = otherGeneration(disk, claim.generation);
  if (other) return other;
  const epoch = disk.locations.get(claim.address)?.epoch ?? 0;
  return epoch === claim.epoch ? undefined : { kind: 'fenced', epoch };
}

export function claimed(disk: MemoryDisk, address: Address, owner: string, generation: string) {
  const no = otherGeneration(disk, generation);
  if (no) return no;
  const at = location(disk, address);
  at.epoch = Math.max(at.epoch, Number.parseInt(generation, 10) * GENERATION_STEP) + 1;
  at.owner = owner;
  const unpublished = [];
  for (let seq = at.published + 1; seq <= at.seq; seq++) {
    const text = at.events.get(seq);
    if (text === undefined) return { kind: 'unanswered' as const, why: `event ${seq} of ${address} is gone` };
    unpublished.push({ address, seq, text });
  }
  const claim: Claim = { address, epoch: at.epoch, generation, life: disk.life() ?? '' };
  return { kind: 'claimed' as const, ...located(at), claim, unpublished };
}

export function committed(at: MemoryLocation, change: Change) {
  if (at.seq !== change.seq) return { kind: 'seq' as const, seq: at.seq };
  const offenders: Offender[] = [];
  for (const { commandId, hash, status } of change.entries) {
    const entry = at.entries.get(commandId);
    if (!entry) continue;
    if (entry.hash !== hash) offenders.push({ commandId, why: 'ID_REUSED', entry });
    else if (!mayFollow(status, entry.status)) offenders.push({ commandId, why: 'TRANSITION', entry });
  }
  for (const commandId of change.unrecorded) {
    const record = at.records.get(commandId);
    if (record !== undefined) offenders.push({ commandId, why: 'RECORDED', record });
  }
  if (offenders.length > 0) return { kind: 'refused' as const, offenders };
  for (const { seq, text } of change.events) at.events.set(seq, text);
  for (const { commandId, status, hash, text } of change.entries) at.entries.set(commandId, { status, hash, text });
  for (const { commandId, text } of change.records) at.records.set(commandId, text);
  for (const [name, text] of Object.entries(change.header)) if (text !== undefined) at.header.set(name, text);
  at.seq += change.events.length;
  at.published = Math.max(at.published, change.published ?? 0);
  return OK;
}

export function appended(at: MemoryLocation, item: InboxItem, entry: Entry) {
  const known = at.entries.get(item.commandId);
  if (known) return known.hash === entry.hash ? { kind: 'known' as const, entry: known } : { kind: 'id-reused' as const };
  const there = at.inbox[item.lane].get(item.offset);
  if (there && there.commandId !== item.commandId) return { kind: 'recreated' as const, found: there.commandId };
  at.inbox[item.lane].set(item.offset, { commandId: item.commandId, text: item.text });
  at.entries.set(item.commandId, entry);
  return OK;
}
/** Makes the line agree with the items at these offsets. */
export function agreed(at: MemoryLocation, items: readonly Pick<InboxItem, 'lane' | 'offset'>[]): Ok {
  for (const { lane, offset } of items) {
    if (at.inbox[lane].has(offset)) at.line[lane].add(offset);
    else at.line[lane].delete(offset);
  }
  return OK;
}
