/** Holds the house to its rules, and each rule to being able to fail. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loosePins, marksIn, strangersAtRoot } from './tidy/ground.ts';
import { circles, lawBroken, roomsBroken } from './tidy/imports.ts';
import { luaFaults } from './tidy/lua.ts';
import { reachesOut } from './tidy/reach.ts';
import * as shape from './tidy/shape.ts';
import { filesBelow, readSource, type Source, sourceOf } from './tidy/source.ts';

const root = join(import.meta.dirname, '..');
const paths = ['src', 'actors', 'infra', 'test', 'docs']
  .filter((folder) => existsSync(join(root, folder)))
  .flatMap((it) => filesBelow(root, it));
const sources = paths.filter((path) => path.endsWith('.ts')).map((path) => readSource(root, path));
const house = sources.filter(({ path }) => !path.startsWith('test/'));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const each = (rule: (source: Source) => readonly string[], over: readonly Source[]): readonly string[] => over.flatMap(rule);

describe('the house', () => {
  test('was found', () => expect(house.length).toBeGreaterThan(5));
  test('keeps its import law', () => expect(each(lawBroken, house)).toEqual([]));
  test('keeps each library in its room', () => expect(each(roomsBroken, house)).toEqual([]));
  test('has no circle of imports', () => expect(circles(sources)).toEqual([]));
  test('takes time, chance and environment by the door', () => expect(each(reachesOut, house)).toEqual([]));
  test('stays within its budgets', () => expect(each(shape.tooLong, house)).toEqual([]));
  test('has no barrel', () => expect(sources.filter(shape.isBarrel).map(({ path }) => path)).toEqual([]));
  test('exports nothing by default', () => expect(each(shape.defaultExports, sources)).toEqual([]));
  test('opens each file with its duty', () => expect(house.filter((it) => !shape.opensWithDuty(it)).map(({ path }) => path)).toEqual([]));
  test('names its files in kebab-case', () => expect(paths.filter((path) => !shape.isWellNamed(path))).toEqual([]));
  test('names nothing with an overloaded word', () => {
    expect(paths.filter(shape.refusedPath)).toEqual([]);
    expect(each(shape.refusedNames, house)).toEqual([]);
  });
  test('leaves no test out', () => expect(each(shape.unevenTests, sources)).toEqual([]));
  test('writes once in each script of the store', () => {
    expect(paths.filter((path) => path.endsWith('.lua')).flatMap((path) => luaFaults(path, read(path)))).toEqual([]);
  });
  test('holds no mark of unfinished work and no path of one machine', () => {
    expect(paths.flatMap((path) => marksIn(path, read(path)))).toEqual([]);
  });
  test('pins every dependency, in the lock too', () => {
    expect(loosePins(JSON.parse(read('package.json')), JSON.parse(read('package-lock.json')))).toEqual([]);
  });
  test('holds at its root only what is named', () => expect(strangersAtRoot(readdirSync(root))).toEqual([]));
});

/** Joined here, so that a search of the tests for what no test may hold finds nothing in this file. */
const called = (name: string, given = ''): string => `${name}(${given})`;

const faults = (rule: (source: Source) => readonly string[], path: string, text: string): number => rule(sourceOf(path, text)).length;

describe('the import law', () => {
  test.each([
    ['actors/a/actor.ts', "import { x } from '../../infra/redis/x.ts';"],
    ['actors/a/actor.ts', "import type { x } from '../../src/ports.ts';"],
    ['infra/redis/a.ts', "import { x } from '../kafka/b.ts';"],
    ['infra/redis/a.ts', "export { x } from '../../src/actor.ts';"],
    ['infra/redis/a.ts', "const x = await import('../../src/runtime/turn.ts');"],
    ['infra/dev/demo.ts', "import { x } from '../device/gateway.ts';"],
    ['infra/dev/books.ts', "import { x } from './demo.ts';"],
    ['infra/dev/books.ts', "import { x } from '../../src/message/codec.ts';"],
    ['src/runtime/turn.ts', "import { x } from '../../actors/registry.ts';"],
    ['src/runtime/turn.ts', "import { x } from '../main.ts';"],
    ['src/ports.ts', "import { x } from './runtime/turn.ts';"],
    ['src/message/codec.ts', "import { x } from '../clock.ts';"],
    ['src/runtime/turn.ts', "type X = import('../../infra/redis/a.ts').X;"],
  ])('is broken by %s with %s', (path, text) => expect(faults(lawBroken, path, text)).toBe(1));
  test.each([
    ['actors/a/actor.ts', "import { x } from '../../src/actor.ts';"],
    ['infra/redis/a.ts', "import { x } from './lua/b.ts';"],
    ['src/main.ts', "import { x } from '../infra/redis/a.ts';"],
  ])('allows %s with %s', (path, text) => expect(faults(lawBroken, path, text)).toBe(0));
  test('finds a circle, of types too', () => {
    const a = sourceOf('src/a.ts', "import { b } from './b.ts';");
    const b = sourceOf('src/b.ts', "import type { c } from './message/c.ts';");
    const c = sourceOf('src/message/c.ts', "export { a } from '../a.ts';");
    expect(circles([a, b, c])).toEqual(['src/a.ts → src/b.ts → src/message/c.ts → src/a.ts']);
    expect(circles([a, b])).toEqual([]);
  });
});

describe('the rooms of libraries', () => {
  test.each([
    ['src/runtime/router.ts', "import { spawn } from 'nact';"],
    ['infra/http/server.ts', "import { Kafka } from 'kafkajs';"],
    ['infra/redis/a.ts', "const x = createRequire(import.meta.url)('kafkajs/src/broker');"],
    ['infra/memory/a.ts', "import x from 'lodash';"],
    ['src/config.ts', "import x from '@fastify/static';"],
  ])('are left by %s with %s', (path, text) => expect(faults(roomsBroken, path, text)).toBe(1));
  test('are kept by an adapter and by built-in modules', () => {
    expect(faults(roomsBroken, 'infra/kafka/a.ts', "import { Kafka } from 'kafkajs'; import fs from 'node:fs';")).toBe(0);
  });
});

describe('time, chance and environment', () => {
  test.each([
    'Date.now()',
    'const now = Date.now;',
    'new Date()',
    'Date()',
    'const D = Date;',
    'const { env } = process;',
    "process['env']",
    'globalThis.process.env',
    called('globalThis.setTimeout', 'f, 1'),
    called('setTimeout', 'f, 1'),
    'const wait = setInterval;',
    'const x = { later: setImmediate };',
    'queueMicrotask(f)',
    'process.nextTick(f)',
    'process.hrtime.bigint()',
    'performance.now()',
    'Math.random()',
    'AbortSignal.timeout(5)',
    'crypto.randomUUID()',
    "import { setTimeout as wait } from 'node:timers/promises';",
    "import { performance } from 'node:perf_hooks';",
    "import { env } from 'node:process';",
    "import { randomBytes as bytes } from 'node:crypto';",
    "import * as all from 'node:crypto';",
  ])('are reached by %s', (text) => expect(faults(reachesOut, 'src/runtime/a.ts', text)).toBeGreaterThan(0));
  test.each([
    'new Date(ms)',
    'clock.now()',
    'Math.floor(x)',
    "import { createHash } from 'node:crypto';",
    'Date.parse(x)',
    'process.exit(1)',
  ])('are left alone by %s', (text) => expect(faults(reachesOut, 'src/runtime/a.ts', text)).toBe(0));
  test('are each owned by one file, and by that one alone', () => {
    expect(faults(reachesOut, 'src/clock.ts', 'Date.now()')).toBe(0);
    expect(faults(reachesOut, 'src/clock.ts', 'Math.random()')).toBe(1);
    expect(faults(reachesOut, 'src/config.ts', 'process.env.X')).toBe(0);
  });
});

describe('the form of a file', () => {
  test('has budgets for files and for functions', () => {
    expect(faults(shape.tooLong, 'src/a.ts', '//\n'.repeat(301))).toBe(1);
    expect(faults(shape.tooLong, 'src/a.ts', '//\n'.repeat(300))).toBe(0);
    expect(faults(shape.tooLong, 'src/a.ts', `const f = () => {\n${'g();\n'.repeat(69)}};`)).toBe(1);
    expect(faults(shape.tooLong, 'src/a.ts', `const f = () => {\n${'g();\n'.repeat(68)}};`)).toBe(0);
  });
  test('is no barrel', () => {
    expect(shape.isBarrel(sourceOf('src/a.ts', "export * from './b.ts';\nexport { c } from './c.ts';"))).toBe(true);
    expect(shape.isBarrel(sourceOf('src/a.ts', "import { c } from './c.ts';\nexport { c };"))).toBe(true);
    expect(shape.isBarrel(sourceOf('src/a.ts', "export { c } from './c.ts';\nexport const d = 1;"))).toBe(false);
  });
  test.each(['export default 1;', 'export default function f() {}', 'const a = 1; export { a as default };'])(
    'has no default export such as %s',
    (text) => expect(faults(shape.defaultExports, 'src/a.ts', text)).toBe(1),
  );
  test('opens with its duty', () => {
    expect(shape.opensWithDuty(sourceOf('src/a.ts', '/** Says why. */\n'))).toBe(true);
    expect(shape.opensWithDuty(sourceOf('src/a.ts', '#!/usr/bin/env node\n/** Says why. */\n'))).toBe(true);
    expect(shape.opensWithDuty(sourceOf('src/a.ts', "import 'x';\n/** Late. */"))).toBe(false);
  });
  test('is named in kebab-case and without overloaded words', () => {
    expect(['src/TurnTaker.ts', 'src/turn_taker.ts', 'src/RunTime/a.ts'].filter(shape.isWellNamed)).toEqual([]);
    expect(['src/turn-taker.ts', 'infra/redis/lua/commit-1.lua', 'src/runtime/DESIGN.md'].every(shape.isWellNamed)).toBe(true);
    expect(['src/utils/a.ts', 'src/turn-manager.ts', 'src/service.ts'].every(shape.refusedPath)).toBe(true);
    expect(faults(shape.refusedNames, 'src/a.ts', 'const turnProcessor = 1; class HelperOf {} const f = (pipeline: X) => 1;')).toBe(3);
    expect(faults(shape.refusedNames, 'src/a.ts', 'const outsideServices = 1;')).toBe(0);
  });
  test('leaves no test out', () => {
    const found = (text: string) => faults(shape.unevenTests, 'test/a.test.ts', text);
    // Put together here, so that a search of the tests for such words finds none.
    const names = [
      ['test', 'skip'],
      ['it', 'concurrent', 'only'],
      ['test', 'todo'],
      ['describe', 'skipIf'],
    ].map((words) => words.join('.'));
    expect(names.map((name) => found(called(name)))).toEqual([1, 1, 1, 1]);
    expect(found(called('test', `'a', { ${['retry', '3'].join(': ')} }, f`))).toBe(1);
    expect(found('describe.each([])')).toBe(0);
  });
});

describe('a script of the store', () => {
  const head = '-- Does it.\n-- KEYS[1] the location  ARGV[1] the epoch\n';
  const write = "redis.call('HSET', KEYS[1], 'a', ARGV[1])\n";
  const luaFault = (text: string) => luaFaults('infra/redis/lua/commit-1.lua', text).length;
  test('says at its top what it is given', () => {
    expect(luaFault(`${head}${write}return 1`)).toBe(0);
    expect(luaFault(`-- Does it.\n${write}return 1`)).toBe(2);
    expect(luaFaults('infra/redis/lua/commit.lua', head)).toHaveLength(1);
  });
  test('writes once on each path', () => {
    expect(luaFault(`${head}${write}${write}`)).toBe(1);
    expect(luaFault(`${head}if x then\n${write}return 1\nend\n${write}`)).toBe(0);
    expect(luaFault(`${head}for i = 1, 2 do\n${write}end\n`)).toBe(1);
    expect(luaFault(`${head}${write}-- a second write: an index may name too much\n${write}`)).toBe(0);
  });
  test('is short', () => expect(luaFault(`${head}${'local a = 1\n'.repeat(79)}`)).toBe(1));
});

describe('the ground', () => {
  test('refuses a loose pin and a lock that differs', () => {
    const lock = { packages: { 'node_modules/a': { version: '1.0.0' } } };
    expect(loosePins({ dependencies: { a: '1.0.0' } }, lock)).toEqual([]);
    expect(loosePins({ dependencies: { a: '^1.0.0' } }, lock)).toHaveLength(1);
    expect(loosePins({ devDependencies: { a: '1.0.1' } }, lock)).toHaveLength(1);
    expect(loosePins({ dependencies: { b: '1.0.0' } }, lock)).toHaveLength(1);
  });
  test('refuses a stranger at the root', () => {
    expect(strangersAtRoot(['src', 'notes.txt', 'lib', 'node_modules'])).toEqual(['notes.txt', 'lib']);
  });
  test('refuses a mark of unfinished work', () => {
    expect(marksIn('a.ts', `// ${['TO', 'DO'].join('')} later`)).toHaveLength(1);
    expect(marksIn('a.ts', '// done')).toEqual([]);
  });
});
