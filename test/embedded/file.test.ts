/** The embedded file: who may open it, what shares a sync, and what becomes of everything when the disk fails. */
import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, describe, expect, test } from 'vitest';
import { EmbeddedFile } from '../../infra/embedded/file.ts';
import { systemClock } from '../../src/clock.ts';
import { embeddedWorld } from '../contract/embedded-world.ts';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
function setup() {
  const world = embeddedWorld();
  ends.push(world.stop);
  const put = (name: string) => world.file.write(() => world.file.run("INSERT INTO meta VALUES(?, '')", name));
  const names = () => world.file.read(() => world.file.all<{ readonly name: string }>('SELECT name FROM meta').map((it) => it.name));
  const at = (path: string) => new EmbeddedFile({ path, clock: systemClock, broken: () => {} });
  return { ...world, put, names, at };
}

describe('the embedded file', () => {
  test('syncs each commit, and is held against everybody else until the process ends', () => {
    const { file, path } = setup();
    const settings = ['journal_mode', 'synchronous', 'locking_mode', 'fullfsync'].map(
      (it) => Object.values(file.get<object>(`PRAGMA ${it}`) ?? {})[0],
    );
    expect(settings).toEqual(['wal', 2, 'exclusive', 1]);
    const libsql = JSON.stringify(createRequire(import.meta.url).resolve('libsql'));
    const reader = `try { new (require(${libsql}))(${JSON.stringify(path)}).prepare('SELECT * FROM meta').all() } catch (e) { console.log(e.code) }`;
    expect(spawnSync(process.execPath, ['-e', reader], { encoding: 'utf8' }).stdout).toBe('SQLITE_BUSY\n');
  });

  test('what is written in one turn of the loop shares one sync', async () => {
    const { file, put } = setup();
    let syncs = 0;
    file.onSync = () => {
      syncs += 1;
    };
    await Promise.all(Array.from({ length: 500 }, (_, n) => put(`n${n}`)));
    expect(syncs).toBe(1);
    await put('later');
    expect(syncs).toBe(2);
  });

  test('what is not on disk yet is told to no reader', async () => {
    const { file, put, names } = setup();
    const order: string[] = [];
    file.onSync = () => void order.push('on disk');
    const written = put('x').then(() => order.push('written'));
    const seen = names().then((found) => order.push(found.includes('x') ? 'seen' : 'not seen'));
    await Promise.all([written, seen]);
    expect([order[0], order.toSorted()]).toEqual(['on disk', ['on disk', 'seen', 'written']]);
  });

  test('a second opener is refused with a sentence that says what to do', () => {
    const { at, path } = setup();
    expect(() => at(path).open()).toThrow(
      /DATA_DIR is in use: another process holds .*locus\.db\. Stop that one, or give this one a DATA_DIR/,
    );
  });

  test('closed, it is one plain file; opened again, it holds everything under a new life', async () => {
    const { file, dir, put, names } = setup();
    const first = file.life();
    await put('kept');
    file.close();
    file.close();
    expect(readdirSync(dir)).toEqual(['locus.db']);
    expect(file.life()).toBeUndefined();
    file.open();
    expect(file.life()).not.toBe(first);
    expect(await names()).toContain('kept');
  });

  test('closing writes down what was not committed yet', async () => {
    const { file, put, names } = setup();
    const written = put('last');
    file.close();
    expect(await written).toEqual({ kind: 'written', value: undefined });
    file.open();
    expect(await names()).toContain('last');
  });

  test('after a failed sync everything of its turn is unanswered, the file takes nothing more and says so once', async () => {
    const { file, put, names, failures } = setup();
    file.lying = true;
    const [a, b, seen] = await Promise.all([put('a'), put('b'), names().catch((error: unknown) => error)]);
    expect([a.kind, b.kind]).toEqual(['unanswered', 'unanswered']);
    expect(seen).toMatchObject({ code: 'STORE_DOWN' });
    expect(await put('c')).toMatchObject({ kind: 'down' });
    await expect(names()).rejects.toMatchObject({ code: 'STORE_DOWN' });
    expect(failures).toEqual([expect.stringMatching(/locus\.db failed: input\/output error/)]);
  });

  test('work that throws takes the rest of its turn with it: half of it may have been written', async () => {
    const { file, put, failures } = setup();
    const before = put('before');
    const thrown = file.write(() => {
      file.run("INSERT INTO meta VALUES('half', '')");
      file.run('INSERT INTO nowhere VALUES(1)');
    });
    expect([(await before).kind, (await thrown).kind]).toEqual(['unanswered', 'unanswered']);
    expect(failures).toHaveLength(1);
  });

  test('files that are not ours, or newer than this program, are refused and left as they are', () => {
    const { dir, at } = setup();
    writeFileSync(join(dir, 'text.db'), 'no database at all, and long enough to be looked at '.repeat(100));
    expect(() => at(join(dir, 'text.db')).open()).toThrow(/DATA_DIR does not do: .*text\.db/);
    const other = new Database(join(dir, 'other.db'));
    other.exec('CREATE TABLE theirs(x)');
    other.close();
    const open = (path: string) => {
      try {
        at(path).open();
        return 'opened';
      } catch (error) {
        return (error as Error & { cause: Error }).cause.message;
      }
    };
    expect(open(join(dir, 'other.db'))).toBe('it is the file of another program');
    const newer = new Database(join(dir, 'newer.db'));
    newer.exec('CREATE TABLE meta(x); PRAGMA application_id=0x4c6f6375; PRAGMA user_version=2');
    newer.close();
    expect(open(join(dir, 'newer.db'))).toBe('it has layout 2, this program knows 1: it was written by a newer one');
  });

  test('a folder that cannot be made is refused', () => {
    const { dir, at } = setup();
    writeFileSync(join(dir, 'taken'), '');
    expect(() => at(join(dir, 'taken', 'locus.db')).open()).toThrow(/DATA_DIR does not do/);
  });
});
