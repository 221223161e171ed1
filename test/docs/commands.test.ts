/** Every `locus …` line of the documentation is one that the command line takes: each is run, against a replica whose desk is a fake. */
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAdmin } from '../../infra/http/admin.ts';
import { startHttp } from '../../infra/http/server.ts';
import { fakeDesk, fakeLog } from '../http/fake-desk.ts';
import { blocksOf, linesOf, PAGES, prose, root, wordsOf } from './pages.ts';

const CLI = join(root, 'dist/src/cli.js');
const TOKEN = 'a-token-of-enough-length';
/** They serve until they are told to stop. */
const SERVERS = ['serve', 'device', 'demo'];
const WRONG_USE = 2;

const isLocus = (line: string) => /^(npx )?locus /.test(line);
const inBlocks = PAGES.flatMap((page) => blocksOf(page)).flatMap(({ language, text }) => (language === 'sh' ? linesOf(text) : []));
/** Those in the text may leave out what they work on. */
const inText = PAGES.flatMap((page) => [...prose(page).matchAll(/`((?:npx )?locus [a-z][^`]*)`/g)].map(([, line]) => line ?? ''));
const lines = [...new Set(inBlocks.filter(isLocus))];

type Ran = { readonly exit: number | null; readonly out: string; readonly err: string };
let env: Record<string, string>;
const ends: (() => Promise<void>)[] = [];
beforeAll(async () => {
  const { desk } = fakeDesk();
  const { log } = fakeLog();
  const http = await startHttp({ host: '127.0.0.1', port: 0, rateMax: 1_000, desk, log });
  const admin = await startAdmin({ host: '127.0.0.1', port: 0, token: TOKEN, desk, log });
  ends.push(http.stop, admin.stop);
  // Whoever reads the configuration stops there: no broker is looked for, no file is made.
  const stops = { DURABILITY: 'journal', DATA_DIR: join(tmpdir(), 'locus-of-no-test') };
  env = { PATH: process.env.PATH ?? '', LOCUS_URL: http.url, LOCUS_ADMIN_URL: admin.url, ADMIN_TOKEN: TOKEN, ...stops };
});
afterAll(async () => {
  for (const end of ends.splice(0)) await end();
});

function locus(words: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [CLI, ...words], { env }, (_error, out, err) => resolve({ exit: child.exitCode, out, err }));
  });
}
const argsOf = (line: string) => wordsOf(line.replace(/^(npx )?locus /, ''));

describe('a line of `locus` in the documentation', () => {
  it('was found', () => expect([lines.length > 20, inText.length > 10]).toEqual([true, true]));

  it.each(lines)('%s', async (line) => {
    const words = argsOf(line);
    if (!SERVERS.includes(words[0] ?? '')) {
      const { exit, err } = await locus(words);
      expect([exit === WRONG_USE, err]).toEqual([false, err]);
      return;
    }
    const { exit, out } = await locus([words[0] ?? '', '--help']);
    expect([exit, words.filter((word) => word.startsWith('--') && !out.includes(word))]).toEqual([0, []]);
  });

  it('that is wrong would be told', async () => {
    const wrong = [
      'locus parked drop cash-location/a',
      'locus locations --stuckk',
      'locus unfreze cash-location/a',
      'locus accept locus.commands 3',
    ];
    for (const line of wrong) expect([line, (await locus(argsOf(line))).exit]).toEqual([line, WRONG_USE]);
  });

  it('names a command that there is, in the text too', async () => {
    const { out } = await locus(['--help']);
    const known = new Set([...out.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name]) => name));
    expect(inText.filter((line) => !known.has(argsOf(line)[0]))).toEqual([]);
  });
});
