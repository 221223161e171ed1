/** What the documentation says exists: excerpts, links, commands, paths, metrics, names and tests. */
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CashLocation } from '../../actors/cash-location/actor.ts';
import { openApi } from '../../infra/http/openapi.ts';
import { adminApi } from '../../infra/http/openapi-admin.ts';
import { bind } from '../../src/actor.ts';
import { catalogue } from '../../src/runtime/catalogue.ts';
import { definitions } from '../../src/runtime/definition.ts';
import { telemetry } from '../../src/runtime/telemetry.ts';
import { filesBelow } from '../tidy/source.ts';
import { anchorsOf, blocksOf, linesOf, PAGES, prose, read, root, standsIn, wordsOf } from './pages.ts';

const blocks = PAGES.flatMap((page) => blocksOf(page));
const whole = PAGES.map((page) => [page, read(page)] as const);
/** All that matches, with the page it stands on. */
const found = (pattern: RegExp, from: readonly (readonly [string, string])[] = whole): readonly (readonly [string, string])[] =>
  from.flatMap(([page, text]) => [...text.matchAll(pattern)].map((match) => [page, match[1] ?? match[0]] as const));
const sources = ['src', 'actors', 'infra', 'test']
  .flatMap((folder) => filesBelow(root, folder))
  .filter((path) => !path.startsWith('test/docs/'));

describe('an excerpt', () => {
  it('of TypeScript stands in the file that is named behind its fence, which is a test, run by one, or held by the compiler', () => {
    const excerpts = blocks.filter(({ language }) => language === 'ts');
    const strays = excerpts.filter(({ of, text }) => !existsSync(join(root, of || '?')) || !standsIn(text, read(of)));
    expect(strays.map(({ page, line, of }) => `${page}:${line} ${of || 'names no file'}`)).toEqual([]);
    expect(excerpts.length).toBeGreaterThan(15);
    const tests = sources
      .filter((path) => path.startsWith('test/'))
      .map(read)
      .join('\n');
    const untested = excerpts.filter(({ of }) => !/(\.test|-types)\.ts$/.test(of) && !tests.includes(posix.basename(of)));
    expect(untested.map(({ of }) => of)).toEqual([]);
  });
  it('is told from what only resembles it', () => {
    expect(standsIn('a\n  b\n', 'x\n  a\n    b\n')).toBe(true);
    expect(standsIn('a\nb\n', 'a\nx\nb\n')).toBe(false);
  });
  it('is in a language that somebody checks', () => {
    const known = ['ts', 'sh', 'text', 'yaml', ''];
    expect(blocks.filter(({ language }) => !known.includes(language)).map(({ page, line }) => `${page}:${line}`)).toEqual([]);
  });
});

describe('a link', () => {
  it('leads to a file and a heading that are there', () => {
    const links = found(/\]\((?!https?:)([^)\s]+)\)/g);
    const broken = links.filter(([page, link]) => {
      const [path = '', anchor] = link.split('#');
      const to = path === '' ? page : posix.join(posix.dirname(page), path);
      if (!existsSync(join(root, to))) return true;
      return anchor !== undefined && /\.md$/.test(to) && !anchorsOf(to).has(anchor);
    });
    expect([links.length > 40, broken]).toEqual([true, []]);
  });
  it('reaches every page of docs/', () => {
    expect(filesBelow(root, 'docs').filter((path) => path.endsWith('.md') && !PAGES.includes(path))).toEqual([]);
  });
});

describe('a name in the text', () => {
  it('of a file is one that is there', () => {
    const named = found(/`((?:src|actors|infra|test|docs)\/[\w./-]+)`/g);
    expect([named.length > 20, named.filter(([, path]) => !existsSync(join(root, path)))]).toEqual([true, []]);
  });

  it('of a test is the title of one', () => {
    const titles = sources
      .filter((path) => path.endsWith('.test.ts'))
      .map(read)
      .join('\n');
    const named = found(/`(fault: [^`]+)`/g);
    expect([named.length > 5, named.filter(([, title]) => !titles.includes(title))]).toEqual([true, []]);
  });

  it('of a metric is one that a replica exports, and operating.md has them all', async () => {
    const it = telemetry({ level: 'error', replica: 'r', version: '0', write: () => {} });
    it.leaseMargin(1);
    const zero = () => 0;
    it.watch({ active: zero, mailboxDepth: zero, mailboxOldestSeconds: zero, parked: zero, outboxUnpublished: zero, watermarkLag: zero });
    const { text } = await it.metrics();
    it.stop();
    const exported = new Set([...text.matchAll(/^# TYPE (locus_\w+)/gm)].map(([, name]) => name ?? ''));
    expect(
      found(/\b(locus_[a-z_]+(?:_total|_seconds|_info|_lag|_depth|_doubt|_intents)|locus_(?:active|parked))\b/g).filter(
        ([, name]) => !exported.has(name),
      ),
    ).toEqual([]);
    expect([exported.size > 20, [...exported].filter((name) => !read('docs/operating.md').includes(`\`${name}`))]).toEqual([true, []]);
  });

  it('of a variable, a code or a reason is one that the program knows', () => {
    const program = sources
      .filter((path) => /^(src|actors|infra)\/|^test\/examples\//.test(path))
      .map(read)
      .join('\n');
    const words = new Set(program.match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g));
    const named = found(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:_FILE)?(?:=[^`]*)?`/g);
    const strange = named.filter(([, word]) => !words.has(word) && !words.has(word.replace(/_FILE$/, '')));
    expect([named.length > 50, strange]).toEqual([true, []]);
  });
});

describe('a path over HTTP', () => {
  const cash = bind(CashLocation, {
    dispenseCash: { run: async () => ({ status: 'failed', code: 'X' }), probe: async () => ({ status: 'unknown' }) },
  });
  const known = { ...(openApi(catalogue(definitions([cash]))).paths as object), ...(adminApi.paths as object) };
  const patterns = Object.entries<object>(known).map(([path, methods]) => ({
    methods: Object.keys(methods).map((method) => method.toUpperCase()),
    pattern: new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, '[^/:]+')}$`),
  }));
  /** A path with names in braces stands for those of the cash location. */
  const filled = (path: string) =>
    path
      .replace('{type}', 'cash-location')
      .replace('{command}', 'dispense')
      .replace('{query}', 'position')
      .replaceAll(/\{\w+\}/g, 'x')
      .replace(/\?.*$/, '');
  const is = (method: string, path: string) =>
    patterns.some(
      (it) =>
        it.methods.includes(method) &&
        it.pattern.test(filled(path).replace(/^\/v1\/(?!cash-location)[^/]+\/([^/]+)\/\w+$/, '/v1/cash-location/$1/position')),
    );

  it('is one of the OpenAPI documents, with its method', () => {
    const said = PAGES.flatMap((page) =>
      [...read(page).matchAll(/`(GET|POST) (\/[^`\s]*)`/g)].map(([, method = '', path = '']) => [page, method, path] as const),
    );
    expect([said.length > 12, said.filter(([, method, path]) => !is(method, path))]).toEqual([true, []]);
  });
  it('is told from one that is not there', () => {
    expect([
      is('GET', '/v1/{type}/{id}'),
      is('POST', '/v1/{type}/{id}/{command}'),
      is('POST', '/admin/locations/{type}/{id}:unfreeze'),
    ]).toEqual([true, true, true]);
    expect([is('POST', '/livez'), is('GET', '/admin/nothing'), is('POST', '/admin/locations/{type}/{id}:explode')]).toEqual([
      false,
      false,
      false,
    ]);
  });
});

describe('a command line', () => {
  const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> };
  const inBlocks = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ page, text }) => linesOf(text).map((line) => [page, line] as const));
  const inText = found(
    /`(npm [^`]+)`/g,
    PAGES.map((page) => [page, prose(page)] as const),
  );

  it('of npm is a script of this package, or npm’s own', () => {
    const own = ['ci', 'pack', 'install', 'start', 'test'];
    const calls = [...inBlocks, ...inText].flatMap(([page, line]) => line.split('&&').map((part) => [page, wordsOf(part)] as const));
    const npm = calls.filter(([, [program]]) => program === 'npm');
    const strange = npm.filter(
      ([, [, first = '', second = '']]) => !(first === 'run' ? Object.hasOwn(scripts, second) : own.includes(first)),
    );
    expect([npm.length > 8, strange]).toEqual([true, []]);
  });

  it('of a bench names a workload that there is', () => {
    const bench = read('test/bench/run.ts');
    const workloads = [...inBlocks, ...inText].flatMap(([, line]) =>
      [...line.matchAll(/npm run bench -- (\w+)/g)].map(([, name = '']) => name),
    );
    expect([workloads.length > 3, workloads.filter((name) => !new RegExp(`\\b${name}\\b`).test(bench))]).toEqual([true, []]);
  });

  it('begins with a program that somebody checks', () => {
    const known = /^(npm|npx locus|locus|curl|kafka-acls\.sh) /;
    expect(inBlocks.filter(([, line]) => !known.test(`${line} `))).toEqual([]);
  });
});
