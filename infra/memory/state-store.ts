/** The state store's memory twin: the same answers as infra/redis over a shared MemoryDisk. */
import { LocusError, sentence } from '../../src/errors.ts';
import type { Address } from '../../src/message/address.ts';
import type {
  Applied,
  Change,
  Claim,
  Down,
  Entry,
  EntryStatus,
  Fenced,
  Header,
  InboxItem,
  Located,
  NewLife,
  Offender,
  Ok,
  OtherGeneration,
  PartitionKey,
  Random,
  StateStore,
  Unanswered,
} from '../../src/ports.ts';
import { assertChange, assertHash } from './change.ts';
import type { MemoryDisk, MemoryLocation } from './disk.ts';

const OK: Ok = { kind: 'ok' };
const LOST: Unanswered = { kind: 'unanswered', why: 'the answer was lost' };
const AWAY: Down = { kind: 'down', why: 'the store is away' };
const GENERATION_STEP = 2 ** 32;
const TRIM_MAX = 1_000;

/** What may follow what; done and refused are final. */
const next: Readonly<Record<EntryStatus, readonly EntryStatus[]>> = {
  inboxed: ['open', 'parked', 'done', 'refused'],
  open: ['open', 'done', 'refused'],
  parked: ['parked', 'open', 'done', 'refused'],
  done: [],
  refused: [],
};

export function memoryStateStore(disk: MemoryDisk, options: { readonly random: Random }): StateStore {
  let running = false;
  let stopListening = () => {};
  const listeners: ((life: string) => void)[] = [];

  /** Executed in the order of the calls; the answer comes later, or not. */
  async function ask<T>(work: () => T): Promise<T | Down | Unanswered> {
    if (!running || disk.life() === undefined) return AWAY;
    const fate = disk.fate();
    if (fate === 'request') return LOST;
    const answer = work();
    await Promise.resolve();
    return fate === 'reply' ? LOST : answer;
  }
  async function look<T>(work: () => T): Promise<T> {
    const answer = await ask(() => ({ kind: 'seen' as const, value: work() }));
    if (answer.kind === 'seen') return answer.value;
    throw new LocusError('STORE_DOWN', `the state store did not answer: ${answer.why}`);
  }

  return {
    async start() {
      if (disk.life() === undefined) throw new LocusError('STORE_DOWN', 'the state store cannot be reached');
      if (disk.faults.length > 0)
        throw new LocusError('STORE_POLICY', `the state store is not durable: ${disk.faults.map(sentence).join('; ')}`, {
          faults: disk.faults,
        });
      if (!running) stopListening = disk.onReturn((life) => listeners.forEach((heard) => void heard(life)));
      running = true;
    },
    async stop() {
      running = false;
      stopListening();
    },
    life: () => (running ? disk.life() : undefined),
    onReconnect: (heard) => void listeners.push(heard),

    generation: () => look(() => disk.generation),
    setGeneration: (number, instead) =>
      look(() => {
        if (disk.generation === instead) disk.generation = `${number}:${options.random.hex(8)}`;
        return disk.generation ?? '';
      }),
    layout: (name, figure) =>
      look(() => {
        const stands = disk.layout.get(name) ?? figure;
        disk.layout.set(name, stands);
        return stands;
      }),

    claim: (address, owner, generation) => ask(() => claimed(disk, address, owner, generation)),
    async commit(claim, change) {
      assertChange(change);
      return ask(() => refused(disk, claim) ?? committed(location(disk, claim.address), change));
    },
    recall: (address, commandIds) =>
      look(() => {
        const at = disk.locations.get(address);
        return commandIds.map((id) => {
          const entry = at?.entries.get(id);
          const record = at?.records.get(id);
          return { ...(entry && { entry }), ...(record !== undefined && { record }) };
        });
      }),
    read: (address) =>
      look(() => {
        const at = disk.locations.get(address);
        return at && (at.epoch > 0 || at.inbox.customer.size + at.inbox.bulk.size > 0) ? located(at) : undefined;
      }),

    async append(address, item, entry, generation) {
      assertHash(entry);
      return ask(() => otherGeneration(disk, generation) ?? appended(location(disk, address), item, entry));
    },
    inbox: (address, lane, limit) =>
      look(() =>
        [...(disk.locations.get(address)?.inbox[lane] ?? [])]
          .sort(([a], [b]) => a - b)
          .slice(0, limit)
          .map(([offset, it]) => ({ lane, offset, ...it })),
      ),
    async trim(claim, what) {
      const { events = { from: 1, to: 0 }, inbox = [], entries = [], records = [] } = what;
      const names = events.to - events.from + 1 + inbox.length + entries.length + records.length;
      if (names > TRIM_MAX) throw new RangeError(`a trim of ${names} names: at most ${TRIM_MAX}, split it`);
      return ask(() => {
        const no = refused(disk, claim);
        if (no) return no;
        const at = location(disk, claim.address);
        for (let seq = events.from; seq <= events.to; seq++) at.events.delete(seq);
        for (const item of inbox) at.inbox[item.lane].delete(item.offset);
        for (const id of entries) at.entries.delete(id);
        for (const id of records) at.records.delete(id);
        return OK;
      });
    },
    aged: (address, _cursor, entriesBeforeMs, recordsBeforeMs) =>
      look(() => {
        const at = disk.locations.get(address);
        const entries = [...(at?.entries ?? [])].filter(([, it]) => final(it.status) && older(it.text, entriesBeforeMs));
        const records = [...(at?.records ?? [])].filter(([, text]) => older(text, recordsBeforeMs));
        return { cursor: '0', entries: entries.map(([id]) => id), records: records.map(([id]) => id) };
      }),
    size: (address) => look(() => fields(disk.locations.get(address))),
    published: (claim, seq) =>
      ask(() => {
        const no = refused(disk, claim);
        if (no) return no;
        const at = location(disk, claim.address);
        at.published = Math.max(at.published, seq);
        return OK;
      }),

    mark: (claim, partition) =>
      ask(() => {
        const no = refused(disk, claim);
        if (no) return no;
        index(disk, partition).set(claim.address, claim.epoch);
        return OK;
      }),
    markInbox: (address, partition, generation) =>
      ask(() => {
        const no = otherGeneration(disk, generation);
        if (no) return no;
        if (!index(disk, partition).has(address)) index(disk, partition).set(address, 0);
        return OK;
      }),
    unmark: (claim, partition) =>
      ask(() => {
        const no = refused(disk, claim);
        if (no) return no;
        if (waiting(location(disk, claim.address))) return { kind: 'busy' } as const;
        index(disk, partition).delete(claim.address);
        return OK;
      }),
    marked: (partition) => look(() => [...index(disk, partition)].sort(([, a], [, b]) => a - b).map(([address]) => address)),

    setApplied: (key, offset, newestMs, generation, accepted = false) =>
      ask(() => {
        const no = otherGeneration(disk, generation);
        if (no) return no;
        const had = disk.applied.get(canary(key));
        disk.applied.set(canary(key), {
          offset: accepted ? offset : Math.max(offset, had?.offset ?? 0),
          newestMs: Math.max(newestMs, had?.newestMs ?? 0),
          life: disk.life() ?? '',
          generation,
        });
        return OK;
      }),
    applied: (key) => look((): Applied | undefined => disk.applied.get(canary(key))),
  };
}

const canary = (key: PartitionKey) => JSON.stringify([key.group, key.topic, key.partition]);
const final = (status: EntryStatus) => status === 'done' || status === 'refused';

function location(disk: MemoryDisk, address: Address): MemoryLocation {
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
  };
  disk.locations.set(address, made);
  return made;
}
function index(disk: MemoryDisk, partition: number): Map<Address, number> {
  const had = disk.dirty.get(partition) ?? new Map<Address, number>();
  disk.dirty.set(partition, had);
  return had;
}
function located(at: MemoryLocation): Located {
  const header = Object.fromEntries([...at.header].filter(([, text]) => text !== '')) as Header;
  const inbox = { customer: at.inbox.customer.size, bulk: at.inbox.bulk.size };
  return { epoch: at.epoch, owner: at.owner, seq: at.seq, published: at.published, header, inbox };
}
function fields(at: MemoryLocation | undefined): number {
  if (!at) return 0;
  const own = (at.epoch > 0 ? 2 : 0) + (at.seq > 0 ? 1 : 0) + (at.published > 0 ? 1 : 0) + at.header.size;
  return own + at.events.size + at.entries.size + at.records.size + at.inbox.customer.size + at.inbox.bulk.size;
}
function waiting(at: MemoryLocation): boolean {
  const { header, inbox } = located(at);
  const held = header.intent ?? header.parked ?? header.frozen ?? header.paused;
  return held !== undefined || at.published < at.seq || inbox.customer > 0 || inbox.bulk > 0;
}
/** The time at the top of an entry's or a record's JSON. */
function older(text: string, beforeMs: number): boolean {
  const { t } = JSON.parse(text) as { readonly t?: unknown };
  return typeof t === 'number' && t < beforeMs;
}

function otherGeneration(disk: MemoryDisk, generation: string): OtherGeneration | undefined {
  return disk.generation === generation ? undefined : { kind: 'generation', found: disk.generation ?? '' };
}
/** The law before every fenced write, in the order in which Redis judges it: life, generation, epoch. */
function refused(disk: MemoryDisk, claim: Claim): NewLife | OtherGeneration | Fenced | undefined {
  if (claim.life !== disk.life()) return { kind: 'new-life' };
  const other = otherGeneration(disk, claim.generation);
  if (other) return other;
  const epoch = disk.locations.get(claim.address)?.epoch ?? 0;
  return epoch === claim.epoch ? undefined : { kind: 'fenced', epoch };
}

function claimed(disk: MemoryDisk, address: Address, owner: string, generation: string) {
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

function committed(at: MemoryLocation, change: Change) {
  if (at.seq !== change.seq) return { kind: 'seq' as const, seq: at.seq };
  const offenders: Offender[] = [];
  for (const { commandId, hash, status } of change.entries) {
    const entry = at.entries.get(commandId);
    if (!entry) continue;
    if (entry.hash !== hash) offenders.push({ commandId, why: 'ID_REUSED', entry });
    else if (!next[entry.status].includes(status)) offenders.push({ commandId, why: 'TRANSITION', entry });
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

function appended(at: MemoryLocation, item: InboxItem, entry: Entry) {
  const known = at.entries.get(item.commandId);
  if (known) return known.hash === entry.hash ? { kind: 'known' as const, entry: known } : { kind: 'id-reused' as const };
  const there = at.inbox[item.lane].get(item.offset);
  if (there && there.commandId !== item.commandId) return { kind: 'recreated' as const, found: there.commandId };
  at.inbox[item.lane].set(item.offset, { commandId: item.commandId, text: item.text });
  at.entries.set(item.commandId, entry);
  return OK;
}
