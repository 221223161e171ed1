/** The layout of the embedded file: its tables, its version, and the settings under which what is acknowledged stays. */
import type Database from 'libsql';

/** `Locu` in ASCII: another program's file is not taken for ours. */
const APPLICATION = 0x4c6f6375;
const VERSION = 1;

/**
 * FULL syncs the log of the file at each commit. EXCLUSIVE is held until the process ends: no second process can write,
 * and no index in shared memory has to survive. fullfsync: macOS hands a plain sync to a drive that may not have written it.
 */
const SETTINGS = ['locking_mode=EXCLUSIVE', 'journal_mode=WAL', 'synchronous=FULL', 'fullfsync=1', 'checkpoint_fullfsync=1'];
const CACHE = 'cache_size=-65536';

const TABLES = `
  CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE life(replica TEXT PRIMARY KEY, life INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE location(
    id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL, owner TEXT NOT NULL, seq INTEGER NOT NULL,
    published INTEGER NOT NULL, state TEXT, intent TEXT, parked TEXT, frozen TEXT, paused TEXT, timers TEXT) STRICT;
  CREATE TABLE event(location INTEGER, seq INTEGER, text TEXT NOT NULL, PRIMARY KEY(location, seq)) STRICT, WITHOUT ROWID;
  CREATE TABLE entry(
    location INTEGER, command TEXT, status TEXT NOT NULL, hash TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY(location, command)) STRICT, WITHOUT ROWID;
  CREATE TABLE record(location INTEGER, command TEXT, text TEXT NOT NULL, PRIMARY KEY(location, command)) STRICT, WITHOUT ROWID;
  CREATE TABLE inbox(
    location INTEGER, lane TEXT, "offset" INTEGER, command TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY(location, lane, "offset")) STRICT, WITHOUT ROWID;
  CREATE TABLE dirty(partition INTEGER, address TEXT, epoch INTEGER NOT NULL, PRIMARY KEY(partition, address)) STRICT, WITHOUT ROWID;
  CREATE TABLE applied(
    name TEXT PRIMARY KEY, "offset" INTEGER NOT NULL, newestMs INTEGER NOT NULL, life TEXT NOT NULL,
    generation TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE shelf(
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL, low INTEGER NOT NULL, UNIQUE(topic, partition)) STRICT;
  CREATE TABLE log(id INTEGER PRIMARY KEY, key BLOB, value BLOB, headers TEXT NOT NULL, appendedMs INTEGER NOT NULL) STRICT;
  CREATE TABLE committed(name TEXT PRIMARY KEY, "offset" INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

/** The value of a pragma, or what a pragma that sets answers. */
const pragma = (db: Database.Database, text: string): unknown => (db.prepare(`PRAGMA ${text}`).raw().get() as readonly unknown[])?.[0];

/** Takes the file for this connection alone and makes the tables if it is new. Throws what libsql throws, or a sentence. */
export function prepare(db: Database.Database): void {
  for (const setting of SETTINGS) db.prepare(`PRAGMA ${setting}`).all();
  const stands = [pragma(db, 'journal_mode'), pragma(db, 'synchronous'), pragma(db, 'locking_mode')].join(' ');
  if (stands !== 'wal 2 exclusive')
    throw new Error(`its settings are "${stands}" where "wal 2 exclusive" is needed: the file system does not do`);
  db.prepare(`PRAGMA ${CACHE}`).all();
  db.exec('BEGIN IMMEDIATE');
  const [application, version] = [pragma(db, 'application_id'), Number(pragma(db, 'user_version'))];
  const [tables = 0] = db.prepare('SELECT count(*) FROM sqlite_schema').raw().get() as readonly number[];
  if (tables > 0 && application !== APPLICATION) throw new Error('it is the file of another program');
  if (version > VERSION) throw new Error(`it has layout ${version}, this program knows ${VERSION}: it was written by a newer one`);
  if (tables === 0) db.exec(`${TABLES} PRAGMA application_id=${APPLICATION}; PRAGMA user_version=${VERSION};`);
  db.exec('COMMIT');
}

/** Leaves one plain file without its log, and lets go of it: closing alone does neither while a statement is not collected. */
export function leave(db: Database.Database): void {
  for (const setting of ['journal_mode=DELETE', 'locking_mode=NORMAL']) db.prepare(`PRAGMA ${setting}`).all();
  db.prepare('SELECT count(*) FROM meta').get();
  db.close();
}
