/** What the command line asks of a replica: each function is one command, given its words, and answers the text to print. */

import { sentence } from '../errors.ts';
import { checkCommandId, isOwnId, parseAddress } from '../message/address.ts';
import { type Client, EXIT, Failure } from './client.ts';
import { type Column, details, duration, type Row, table } from './print.ts';

export type Format = 'text' | 'json';
/** `exit` other than 0 for an answer that is no success; `note` goes to standard error. */
export type Said = { readonly text: string; readonly exit?: number; readonly note?: string };

export const usage = (message: string) => new Failure(EXIT.usage, message);

export function placeOf(address: string): string {
  const place = parseAddress(address, 'ADDRESS');
  if ('rule' in place) throw usage(sentence(place));
  return place.address;
}
export function idOf(commandId: string, field: string): string {
  const bad = checkCommandId(commandId, field);
  if (bad) throw usage(sentence(bad));
  return commandId;
}

export type Sending = { readonly id: string; readonly waitS: number; readonly format: Format };

/** What an answer may take beside the wait for the outcome. */
const PATIENCE_MS = 10_000;

export async function send(replica: Client, address: string, command: string, json: string, { id, waitS, format }: Sending): Promise<Said> {
  try {
    JSON.parse(json);
  } catch (error) {
    throw usage(`JSON is ${JSON.stringify(json)}: ${(error as Error).message}`);
  }
  if (isOwnId(id)) throw usage(`--id is "${id}": must not begin with ~`);
  const headers = { 'idempotency-key': idOf(id, '--id'), prefer: `wait=${waitS}` };
  const path = `/v1/${placeOf(address)}/${encodeURIComponent(command)}`;
  const again = `repeat it with --id ${id}`;
  const answer = await replica
    .call({ method: 'POST', path, headers, body: json, withinMs: waitS * 1_000 + PATIENCE_MS })
    .catch((error: unknown) => {
      const unsure = error instanceof Failure && error.unsure;
      throw unsure ? new Failure(error.exit, `${error.message}; it may have been accepted: ${again}`, error) : error;
    });
  const told = JSON.parse(answer.text) as Row;
  const exit = told.status === 'done' ? EXIT.done : EXIT.failed;
  const note = answer.status === 202 ? `not final yet: ${again} to hear its outcome` : undefined;
  const text = format === 'json' ? answer.text : details({ id, ...told });
  return { text, exit, ...(note === undefined ? {} : { note }) };
}

const LOCATIONS: readonly Column[] = [
  ['ADDRESS', (row) => row.address],
  ['PHASE', (row) => row.phase],
  ['PARTITION', (row) => row.partition],
  ['EPOCH', (row) => row.epoch],
  ['SEQ', (row) => row.seq],
  ['WAITING', (row) => row.waiting],
  ['LEASE LEFT', (row) => duration(row.leaseLeftMs)],
  ['HELD BY', (row) => row.heldBy],
  ['IN DOUBT', (row) => row.inDoubt],
];

export async function locations(admin: Client, stuck: boolean, limit: number, format: Format): Promise<Said> {
  const { text } = await admin.call({ path: `/admin/locations?limit=${limit}${stuck ? '&stuck=true' : ''}` });
  if (format === 'json') return { text };
  const { locations: rows } = JSON.parse(text) as { locations: readonly Row[] };
  const none = stuck ? 'no stuck location in the memory of this replica' : 'no location in the memory of this replica';
  const note = rows.length === limit ? `only the first ${limit}: see --limit` : undefined;
  return { text: rows.length === 0 ? none : table(LOCATIONS, rows), ...(note === undefined ? {} : { note }) };
}

export async function location(admin: Client, address: string, format: Format): Promise<Said> {
  const { text } = await admin.call({ path: `/admin/locations/${placeOf(address)}` });
  return { text: format === 'json' ? text : details({ address, ...(JSON.parse(text) as Row) }) };
}

const PARKED: readonly Column[] = [
  ['ADDRESS', (row) => row.address],
  ['COMMAND ID', (row) => row.commandId],
  ['COMMAND', (row) => row.command],
  ['ATTEMPTS', (row) => row.attempts],
  ['SINCE', (row) => row.since],
  ['ERROR', (row) => row.error],
];

async function parkedRows(admin: Client): Promise<{ readonly text: string; readonly rows: readonly Row[] }> {
  const { text } = await admin.call({ path: '/admin/parked' });
  return { text, rows: (JSON.parse(text) as { parked: readonly Row[] }).parked };
}

export async function parkedAll(admin: Client, format: Format): Promise<Said> {
  const { text, rows } = await parkedRows(admin);
  if (format === 'json') return { text };
  return { text: rows.length === 0 ? 'nothing is parked' : table(PARKED, rows) };
}

export async function parkedOne(admin: Client, address: string, format: Format): Promise<Said> {
  const place = placeOf(address);
  const row = (await parkedRows(admin)).rows.find((it) => it.address === place);
  if (row === undefined) throw new Failure(EXIT.failed, `nothing is parked at ${place}`);
  return { text: format === 'json' ? JSON.stringify(row) : details(row) };
}

const REFUSED: readonly Column[] = [
  ['TOPIC', (row) => row.topic],
  ['PARTITION', (row) => row.partition],
  ['CODE', (row) => row.code],
  ['WHY', (row) => row.why],
];

export async function partitions(admin: Client, format: Format): Promise<Said> {
  const { text } = await admin.call({ path: '/admin/partitions' });
  if (format === 'json') return { text };
  const { refused } = JSON.parse(text) as { refused: readonly Row[] };
  return { text: refused.length === 0 ? 'this replica refuses no partition' : table(REFUSED, refused) };
}
