/**
 * embedded: commands over HTTP to the program that serves alone, each answered once it is on disk, beside the rate at which the same
 * disk takes bare commits of one row, one after the other. What is written in one turn of the loop shares a sync, so more clients
 * than one can pass that rate.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import Database from 'libsql';
import { freePort } from '../../infra/dev/free-port.ts';
import { metric, startReplica } from '../../infra/dev/processes.ts';
import { leave, loaded } from './ground.ts';

const LOCATIONS = 200;
const CLIENTS = 64;
const RAW_COMMITS = 5_000;

/** Each a second, but `cpuUs`: what one load costs the process, HTTP included. */
export type EmbeddedMeasured = { readonly loads: number; readonly dispenses: number; readonly raw: number; readonly cpuUs: number };

export async function embedded(commands: number): Promise<EmbeddedMeasured> {
  const parent = join(process.cwd(), '.services');
  mkdirSync(parent, { recursive: true });
  const dir = mkdtempSync(join(parent, 'bench-'));
  try {
    const http = await freePort();
    const replica = await startReplica('embedded', dir, {
      DATA_DIR: join(dir, 'data'),
      HTTP_PORT: String(http),
      LOG_LEVEL: 'warn',
    });
    const send = client(http);
    await send(LOCATIONS, 'fill', 'load', loaded(commands));
    const before = await metric(replica, 'process_cpu_seconds_total');
    const loads = await send(commands, 'l', 'load', loaded(1));
    const cpuUs = (((await metric(replica, 'process_cpu_seconds_total')) - before) / commands) * 1e6;
    const dispenses = await send(Math.ceil(commands / 4), 'd', 'dispense', { amount: 2_000, currency: 'USD' });
    await leave(replica);
    return { loads, dispenses, raw: rawCommits(join(dir, 'raw.db')), cpuUs };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Sends so many over all locations from so many clients at once, each awaiting its answer; answers done commands a second. */
function client(port: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const post = (path: string, key: string, body: string) =>
    new Promise<void>((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'idempotency-key': key, 'content-length': Buffer.byteLength(body) };
      const asked = request({ agent, port, host: '127.0.0.1', path, method: 'POST', headers }, (answer) => {
        let text = '';
        answer.on('data', (part: Buffer) => {
          text += part.toString();
        });
        answer.on('end', () => (text.startsWith('{"status":"done"') ? resolve() : reject(new Error(`${path} ${key}: ${text}`))));
      });
      asked.on('error', reject);
      asked.end(body);
    });
  return async (count: number, run: string, command: string, input: object): Promise<number> => {
    const body = JSON.stringify(input);
    let next = 0;
    const startedMs = performance.now();
    const worker = async () => {
      for (let n = next++; n < count; n = next++) await post(`/v1/cash-location/L${n % LOCATIONS}/${command}`, `${run}-${n}`, body);
    };
    await Promise.all(Array.from({ length: CLIENTS }, worker));
    return (count / (performance.now() - startedMs)) * 1_000;
  };
}

/** The same settings as the embedded file's, nothing but the commits. */
function rawCommits(path: string): number {
  const db = new Database(path);
  for (const it of ['locking_mode=EXCLUSIVE', 'journal_mode=WAL', 'synchronous=FULL']) db.prepare(`PRAGMA ${it}`).all();
  db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT) STRICT');
  const [begin, insert, commit] = ['BEGIN IMMEDIATE', 'INSERT INTO t VALUES (?, ?)', 'COMMIT'].map((sql) => db.prepare(sql));
  const startedMs = performance.now();
  for (let n = 0; n < RAW_COMMITS; n++) {
    begin?.run();
    insert?.run(n, 'x'.repeat(400));
    commit?.run();
  }
  return (RAW_COMMITS / (performance.now() - startedMs)) * 1_000;
}
