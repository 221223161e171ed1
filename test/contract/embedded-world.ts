/** An embedded file of a test: in a folder of its own, with the faults that a test may ask for. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedFile } from '../../infra/embedded/file.ts';
import { systemClock } from '../../src/clock.ts';

/** `lying`: the disk takes the next commit and says that it failed. `onSync` is called after each commit that is on disk. */
class FaultyFile extends EmbeddedFile {
  lying = false;
  onSync = () => {};
  protected override sync(): void {
    super.sync();
    this.onSync();
    if (!this.lying) return;
    // So that this process, which lives on, can open it anew.
    this.release();
    throw new Error('input/output error');
  }
}

export function embeddedWorld() {
  const dir = mkdtempSync(join(tmpdir(), 'locus-embedded-'));
  const path = join(dir, 'locus.db');
  const failures: string[] = [];
  const open = () => {
    const file = new FaultyFile({ path, clock: systemClock, broken: (why) => void failures.push(why) });
    file.open();
    return file;
  };
  const file = open();
  return {
    dir,
    path,
    file,
    failures,
    /** Everything in it is gone, its life goes on. */
    async flush(): Promise<void> {
      await file.write(() => {
        const tables = file.all<{ readonly name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'");
        for (const { name } of tables) file.run(`DELETE FROM ${name}${name === 'meta' ? " WHERE name <> 'life'" : ''}`);
      });
    },
    async stop(): Promise<void> {
      file.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
