/** What README tells a stranger to type, typed: the same lines, the same answers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../../infra/dev/free-port.ts';
import { welcome } from '../../src/welcome.ts';
import { until } from '../integration/until.ts';
import { filesBelow } from '../tidy/source.ts';
import { blocksOf, linesOf, read, root } from './pages.ts';

const page = read('README.md');
const blocks = blocksOf('README.md', page);
const curls = blocks
  .filter(({ language }) => language === 'sh')
  .flatMap(({ text }) => linesOf(text))
  .filter((line) => line.startsWith('curl '));
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A request as a line of curl says it: a body, headers, a URL. */
function asked(line: string, port: number) {
  const [, body = '', headers = '', url = ''] = /^curl -d '([^']*)'((?: -H '[^']*')+) (\S+)$/.exec(line) ?? [];
  const pairs = [...headers.matchAll(/'([^:]+): ([^']*)'/g)].map(([, name, value]) => [name, value] as [string, string]);
  return fetch(url.replace(':8080', `:${port}`), { method: 'POST', headers: pairs, body }).then((answer) => answer.text());
}

async function started(dir: string, http: number, admin: number): Promise<ChildProcess> {
  const env = { PATH: process.env.PATH ?? '', DATA_DIR: join(dir, 'data'), HTTP_PORT: String(http), ADMIN_PORT: String(admin) };
  const child = spawn(process.execPath, [join(root, 'dist/src/cli.js'), 'serve'], { env, stdio: 'ignore' });
  ends.push(() => ended(child));
  await until('it is ready', () =>
    fetch(`http://127.0.0.1:${admin}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return child;
}
function ended(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  return gone;
}

describe('README', () => {
  it('shows the lines that the program prints, and the answers that they get, before and after kill -9', async () => {
    const printed = welcome({ http: 'http://127.0.0.1:8080', admin: '', device: '', dataDir: '' }).match(/curl .*/g);
    expect(curls).toEqual(printed);
    const shown =
      blocks
        .find(({ text }) => text.startsWith('{"status":"done"'))
        ?.text.trimEnd()
        .split('\n') ?? [];
    const dir = mkdtempSync(join(tmpdir(), 'locus-readme-'));
    ends.push(async () => rmSync(dir, { recursive: true, force: true }));
    const [http, admin] = [await freePort(), await freePort()];
    const first = await started(dir, http, admin);
    const answers: string[] = [];
    for (const line of curls) answers.push(await asked(line, http));
    expect(answers).toEqual(shown);
    await ended(first);
    await started(dir, http, admin);
    expect(await asked(curls[1] ?? '', http)).toBe(shown[1]);
  }, 60_000);

  it('shows books with the names that the demo prints', () => {
    const rows =
      blocks
        .find(({ text }) => /^ +accepted /.test(text))
        ?.text.trimEnd()
        .split('\n') ?? [];
    const names = rows.map((row) => row.trim().replace(/ {2,}.*$/, ''));
    // As infra/dev/books-run.ts makes them of the fields of Books.
    const fields = names.slice(0, -1).map((name) => name.replace(/ ([a-z])/g, (_, letter: string) => letter.toUpperCase()));
    const books = read('infra/dev/books.ts');
    expect([names.length, fields.filter((field) => !new RegExp(`readonly ${field}: number`).test(books))]).toEqual([10, []]);
    expect(read('infra/dev/books-run.ts')).toContain(`row('${names.at(-1)}'`);
    const figure = (name: string) => /(\d+)$/.exec(rows[names.indexOf(name)] ?? '')?.[1];
    const shown = Number(figure('delivered')).toLocaleString('en');
    expect(read('docs/demo.svg')).toContain(`paid by the device ${shown} = booked ${Number(figure('booked')).toLocaleString('en')} ·`);
  });

  it('has its sections in order, and each guarantee names what shows it', () => {
    const sections = [...page.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
    const order = [
      ...[
        'Try it',
        'The road of one command',
        'Your own actor',
        'What holds, and which test shows it',
        'Numbers',
        'Timers and the bulk lane',
      ],
      ...['See inside', 'Deploy', 'Compared with', 'What it is not, yet', 'Map of the house', 'Contributing'],
    ];
    expect(sections.filter((title) => order.includes(title ?? ''))).toEqual(order);
    const rows =
      (page.split('## What holds')[1] ?? '')
        .split('## ')[0]
        ?.match(/^\| .*\|$/gm)
        ?.slice(1) ?? [];
    const unshown = rows.filter((row) => !/`(fault: |test\/|npm run )/.test(row.split('|')[3] ?? ''));
    expect([rows.length > 9, unshown]).toEqual([true, []]);
  });

  it('is read in ten minutes', () => {
    const words = page.replaceAll(/^```[\s\S]*?^```$/gm, '').split(/\s+/).length;
    expect(words).toBeLessThan(2_300);
  });

  it('has a map of folders that are there, and of all of them', () => {
    const map = blocks.find(({ text }) => text.startsWith('src/main.ts'))?.text ?? '';
    const rooms = [...new Set(filesBelow(root, 'infra').map((path) => path.split('/')[1] ?? ''))];
    const told = [...map.matchAll(/infra\/\{([^}]+)\}/g)].flatMap(([, names = '']) => names.split(','));
    expect([rooms.length > 5, told.sort()]).toEqual([true, rooms.sort()]);
  });
});
