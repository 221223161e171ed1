/** The state store in Redis: one hash per location, every change one fenced Lua script with one write, bound to one life of the store. */
import { LocusError } from '../../src/errors.ts';
import type { Address } from '../../src/message/address.ts';
import type { Applied, Change, Claim, Committed, Entry, Inboxed, InboxItem, Located, PartitionKey, StateStore } from '../../src/ports.ts';
import { commitValues } from './change.ts';
import { claim } from './claim.ts';
import type { RedisOptions } from './connection.ts';
import { type Inbox, redisInbox } from './inbox.ts';
import {
  canaryKey,
  dirtyKey,
  entryField,
  eventField,
  GENERATION,
  type InboxLane,
  inboxField,
  inboxKey,
  LAYOUT,
  LOCATED_FIELDS,
  locationKey,
  recordField,
  unpackEntry,
  unpackLocated,
} from './keys.ts';
import type { Policy } from './policy.ts';
import { redisSession, type Session } from './session.ts';
import { committed, fenced, OK, unfenced, unmarked } from './verdict.ts';

/** Fields in one page of HSCAN. */
const PAGE = 1_000;
const TRIM_MAX = 1_000;

export type RedisStateStoreOptions = RedisOptions & Policy;

export const redisStateStore = (options: RedisStateStoreOptions): StateStore => new RedisStateStore(options);

class RedisStateStore implements StateStore {
  readonly #options: RedisStateStoreOptions;
  readonly #listeners: ((life: string) => void)[] = [];
  readonly #session: Session;
  readonly #inbox: Inbox;

  constructor(options: RedisStateStoreOptions) {
    this.#options = options;
    this.#session = redisSession(options, (life) => this.#listeners.forEach((heard) => void heard(life)));
    this.#inbox = redisInbox(this.#session);
  }

  start(): Promise<void> {
    return this.#session.start();
  }
  stop(): Promise<void> {
    return this.#session.stop();
  }
  life(): string | undefined {
    return this.#session.life();
  }
  trouble(): string | undefined {
    return this.#session.trouble();
  }
  onReconnect(heard: (life: string) => void): void {
    this.#listeners.push(heard);
  }

  async generation(): Promise<string | undefined> {
    return (await this.#session.read((client) => client.get(GENERATION))) ?? undefined;
  }
  async setGeneration(number: number, instead: string | undefined): Promise<string> {
    const made = `${number}:${this.#options.random.hex(8)}`;
    const answer = await this.#session.run(this.#now(), 'generation', [GENERATION], [instead ?? '', made]);
    if (answer.kind === 'answer') return (answer.value as string | null) ?? '';
    throw new LocusError('STORE_DOWN', `Redis did not say which generation stands: ${answer.kind}`);
  }
  layout(name: string, figure: number): Promise<number> {
    return this.#session.read(async (client) => {
      await client.hsetnx(LAYOUT, name, figure);
      return Number(await client.hget(LAYOUT, name));
    });
  }

  claim(address: Address, owner: string, generation: string): ReturnType<StateStore['claim']> {
    return claim(this.#session, address, owner, generation);
  }
  async commit(claim: Claim, change: Change): Promise<Committed> {
    const keys = [locationKey(claim.address), GENERATION];
    return committed(await this.#session.run(claim.life, 'commit', keys, commitValues(claim, change)));
  }
  recall(address: Address, commandIds: readonly string[]): ReturnType<StateStore['recall']> {
    return recall(this.#session, address, commandIds);
  }
  read(address: Address): Promise<Located | undefined> {
    return this.#session.read(async (client) => {
      const fields = client.hmget(locationKey(address), 'e', 'o', ...LOCATED_FIELDS);
      const counts = [client.zcard(inboxKey(address, 'customer')), client.zcard(inboxKey(address, 'bulk'))];
      const [[epoch, owner, ...rest], [customer = 0, bulk = 0]] = await Promise.all([fields, Promise.all(counts)]);
      if (!epoch && customer + bulk === 0) return undefined;
      return unpackLocated(epoch ?? '0', owner ?? '', rest, customer, bulk);
    });
  }

  append(address: Address, item: InboxItem, entry: Entry, generation: string): Promise<Inboxed> {
    return this.#inbox.append(address, item, entry, generation);
  }
  inbox(address: Address, lane: InboxLane, limit: number): Promise<readonly InboxItem[]> {
    return this.#inbox.inbox(address, lane, limit);
  }
  async trim(claim: Claim, what: Parameters<StateStore['trim']>[1]): ReturnType<StateStore['trim']> {
    const names = [...(what.entries ?? []).map(entryField), ...(what.records ?? []).map(recordField)];
    for (let seq = what.events?.from ?? 1; seq <= (what.events?.to ?? 0); seq++) names.push(eventField(seq));
    for (const { lane, offset } of what.inbox ?? []) names.push(inboxField(lane, offset));
    if (names.length > TRIM_MAX) throw new RangeError(`a trim of ${names.length} names: at most ${TRIM_MAX}, split it`);
    const values = [String(what.events?.to ?? 0), ...names];
    const trimmed = fenced(await this.#fenced(claim, 'trim', [locationKey(claim.address), GENERATION], values));
    if (trimmed.kind !== 'ok') return trimmed;
    return (await this.#inbox.agree(claim.life, claim.address, what.inbox ?? [])) ?? OK;
  }
  aged(address: Address, cursor: string, entriesBeforeMs: number, recordsBeforeMs: number): ReturnType<StateStore['aged']> {
    return aged(this.#session, address, cursor, entriesBeforeMs, recordsBeforeMs);
  }
  size(address: Address): Promise<number> {
    return this.#session.read((client) => client.hlen(locationKey(address)));
  }
  async published(claim: Claim, seq: number): ReturnType<StateStore['published']> {
    return fenced(await this.#fenced(claim, 'published', [locationKey(claim.address), GENERATION], [String(seq)]));
  }

  async mark(claim: Claim, partition: number): ReturnType<StateStore['mark']> {
    const keys = [dirtyKey(partition), locationKey(claim.address), GENERATION];
    return fenced(await this.#fenced(claim, 'mark', keys, [claim.address]));
  }
  async markInbox(address: Address, partition: number, generation: string): ReturnType<StateStore['markInbox']> {
    return unfenced(await this.#session.run(this.#now(), 'mark-inbox', [dirtyKey(partition), GENERATION], [generation, address]));
  }
  async unmark(claim: Claim, partition: number): ReturnType<StateStore['unmark']> {
    const inboxes = [inboxKey(claim.address, 'customer'), inboxKey(claim.address, 'bulk')];
    const keys = [dirtyKey(partition), locationKey(claim.address), GENERATION, ...inboxes];
    return unmarked(await this.#fenced(claim, 'unmark', keys, [claim.address]));
  }
  marked(partition: number): Promise<readonly Address[]> {
    return this.#session.read((client) => client.zrange(dirtyKey(partition), '0', '-1'));
  }

  async setApplied(
    key: PartitionKey,
    offset: number,
    newestMs: number,
    generation: string,
    accepted = false,
  ): ReturnType<StateStore['setApplied']> {
    const life = this.#now();
    const values = [generation, life, String(offset), String(newestMs), accepted ? '1' : '0'];
    return unfenced(await this.#session.run(life, 'applied', [canaryKey(key), GENERATION], values));
  }
  applied(key: PartitionKey): Promise<Applied | undefined> {
    return this.#session.read(async (client) => {
      const [offset, newest, life, generation] = await client.hmget(canaryKey(key), 'offset', 'newest', 'life', 'generation');
      if (!offset || !life || !generation) return undefined;
      return { offset: Number(offset), newestMs: Number(newest), life, generation };
    });
  }

  #fenced(claim: Claim, script: 'trim' | 'published' | 'mark' | 'unmark', keys: readonly string[], values: readonly string[]) {
    return this.#session.run(claim.life, script, keys, [String(claim.epoch), claim.generation, ...values]);
  }
  /** For what carries no claim: the life of this moment, if there is one. */
  #now(): string {
    return this.#session.life() ?? '';
  }
}

async function recall(session: Session, address: Address, commandIds: readonly string[]) {
  if (commandIds.length === 0) return [];
  const names = commandIds.flatMap((id) => [entryField(id), recordField(id)]);
  const found = await session.read((client) => client.hmget(locationKey(address), ...names));
  return commandIds.map((_, i) => {
    const entry = found[2 * i];
    const record = found[2 * i + 1];
    return { ...(entry && { entry: unpackEntry(entry) }), ...(typeof record === 'string' && { record }) };
  });
}

/** One page of HSCAN: for the trimmer alone, who is in no hurry. */
async function aged(session: Session, address: Address, cursor: string, entriesBeforeMs: number, recordsBeforeMs: number) {
  const [next, found] = await session.read((client) => client.hscan(locationKey(address), cursor, 'MATCH', '[dr]:*', 'COUNT', PAGE));
  const entries: string[] = [];
  const records: string[] = [];
  for (let i = 0; i < found.length; i += 2) {
    const [name = '', value = ''] = found.slice(i, i + 2);
    const id = name.slice(2);
    if (name.startsWith('r:')) {
      if (older(value, recordsBeforeMs)) records.push(id);
      continue;
    }
    const { status, text } = unpackEntry(value);
    if ((status === 'done' || status === 'refused') && older(text, entriesBeforeMs)) entries.push(id);
  }
  return { cursor: next, entries, records };
}
/** The time at the top of an entry's or a record's first line of JSON; the lines after it are the outcome, as its caller gets it. */
function older(text: string, beforeMs: number): boolean {
  const end = text.indexOf('\n');
  const { t } = JSON.parse(end < 0 ? text : text.slice(0, end)) as { readonly t?: unknown };
  return typeof t === 'number' && t < beforeMs;
}
