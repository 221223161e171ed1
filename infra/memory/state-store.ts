/** The state store's memory twin: the same answers as infra/redis over a shared MemoryDisk. */
import { LocusError, sentence } from '../../src/errors.ts';
import type { Address } from '../../src/message/address.ts';
import { assertChange, assertHash } from '../../src/message/change.ts';
import type { Applied, Change, Claim, Down, Entry, InboxItem, PartitionKey, Random, StateStore, Unanswered } from '../../src/ports.ts';
import type { MemoryDisk, MemoryLocation } from './disk.ts';
import {
  agreed,
  appended,
  claimed,
  committed,
  fields,
  final,
  index,
  located,
  location,
  OK,
  older,
  otherGeneration,
  refused,
  waiting,
} from './location.ts';

const LOST: Unanswered = { kind: 'unanswered', why: 'the answer was lost' };
const AWAY: Down = { kind: 'down', why: 'the store is away' };
const TRIM_MAX = 1_000;

export const memoryStateStore = (disk: MemoryDisk, options: { readonly random: Random }): StateStore =>
  new MemoryStateStore(disk, options.random);

class MemoryStateStore implements StateStore {
  readonly #disk: MemoryDisk;
  readonly #random: Random;
  readonly #listeners: ((life: string) => void)[] = [];
  #running = false;
  #stopListening = () => {};

  constructor(disk: MemoryDisk, random: Random) {
    this.#disk = disk;
    this.#random = random;
  }

  async start() {
    const { faults } = this.#disk;
    if (this.#disk.life() === undefined) throw new LocusError('STORE_DOWN', 'the state store cannot be reached');
    if (faults.length > 0)
      throw new LocusError('STORE_POLICY', `the state store is not durable: ${faults.map(sentence).join('; ')}`, { faults });
    if (!this.#running) this.#stopListening = this.#disk.onReturn((life) => this.#listeners.forEach((heard) => void heard(life)));
    this.#running = true;
  }
  async stop() {
    this.#running = false;
    this.#stopListening();
  }
  life() {
    return this.#running ? this.#disk.life() : undefined;
  }
  onReconnect(heard: (life: string) => void) {
    this.#listeners.push(heard);
  }

  generation() {
    return this.#look(() => this.#disk.generation);
  }
  setGeneration(number: number, instead: string | undefined) {
    const made = `${number}:${this.#random.hex(8)}`;
    return this.#told(() => {
      if (this.#disk.generation === instead) this.#disk.generation = made;
      return this.#disk.generation ?? '';
    });
  }
  layout(name: string, figure: number) {
    return this.#told(() => {
      const stands = this.#disk.layout.get(name) ?? figure;
      this.#disk.layout.set(name, stands);
      return stands;
    });
  }

  claim(address: Address, owner: string, generation: string) {
    return this.#ask(() => claimed(this.#disk, address, owner, generation));
  }
  async commit(claim: Claim, change: Change) {
    assertChange(change);
    return this.#fenced(claim, (at) => committed(at, change));
  }
  recall(address: Address, commandIds: readonly string[]) {
    return this.#look(() => {
      const at = this.#disk.locations.get(address);
      return commandIds.map((id) => {
        const entry = at?.entries.get(id);
        const record = at?.records.get(id);
        return { ...(entry && { entry }), ...(record !== undefined && { record }) };
      });
    });
  }
  read(address: Address) {
    return this.#look(() => {
      const at = this.#disk.locations.get(address);
      return at && (at.epoch > 0 || at.line.customer.size + at.line.bulk.size > 0) ? located(at) : undefined;
    });
  }

  async append(address: Address, item: InboxItem, entry: Entry, generation: string) {
    assertHash(entry);
    const life = this.life() ?? '';
    const answer = await this.#ask(() => otherGeneration(this.#disk, generation) ?? appended(location(this.#disk, address), item, entry));
    if (answer.kind !== 'ok' && answer.kind !== 'known') return answer;
    // Also for a known id: whoever wrote the item may have died before its place in line.
    return (await this.#agree(life, address, [item])) ?? answer;
  }
  async inbox(address: Address, lane: 'customer' | 'bulk', limit: number): Promise<readonly InboxItem[]> {
    for (;;) {
      const { named, items } = await this.#look(() => {
        const at = this.#disk.locations.get(address);
        const named = [...(at?.line[lane] ?? [])].sort((a, b) => a - b).slice(0, limit);
        const items = named.flatMap((offset) => {
          const it = at?.inbox[lane].get(offset);
          return it ? [{ lane, offset, ...it }] : [];
        });
        return { named, items };
      });
      if (items.length > 0 || named.length === 0) return items;
      // Only names of items that are gone: whoever trimmed them died before the line.
      const gone = named.map((offset) => ({ lane, offset }));
      if (await this.#agree(this.life() ?? '', address, gone)) return items;
    }
  }
  async trim(claim: Claim, what: Parameters<StateStore['trim']>[1]) {
    const { events = { from: 1, to: 0 }, inbox = [], entries = [], records = [] } = what;
    const names = events.to - events.from + 1 + inbox.length + entries.length + records.length;
    if (names > TRIM_MAX) throw new RangeError(`a trim of ${names} names: at most ${TRIM_MAX}, split it`);
    const trimmed = await this.#fenced(claim, (at) => {
      if (events.to > at.published) throw new Error(`event ${events.to} of ${claim.address} is not published: it cannot be forgotten`);
      for (let seq = events.from; seq <= events.to; seq++) at.events.delete(seq);
      for (const item of inbox) at.inbox[item.lane].delete(item.offset);
      for (const id of entries) at.entries.delete(id);
      for (const id of records) at.records.delete(id);
      return OK;
    });
    if (trimmed.kind !== 'ok') return trimmed;
    return (await this.#agree(claim.life, claim.address, inbox)) ?? OK;
  }
  aged(address: Address, _cursor: string, entriesBeforeMs: number, recordsBeforeMs: number) {
    return this.#look(() => {
      const at = this.#disk.locations.get(address);
      const entries = [...(at?.entries ?? [])].filter(([, it]) => final(it.status) && older(it.text, entriesBeforeMs));
      const records = [...(at?.records ?? [])].filter(([, text]) => older(text, recordsBeforeMs));
      return { cursor: '0', entries: entries.map(([id]) => id), records: records.map(([id]) => id) };
    });
  }
  size(address: Address) {
    return this.#look(() => fields(this.#disk.locations.get(address)));
  }
  published(claim: Claim, seq: number) {
    return this.#fenced(claim, (at) => {
      at.published = Math.max(at.published, seq);
      return OK;
    });
  }

  mark(claim: Claim, partition: number) {
    return this.#fenced(claim, () => {
      index(this.#disk, partition).set(claim.address, claim.epoch);
      return OK;
    });
  }
  markInbox(address: Address, partition: number, generation: string) {
    return this.#ask(() => {
      const no = otherGeneration(this.#disk, generation);
      if (no) return no;
      const marked = index(this.#disk, partition);
      if (!marked.has(address)) marked.set(address, 0);
      return OK;
    });
  }
  unmark(claim: Claim, partition: number) {
    return this.#fenced(claim, (at) => {
      if (waiting(at)) return { kind: 'busy' } as const;
      index(this.#disk, partition).delete(claim.address);
      return OK;
    });
  }
  marked(partition: number) {
    return this.#look(() => [...index(this.#disk, partition)].sort(byScore).map(([address]) => address));
  }

  setApplied(key: PartitionKey, offset: number, newestMs: number, generation: string, accepted = false) {
    return this.#ask(() => {
      const no = otherGeneration(this.#disk, generation);
      if (no) return no;
      const had = this.#disk.applied.get(canary(key));
      this.#disk.applied.set(canary(key), {
        offset: accepted ? offset : Math.max(offset, had?.offset ?? 0),
        newestMs: Math.max(newestMs, had?.newestMs ?? 0),
        life: this.#disk.life() ?? '',
        generation,
      });
      return OK;
    });
  }
  applied(key: PartitionKey) {
    return this.#look((): Applied | undefined => this.#disk.applied.get(canary(key)));
  }

  async #agree(life: string, address: Address, items: readonly Pick<InboxItem, 'lane' | 'offset'>[]) {
    if (items.length === 0) return undefined;
    const answer = await this.#ask(() =>
      life === this.#disk.life() ? agreed(location(this.#disk, address), items) : ({ kind: 'new-life' } as const),
    );
    return answer.kind === 'ok' ? undefined : answer;
  }

  /** Executed in the order of the calls; the answer comes later, or not. */
  async #ask<T>(work: () => T): Promise<T | Down | Unanswered> {
    if (this.life() === undefined) return AWAY;
    const fate = this.#disk.fate();
    if (fate === 'request') return LOST;
    const answer = this.#disk.execute(work);
    await Promise.resolve();
    return fate === 'reply' ? LOST : answer;
  }
  #fenced<T>(claim: Claim, work: (at: MemoryLocation) => T) {
    return this.#ask(() => refused(this.#disk, claim) ?? work(location(this.#disk, claim.address)));
  }
  /** Of a write whose callers know no other trouble than STORE_DOWN. */
  async #told<T>(work: () => T): Promise<T> {
    return seen(await this.#ask(() => ({ kind: 'seen' as const, value: work() })));
  }
  async #look<T>(work: () => T): Promise<T> {
    if (this.life() === undefined) return seen<T>(AWAY);
    const fate = this.#disk.fate();
    if (fate === 'request') return seen<T>(LOST);
    const value = work();
    await Promise.resolve();
    return seen(fate === 'reply' ? LOST : { kind: 'seen', value });
  }
}

function seen<T>(answer: { readonly kind: 'seen'; readonly value: T } | Down | Unanswered): T {
  if (answer.kind === 'seen') return answer.value;
  throw new LocusError('STORE_DOWN', `the state store did not answer: ${answer.why}`);
}
/** As a sorted set of Redis has them: by score, then by the bytes of the name. */
const byScore = ([one, a]: readonly [Address, number], [other, b]: readonly [Address, number]) => a - b || (one < other ? -1 : 1);
const canary = (key: PartitionKey) => JSON.stringify([key.group, key.topic, key.partition]);
