/** The state store of the embedded mode: the same answers as infra/redis, from the file that this process holds alone. */
import { LocusError } from '../../src/errors.ts';
import type { Address } from '../../src/message/address.ts';
import { assertChange, assertHash } from '../../src/message/change.ts';
import type {
  Applied,
  Change,
  Claim,
  Down,
  Entry,
  EntryStatus,
  InboxItem,
  PartitionKey,
  Random,
  StateStore,
  Unanswered,
} from '../../src/ports.ts';
import type { EmbeddedFile } from './file.ts';
import { appended, claimed, committed, fields, known, located, OK, otherGeneration, placeOf, refused, rowOf, waiting } from './location.ts';

const TRIM_MAX = 1_000;
const PAGE = 1_000;

export const embeddedStateStore = (file: EmbeddedFile, options: { readonly random: Random }): StateStore =>
  new EmbeddedStateStore(file, options.random);

class EmbeddedStateStore implements StateStore {
  readonly #file: EmbeddedFile;
  readonly #random: Random;
  readonly #listeners: ((life: string) => void)[] = [];
  #running = false;
  #stopListening = () => {};

  constructor(file: EmbeddedFile, random: Random) {
    this.#file = file;
    this.#random = random;
  }

  async start() {
    if (this.#file.life() === undefined) throw new LocusError('STORE_DOWN', 'the embedded file is closed');
    if (!this.#running) this.#stopListening = this.#file.onReturn((life) => this.#listeners.forEach((heard) => void heard(life)));
    this.#running = true;
  }
  async stop() {
    this.#running = false;
    this.#stopListening();
  }
  life() {
    return this.#running ? this.#file.life() : undefined;
  }
  onReconnect(heard: (life: string) => void) {
    this.#listeners.push(heard);
  }

  generation() {
    return this.#file.read(() => this.#meta('generation'));
  }
  setGeneration(number: number, instead: string | undefined) {
    return this.#must(() => {
      if (this.#meta('generation') === instead) this.#setMeta('generation', `${number}:${this.#random.hex(8)}`);
      return this.#meta('generation') ?? '';
    });
  }
  layout(name: string, figure: number) {
    return this.#must(() => {
      const stands = this.#meta(`layout ${name}`);
      if (stands === undefined) this.#setMeta(`layout ${name}`, String(figure));
      return Number(stands ?? figure);
    });
  }

  claim(address: Address, owner: string, generation: string) {
    return this.#ask(() => claimed(this.#file, address, owner, generation));
  }
  async commit(claim: Claim, change: Change) {
    assertChange(change);
    return this.#fenced(claim, (place) => committed(this.#file, place, change));
  }
  recall(address: Address, commandIds: readonly string[]) {
    return this.#file.read(() => {
      const id = placeOf(this.#file, address)?.id;
      return commandIds.map((commandId) => known(this.#file, id, commandId));
    });
  }
  read(address: Address) {
    return this.#file.read(() => {
      const row = rowOf(this.#file, address);
      const seen = row && located(this.#file, row);
      return seen && (seen.epoch > 0 || seen.inbox.customer + seen.inbox.bulk > 0) ? seen : undefined;
    });
  }

  async append(address: Address, item: InboxItem, entry: Entry, generation: string) {
    assertHash(entry);
    return this.#ask(() => otherGeneration(this.#file, generation) ?? appended(this.#file, address, item, entry));
  }
  inbox(address: Address, lane: 'customer' | 'bulk', limit: number) {
    const sql = `SELECT "offset", command, text FROM inbox
      WHERE location = (SELECT id FROM location WHERE address = ?) AND lane = ? ORDER BY "offset" LIMIT ?`;
    return this.#file.read(() =>
      this.#file
        .all<{ readonly offset: number; readonly command: string; readonly text: string }>(sql, address, lane, limit)
        .map(({ offset, command, text }) => ({ lane, offset, commandId: command, text })),
    );
  }
  async trim(claim: Claim, what: Parameters<StateStore['trim']>[1]) {
    const { events = { from: 1, to: 0 }, inbox = [], entries = [], records = [] } = what;
    const names = events.to - events.from + 1 + inbox.length + entries.length + records.length;
    if (names > TRIM_MAX) throw new RangeError(`a trim of ${names} names: at most ${TRIM_MAX}, split it`);
    const file = this.#file;
    const answer = await this.#fenced(claim, ({ id, published }) => {
      if (events.to > published) return { kind: 'unpublished' } as const;
      file.run('DELETE FROM event WHERE location = ? AND seq BETWEEN ? AND ?', id, events.from, events.to);
      for (const it of inbox) file.run('DELETE FROM inbox WHERE location = ? AND lane = ? AND "offset" = ?', id, it.lane, it.offset);
      for (const command of entries) file.run('DELETE FROM entry WHERE location = ? AND command = ?', id, command);
      for (const command of records) file.run('DELETE FROM record WHERE location = ? AND command = ?', id, command);
      return OK;
    });
    if (answer.kind !== 'unpublished') return answer;
    throw new Error(`event ${events.to} of ${claim.address} is not published: it cannot be forgotten`);
  }
  /** A page holds so many ids, old or not: the loop must not stand still while a million are looked through. */
  aged(address: Address, cursor: string, entriesBeforeMs: number, recordsBeforeMs: number) {
    type Found = { readonly command: string; readonly status: EntryStatus | 'record'; readonly head: string };
    const table = cursor.startsWith('record ') ? 'record' : 'entry';
    const after = cursor === '0' ? '' : cursor.slice(table.length + 1);
    const status = table === 'entry' ? 'status' : `'record' AS status`;
    const sql = `SELECT command, ${status}, substr(text, 1, instr(text || char(10), char(10)) - 1) AS head FROM ${table}
      WHERE location = (SELECT id FROM location WHERE address = ?) AND command > ? ORDER BY command LIMIT ${PAGE}`;
    return this.#file.read(() => {
      const page = this.#file.all<Found>(sql, address, after);
      const beforeMs = table === 'entry' ? entriesBeforeMs : recordsBeforeMs;
      const ids = page.filter((it) => isForgettable(it.status) && older(it.head, beforeMs)).map((it) => it.command);
      const more = page.length === PAGE ? `${table} ${page.at(-1)?.command}` : table === 'entry' ? 'record ' : '0';
      return { cursor: more, entries: table === 'entry' ? ids : [], records: table === 'record' ? ids : [] };
    });
  }
  size(address: Address) {
    return this.#file.read(() => {
      const row = rowOf(this.#file, address);
      return row === undefined ? 0 : fields(this.#file, row);
    });
  }
  published(claim: Claim, seq: number) {
    return this.#fenced(claim, ({ id }) => {
      this.#file.run('UPDATE location SET published = max(published, ?) WHERE id = ?', seq, id);
      return OK;
    });
  }

  mark(claim: Claim, partition: number) {
    return this.#fenced(claim, () => {
      const sql = 'INSERT INTO dirty VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET epoch = excluded.epoch';
      this.#file.run(sql, partition, claim.address, claim.epoch);
      return OK;
    });
  }
  markInbox(address: Address, partition: number, generation: string) {
    return this.#ask(() => {
      const no = otherGeneration(this.#file, generation);
      if (no) return no;
      this.#file.run('INSERT INTO dirty VALUES (?, ?, 0) ON CONFLICT DO NOTHING', partition, address);
      return OK;
    });
  }
  unmark(claim: Claim, partition: number) {
    return this.#fenced(claim, () => {
      if (waiting(this.#file, claim.address)) return { kind: 'busy' } as const;
      this.#file.run('DELETE FROM dirty WHERE partition = ? AND address = ?', partition, claim.address);
      return OK;
    });
  }
  marked(partition: number) {
    const sql = 'SELECT address FROM dirty WHERE partition = ? ORDER BY epoch, address';
    return this.#file.read(() => this.#file.all<{ readonly address: Address }>(sql, partition).map((it) => it.address));
  }

  setApplied(key: PartitionKey, offset: number, newestMs: number, generation: string, accepted = false) {
    return this.#ask(() => {
      const no = otherGeneration(this.#file, generation);
      if (no) return no;
      const sql = `INSERT INTO applied VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "offset" = max(excluded."offset", ? * "offset"),
        newestMs = max(excluded.newestMs, newestMs), life = excluded.life, generation = excluded.generation`;
      this.#file.run(sql, canary(key), offset, newestMs, this.#file.life() ?? '', generation, accepted ? 0 : 1);
      return OK;
    });
  }
  applied(key: PartitionKey) {
    const sql = 'SELECT "offset", life, generation, newestMs FROM applied WHERE name = ?';
    return this.#file.read((): Applied | undefined => {
      const row = this.#file.get<Applied>(sql, canary(key));
      return row && { offset: row.offset, life: row.life, generation: row.generation, newestMs: row.newestMs };
    });
  }

  #meta(name: string): string | undefined {
    return this.#file.get<{ readonly value: string }>('SELECT value FROM meta WHERE name = ?', name)?.value;
  }
  #setMeta(name: string, value: string): void {
    this.#file.run('INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value', name, value);
  }
  async #ask<T>(work: () => T): Promise<T | Down | Unanswered> {
    const answer = await this.#file.write(work);
    return answer.kind === 'written' ? answer.value : answer;
  }
  #fenced<T>(claim: Claim, work: (place: NonNullable<ReturnType<typeof placeOf>>) => T) {
    return this.#ask(() => {
      const place = refused(this.#file, claim);
      return 'kind' in place ? place : work(place);
    });
  }
  async #must<T>(work: () => T): Promise<T> {
    const answer = await this.#file.write(work);
    if (answer.kind === 'written') return answer.value;
    throw new LocusError('STORE_DOWN', `the state store did not answer: ${answer.why}`);
  }
}

const isForgettable = (status: EntryStatus | 'record'): boolean => status === 'done' || status === 'refused' || status === 'record';
/** The time at the top of an entry's or a record's first line of JSON. */
function older(head: string, beforeMs: number): boolean {
  const { t } = JSON.parse(head) as { readonly t?: unknown };
  return typeof t === 'number' && t < beforeMs;
}
const canary = (key: PartitionKey) => JSON.stringify([key.group, key.topic, key.partition]);
