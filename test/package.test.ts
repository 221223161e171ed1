/** The package as a stranger gets it: packed, installed in an empty folder, and an actor of their own type-checked and run. */
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../infra/dev/free-port.ts';
import { until } from './integration/until.ts';

const root = join(import.meta.dirname, '..');
const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const dir = mkdtempSync(join(tmpdir(), 'locus-package-'));
const app = join(dir, 'app');
let files: readonly string[];

type Ran = { readonly exit: number | null; readonly out: string; readonly err: string };
/** Not the servers that other tests have. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(KAFKA|REDIS|LOCK|DEVICE)_/.test(name)));
const run = (cwd: string, program: string, ...words: string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const child = execFile(program, words, { cwd, env, maxBuffer: 1 << 24 }, (_error, out, err) =>
      resolve({ exit: child.exitCode, out, err }),
    );
  });

/** What an author writes, as the README shows it, but for where it imports from. */
const counter = readFileSync(join(root, 'test/examples/counter.ts'), 'utf8').replace('../../src/actor.ts', 'locus');
const PROGRAM = `
import { bind } from 'locus';
import { inMemory } from 'locus/testing/at';
import { Counter } from './counter.ts';

const { at } = inMemory(bind(Counter, {}));
const first = await at(Counter, 'a').count({ by: 8 }, { commandId: 'c1' });
const again = await at(Counter, 'a').count({ by: 8 }, { commandId: 'c1' });
const count: number | undefined = first.status === 'done' ? first.reply.count : undefined;
console.log(JSON.stringify([count, again.status, await at(Counter, 'a').count({ by: 3 })]));
`;
const SERVE = `
import { bind, serve } from 'locus';
import { Counter } from './counter.ts';

process.exit(await serve([bind(Counter, {})]));
`;
/** Each line must not compile. */
const WRONG = `
import { bind, accept, refuse, serve } from 'locus';
import { connect } from 'locus/client';
import { inMemory } from 'locus/testing/at';
import { Counter } from './counter.ts';

const { at } = inMemory(bind(Counter, {}));
// @ts-expect-error the input is a number
void at(Counter, 'a').count({ by: '8' });
// @ts-expect-error the input is a number, over HTTP too
void connect('http://127.0.0.1:8080')(Counter, 'a').count({ by: '8' });
// @ts-expect-error there is no such command
void at(Counter, 'a').uncount({ by: 8 });
// @ts-expect-error an actor must be bound first
void serve([Counter]);
export { accept, refuse };
`;
const TSCONFIG = {
  compilerOptions: {
    target: 'es2023',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    // The declarations of the package are judged too.
    skipLibCheck: false,
    rewriteRelativeImportExtensions: true,
    outDir: 'out',
  },
};

beforeAll(async () => {
  // What lies in dist is what `npm test` has just built.
  const packed = await run(root, 'npm', 'pack', '--ignore-scripts', '--json', '--pack-destination', dir);
  const [it] = JSON.parse(packed.out) as readonly { readonly filename: string; readonly files: readonly { readonly path: string }[] }[];
  files = it?.files.map(({ path }) => path) ?? [];
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  writeFileSync(join(app, 'counter.ts'), counter);
  writeFileSync(join(app, 'program.ts'), PROGRAM);
  writeFileSync(join(app, 'serve.ts'), SERVE);
  writeFileSync(join(app, 'wrong.ts'), WRONG);
  const exact = (name: string) => `${name}@${dependencies[name] ?? devDependencies[name]}`;
  const wanted = [join('..', it?.filename ?? ''), ...['zod', 'typescript', '@types/node'].map(exact)];
  const installed = await run(app, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', ...wanted);
  expect([installed.exit, installed.err]).toEqual([0, expect.not.stringContaining('ERR')]);
}, 120_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it('holds what runs and what authors import, and no test, source or map', () => {
  const must = ['dist/src/cli.js', 'dist/src/locus.js', 'dist/src/locus.d.ts', 'dist/test/kit/at.js', 'infra/redis/lua/commit-2.lua'];
  expect(must.filter((path) => !files.includes(path))).toEqual([]);
  const may = /^(package\.json|README\.md|LICENSE|dist\/.*\.(js|d\.ts)|infra\/redis\/lua\/.*\.lua|infra\/dev\/kafka\/pom\.xml)$/;
  expect(files.filter((path) => !may.test(path))).toEqual([]);
  expect(files.filter((path) => /\.test\.|^dist\/test\/(?!kit\/(at|given|simulate|world)\.|simulation\/)/.test(path))).toEqual([]);
});

it('type-checks an actor of an author under strict rules, and refuses what does not fit it', async () => {
  expect(await run(app, 'npx', 'tsc', '-p', '.')).toMatchObject({ exit: 0, out: '' });
}, 60_000);

it('runs it with the kit', async () => {
  const { out, err } = await run(app, process.execPath, 'out/program.js');
  expect([JSON.parse(out || 'null'), err]).toEqual([[8, 'done', { status: 'refused', code: 'FULL', detail: { left: 2 }, seq: 1 }], '']);
}, 60_000);

it('runs it embedded, and what it acknowledged is there after kill -9', async () => {
  const [http, admin] = [await freePort(), await freePort()];
  const env = { PATH: process.env.PATH ?? '', HTTP_PORT: String(http), ADMIN_PORT: String(admin) };
  const lives: string[] = [];
  for (let life = 0; life < 2; life += 1) {
    const child = spawn(process.execPath, ['out/serve.js'], { cwd: app, env, stdio: 'ignore' });
    const gone = new Promise((resolve) => child.once('exit', resolve));
    const ready = () =>
      fetch(`http://127.0.0.1:${admin}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
    try {
      await until('it is ready', ready);
      const headers = { 'content-type': 'application/json', 'idempotency-key': 'c1' };
      const answer = await fetch(`http://127.0.0.1:${http}/v1/counter/a/count`, { method: 'POST', headers, body: '{"by":8}' });
      lives.push(await answer.text());
    } finally {
      child.kill('SIGKILL');
      await gone;
    }
  }
  expect(JSON.parse(lives[0] ?? '')).toMatchObject({ status: 'done', reply: { count: 8 }, seq: 1 });
  expect(lives[1]).toBe(lives[0]);
}, 60_000);

it('has its command, which finds all that it needs where it was installed', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect((await run(app, 'npx', 'locus', '--version')).out).toBe(`${version}\n`);
  // Whether its ports are free is another matter.
  expect((await run(app, 'npx', 'locus', 'doctor')).out).toMatch(/^ok +file +\S+ +nobody holds it$/m);
}, 60_000);
