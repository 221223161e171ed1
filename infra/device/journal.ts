/**
 * The journal of the simulated device: what it did with cash, appended and on disk before anybody is told.
 *
 * A file of JSON lines, oldest first; a last line without its newline was torn by a crash and never happened. By `kind`:
 *   created  {kind, journal, atMs}                          the file begins; `journal` is the id that the device gives as its identity
 *   amnesia  {kind, journal, atMs}                          the device forgot every commandId (not its fences) and took a new identity
 *   moved    {kind, location, commandId, currency, ordered, status, notes, retracted, rejected, fence, atMs}
 *            the device acted: `status` dispensed | partial | failed; of the notes `ordered`, `notes` were taken, some retracted or
 *            rejected, the rest stayed in the cassettes; all four are counts by denomination, such as {"2000":3}
 *   void     {kind, location, commandId, fence, atMs}       a probe was promised that this commandId never moves cash
 *   fence    {kind, location, fence, atMs}                  only fences at least this high are obeyed from here on
 * `location` is the id without its type. A (location, commandId) that has two lines `moved` with notes taken was paid twice.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';

export type Fence = { readonly epoch: number; readonly seq: number };
export type Notes = Readonly<Record<string, number>>;
export type Moved = {
  readonly kind: 'moved';
  readonly location: string;
  readonly commandId: string;
  readonly currency: string;
  readonly ordered: Notes;
  readonly status: 'dispensed' | 'partial' | 'failed';
  readonly notes: Notes;
  readonly retracted: Notes;
  readonly rejected: Notes;
  readonly fence: Fence;
  readonly atMs: number;
};
export type Line =
  | { readonly kind: 'created'; readonly journal: string; readonly atMs: number }
  | { readonly kind: 'amnesia'; readonly journal: string; readonly atMs: number }
  | Moved
  | { readonly kind: 'void'; readonly location: string; readonly commandId: string; readonly fence: Fence; readonly atMs: number }
  | { readonly kind: 'fence'; readonly location: string; readonly fence: Fence; readonly atMs: number };

export type Journal = {
  /** What stood in the file when it was opened. */
  readonly before: readonly Line[];
  /** Resolves when the line is on disk. Lines that come while the disk is busy share its next sync. */
  append(line: Line): Promise<void>;
  /** After what was appended is on disk. */
  close(): Promise<void>;
};

export async function openJournal(path: string): Promise<Journal> {
  const file = await open(path, 'a+');
  await synced(dirname(path));
  const before = await replay(file, path).catch(async (error: unknown) => {
    await file.close();
    throw error;
  });
  let waiting: string[] = [];
  /** The sync that will carry what waits now. */
  let next: Promise<void> | undefined;
  let busy: Promise<unknown> = Promise.resolve();

  const flush = async () => {
    const lines = waiting;
    waiting = [];
    next = undefined;
    await file.appendFile(lines.join(''));
    await file.datasync();
  };
  return {
    before,
    append(line) {
      waiting.push(`${JSON.stringify(line)}\n`);
      if (!next) {
        next = busy.then(flush);
        busy = next;
      }
      return next;
    },
    async close() {
      await busy.catch(() => undefined);
      await file.close();
    },
  };
}

/** So that a journal made just now is found again after a loss of power. */
async function synced(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
}

async function replay(file: FileHandle, path: string): Promise<readonly Line[]> {
  const bytes = await file.readFile();
  const whole = bytes.lastIndexOf(0x0a) + 1;
  if (whole < bytes.length) await file.truncate(whole);
  return bytes
    .subarray(0, whole)
    .toString('utf8')
    .split('\n')
    .slice(0, -1)
    .map((line, i) => {
      try {
        return JSON.parse(line) as Line;
      } catch (cause) {
        throw new Error(`line ${i + 1} of the device's journal ${path} is no JSON; only a torn last line can be mended`, { cause });
      }
    });
}
