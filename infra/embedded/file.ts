/** The one file of the embedded mode: held by one process, written in transactions that share a sync, dead at the first failure. */
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import Database from 'libsql';
import { LocusError, why } from '../../src/errors.ts';
import type { Clock, Down, Unanswered } from '../../src/ports.ts';
import { leave, prepare } from './schema.ts';

export type EmbeddedFileOptions = {
  readonly path: string;
  readonly clock: Clock;
  /** The file failed and takes nothing more: why. What is acknowledged stands in it; only a new life can tell what else does. */
  readonly broken: (why: string) => void;
};
export type Written<T> = { readonly kind: 'written'; readonly value: T } | Down | Unanswered;
type Value = string | number | Uint8Array | null;
/** What was written since the last commit, and those who wait for it. */
type Batch = { readonly done: Promise<void>; readonly end: (failed?: Error) => void };

const AWAY: Down = { kind: 'down', why: 'the embedded file is closed' };

export class EmbeddedFile {
  readonly clock: Clock;
  readonly #path: string;
  readonly #broken: (why: string) => void;
  readonly #listeners = new Set<(life: string) => void>();
  #db: Database.Database | undefined;
  #life = 0;
  #batch: Batch | undefined;
  #statements = new Map<string, Database.Statement>();

  constructor({ path, clock, broken }: EmbeddedFileOptions) {
    this.#path = resolve(path);
    this.clock = clock;
    this.#broken = broken;
  }

  /** Takes the file and begins a life of it. Throws DATA_DIR_INVALID with what is wrong and what to do. */
  open(): void {
    if (this.#db !== undefined) return;
    try {
      madeDurable(dirname(this.#path));
      this.#db = opened(this.#path);
    } catch (error) {
      throw refusal(this.#path, error);
    }
    this.#statements = new Map();
    this.run("INSERT INTO meta VALUES('life', '1') ON CONFLICT DO UPDATE SET value = value + 1");
    this.#life = Number(this.get<{ readonly value: string }>("SELECT value FROM meta WHERE name = 'life'")?.value);
    for (const heard of this.#listeners) heard(this.life() ?? '');
  }
  /** Leaves one plain file. A broken one is left as it is: what the disk did not take once must not be tidied up. */
  close(): void {
    if (this.#batch !== undefined) this.#commit(this.#batch);
    this.release();
  }
  /** Rises with each opening; undefined while it is closed. */
  life(): string | undefined {
    return this.#db === undefined ? undefined : `embedded-${this.#life}`;
  }
  /** Called with the life whenever it was opened again; answers how to stop listening. */
  onReturn(heard: (life: string) => void): () => void {
    this.#listeners.add(heard);
    return () => this.#listeners.delete(heard);
  }

  /**
   * Does the work at once, in the transaction that everything of this turn of the loop shares, and answers once that is on disk.
   * Work that must be refused says so before it writes: a throw breaks the file, because half of it may stand in the transaction.
   */
  async write<T>(work: () => T): Promise<Written<T>> {
    if (this.#db === undefined) return AWAY;
    let batch: Batch;
    let value: T;
    try {
      batch = this.#batch ?? this.#begin();
      value = work();
    } catch (error) {
      this.#break(error);
      return { kind: 'unanswered', why: why(error) };
    }
    return batch.done.then(
      () => ({ kind: 'written', value }),
      (error: unknown) => ({ kind: 'unanswered', why: why(error) }),
    );
  }
  /** What is seen may stand in the open transaction: it is told only once that is on disk. Rejects with STORE_DOWN. */
  async read<T>(work: () => T): Promise<T> {
    if (this.#db === undefined) throw new LocusError('STORE_DOWN', AWAY.why);
    try {
      const value = work();
      await this.#batch?.done;
      return value;
    } catch (error) {
      throw new LocusError('STORE_DOWN', 'the embedded file did not answer', { cause: error });
    }
  }

  /** For the work of `write` and `read` only; a statement is prepared once by its text. */
  run(sql: string, ...values: readonly Value[]): void {
    this.#prepared(sql).run(values);
  }
  get<T>(sql: string, ...values: readonly Value[]): T | undefined {
    return this.#prepared(sql).get(values) as T | undefined;
  }
  all<T>(sql: string, ...values: readonly Value[]): readonly T[] {
    return this.#prepared(sql).all(values) as readonly T[];
  }

  /** Returns when the transaction is on disk. */
  protected sync(): void {
    this.run('COMMIT');
  }
  protected release(): void {
    const db = this.#db;
    if (db === undefined) return;
    this.#db = undefined;
    this.#statements = new Map();
    leave(db);
  }

  #prepared(sql: string): Database.Statement {
    const had = this.#statements.get(sql);
    if (had !== undefined) return had;
    if (this.#db === undefined) throw new LocusError('STORE_DOWN', AWAY.why);
    const made = this.#db.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }
  #begin(): Batch {
    let end: Batch['end'] = () => {};
    const done = new Promise<void>((resolve, reject) => {
      end = (failed) => (failed === undefined ? resolve() : reject(failed));
    });
    // Nobody may wait for it, when the work itself threw.
    done.catch(() => {});
    this.run('BEGIN IMMEDIATE');
    const batch = { done, end };
    this.#batch = batch;
    this.clock.soon(() => this.#commit(batch));
    return batch;
  }
  #commit(batch: Batch): void {
    if (this.#batch !== batch) return;
    try {
      this.sync();
      this.#batch = undefined;
      batch.end();
    } catch (error) {
      this.#break(error);
    }
  }
  /** After a failed sync nobody can tell what is on disk, and a later sync that succeeds would not mean it: nothing goes on. */
  #break(error: unknown): void {
    const batch = this.#batch;
    this.#batch = undefined;
    this.#db = undefined;
    batch?.end(new Error('the embedded file broke', { cause: error }));
    this.#broken(`the embedded file ${this.#path} failed: ${why(error)}`);
  }
}

function opened(path: string): Database.Database {
  const db = new Database(path);
  try {
    prepare(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** A folder whose name is on disk, as far down as it was made just now. */
function madeDurable(folder: string): void {
  const first = mkdirSync(folder, { recursive: true });
  if (first === undefined) return;
  for (let at = folder; at.length >= first.length; at = dirname(at)) synced(dirname(at));
}
function synced(folder: string): void {
  const descriptor = openSync(folder, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function refusal(path: string, error: unknown): LocusError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!code.startsWith('SQLITE_BUSY')) return new LocusError('DATA_DIR_INVALID', `DATA_DIR does not do: ${path}`, { cause: error });
  const said = `DATA_DIR is in use: another process holds ${path}`;
  return new LocusError('DATA_DIR_INVALID', `${said}. Stop that one, or give this one a DATA_DIR and ports of its own.`);
}
