/** What each request does to one location in the embedded file, and what it answers: the laws that infra/redis holds in its scripts. */
import type { Address } from '../../src/message/address.ts';
import { mayFollow } from '../../src/message/change.ts';
import type { Change, Claim, Entry, Fenced, Header, InboxItem, Located, NewLife, Offender, Ok, OtherGeneration } from '../../src/ports.ts';
import type { EmbeddedFile } from './file.ts';

export const OK: Ok = { kind: 'ok' };
const GENERATION_STEP = 2 ** 32;

const HEADERS = ['state', 'intent', 'parked', 'frozen', 'paused', 'timers'] as const;
type Place = { readonly id: number; readonly epoch: number; readonly seq: number; readonly published: number };
export type Row = Place & { readonly owner: string } & Readonly<Record<(typeof HEADERS)[number], string | null>>;

export const placeOf = (file: EmbeddedFile, address: Address) =>
  file.get<Place>('SELECT id, epoch, seq, published FROM location WHERE address = ?', address);
export const rowOf = (file: EmbeddedFile, address: Address) => file.get<Row>('SELECT * FROM location WHERE address = ?', address);
function made(file: EmbeddedFile, address: Address): Row {
  file.run("INSERT INTO location(address, epoch, owner, seq, published) VALUES (?, 0, '', 0, 0) ON CONFLICT DO NOTHING", address);
  return rowOf(file, address) as Row;
}
const count = (file: EmbeddedFile, sql: string, ...values: readonly (string | number)[]): number =>
  file.get<{ readonly n: number }>(sql, ...values)?.n ?? 0;
const inboxed = (file: EmbeddedFile, id: number, lane: string): number =>
  count(file, 'SELECT count(*) AS n FROM inbox WHERE location = ? AND lane = ?', id, lane);

export function located(file: EmbeddedFile, row: Row): Located {
  const header = Object.fromEntries(HEADERS.flatMap((name) => (row[name] === null ? [] : [[name, row[name]]]))) as Header;
  const inbox = { customer: inboxed(file, row.id, 'customer'), bulk: inboxed(file, row.id, 'bulk') };
  return { epoch: row.epoch, owner: row.owner, seq: row.seq, published: row.published, header, inbox };
}
/** As many fields as the location would have in Redis. */
export function fields(file: EmbeddedFile, row: Row): number {
  const own = (row.epoch > 0 ? 2 : 0) + (row.seq > 0 ? 1 : 0) + (row.published > 0 ? 1 : 0);
  const headers = HEADERS.filter((name) => row[name] !== null).length;
  const tables = ['event', 'entry', 'record', 'inbox'];
  return tables.reduce((sum, it) => sum + count(file, `SELECT count(*) AS n FROM ${it} WHERE location = ?`, row.id), own + headers);
}
export function waiting(file: EmbeddedFile, address: Address): boolean {
  const row = rowOf(file, address);
  if (row === undefined) return false;
  const held = row.intent ?? row.parked ?? row.frozen ?? row.paused ?? row.timers;
  return held !== null || row.published < row.seq || inboxed(file, row.id, 'customer') + inboxed(file, row.id, 'bulk') > 0;
}

const generationOf = (file: EmbeddedFile): string | undefined =>
  file.get<{ readonly value: string }>("SELECT value FROM meta WHERE name = 'generation'")?.value;
export function otherGeneration(file: EmbeddedFile, generation: string): OtherGeneration | undefined {
  const found = generationOf(file);
  return found === generation ? undefined : { kind: 'generation', found: found ?? '' };
}
/** The law before every fenced write, in the order in which Redis judges it: life, generation, epoch. */
export function refused(file: EmbeddedFile, claim: Claim): NewLife | OtherGeneration | Fenced | Place {
  if (claim.life !== file.life()) return { kind: 'new-life' };
  const other = otherGeneration(file, claim.generation);
  if (other) return other;
  const place = placeOf(file, claim.address);
  return place?.epoch === claim.epoch ? place : { kind: 'fenced', epoch: place?.epoch ?? 0 };
}

export function claimed(file: EmbeddedFile, address: Address, owner: string, generation: string) {
  const no = otherGeneration(file, generation);
  if (no) return no;
  const row = made(file, address);
  const epoch = Math.max(row.epoch, Number.parseInt(generation, 10) * GENERATION_STEP) + 1;
  file.run('UPDATE location SET epoch = ?, owner = ? WHERE id = ?', epoch, owner, row.id);
  const unpublished = file
    .all<{ readonly seq: number; readonly text: string }>(
      'SELECT seq, text FROM event WHERE location = ? AND seq > ? AND seq <= ? ORDER BY seq',
      row.id,
      row.published,
      row.seq,
    )
    .map(({ seq, text }) => ({ address, seq, text }));
  if (unpublished.length < row.seq - row.published)
    return { kind: 'unanswered' as const, why: `of the events ${row.published + 1} to ${row.seq} of ${address} some are gone` };
  const claim: Claim = { address, epoch, generation, life: file.life() ?? '' };
  return { kind: 'claimed' as const, ...located(file, { ...row, epoch, owner }), claim, unpublished };
}

const entryOf = (file: EmbeddedFile, id: number, commandId: string): Entry | undefined => {
  const row = file.get<Entry>('SELECT status, hash, text FROM entry WHERE location = ? AND command = ?', id, commandId);
  return row && { status: row.status, hash: row.hash, text: row.text };
};
const recordOf = (file: EmbeddedFile, id: number, commandId: string): string | undefined =>
  file.get<{ readonly text: string }>('SELECT text FROM record WHERE location = ? AND command = ?', id, commandId)?.text;
const putEntry = (file: EmbeddedFile, id: number, commandId: string, { status, hash, text }: Entry): void => {
  const sql = `INSERT INTO entry VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET status = excluded.status, hash = excluded.hash, text = excluded.text`;
  file.run(sql, id, commandId, status, hash, text);
};

export function known(file: EmbeddedFile, id: number | undefined, commandId: string) {
  const entry = id === undefined ? undefined : entryOf(file, id, commandId);
  const record = id === undefined ? undefined : recordOf(file, id, commandId);
  return { ...(entry && { entry }), ...(record !== undefined && { record }) };
}

function offenders(file: EmbeddedFile, id: number, change: Change): readonly Offender[] {
  const found: Offender[] = [];
  for (const { commandId, hash, status } of change.entries) {
    const entry = entryOf(file, id, commandId);
    if (!entry) continue;
    if (entry.hash !== hash) found.push({ commandId, why: 'ID_REUSED', entry });
    else if (!mayFollow(status, entry.status)) found.push({ commandId, why: 'TRANSITION', entry });
  }
  for (const commandId of change.unrecorded) {
    const record = recordOf(file, id, commandId);
    if (record !== undefined) found.push({ commandId, why: 'RECORDED', record });
  }
  return found;
}

export function committed(file: EmbeddedFile, { id, seq }: Place, change: Change) {
  if (seq !== change.seq) return { kind: 'seq' as const, seq };
  const found = offenders(file, id, change);
  if (found.length > 0) return { kind: 'refused' as const, offenders: found };
  for (const event of change.events)
    file.run('INSERT INTO event VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET text = excluded.text', id, event.seq, event.text);
  for (const entry of change.entries) putEntry(file, id, entry.commandId, entry);
  for (const { commandId, text } of change.records)
    file.run('INSERT INTO record VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET text = excluded.text', id, commandId, text);
  const sets = HEADERS.map((name) => `${name} = nullif(coalesce(?, ${name}), '')`).join(', ');
  const headers = HEADERS.map((name) => change.header[name] ?? null);
  const sql = `UPDATE location SET seq = ?, published = max(published, ?), ${sets} WHERE id = ?`;
  file.run(sql, seq + change.events.length, change.published ?? 0, ...headers, id);
  return OK;
}

export function appended(file: EmbeddedFile, address: Address, item: InboxItem, entry: Entry) {
  const { id } = made(file, address);
  const there = entryOf(file, id, item.commandId);
  if (there) return there.hash === entry.hash ? { kind: 'known' as const, entry: there } : { kind: 'id-reused' as const };
  const sql = 'SELECT command FROM inbox WHERE location = ? AND lane = ? AND "offset" = ?';
  const found = file.get<{ readonly command: string }>(sql, id, item.lane, item.offset)?.command;
  if (found !== undefined && found !== item.commandId) return { kind: 'recreated' as const, found };
  const put = 'INSERT INTO inbox VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET text = excluded.text';
  file.run(put, id, item.lane, item.offset, item.commandId, item.text);
  putEntry(file, id, item.commandId, entry);
  return OK;
}
