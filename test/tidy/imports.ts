/** Who may import whom, which library lives in which room, and that imports form no circle. */
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import ts from 'typescript';
import { place, type Source, walk } from './source.ts';

type Import = { readonly specifier: string; readonly node: ts.Node };

/** Every module that a file names: import, export from, import(), import type, require and createRequire(…)(…). */
export function importsOf(source: Source): readonly Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node | undefined) => {
    if (node !== undefined && ts.isStringLiteralLike(node)) found.push({ specifier: node.text, node });
  };
  walk(source.tree, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal);
    if (ts.isCallExpression(node) && loads(node.expression)) add(node.arguments[0]);
  });
  return found;
}

function loads(called: ts.Expression): boolean {
  if (called.kind === ts.SyntaxKind.ImportKeyword) return true;
  if (ts.isIdentifier(called)) return called.text === 'require';
  return ts.isCallExpression(called) && ts.isIdentifier(called.expression) && called.expression.text === 'createRequire';
}

const isLocal = (specifier: string): boolean => specifier.startsWith('.');
const resolved = (from: string, specifier: string): string => posix.join(posix.dirname(from), specifier);

const MESSAGE = ['src/message/', 'src/errors.ts'];
/** What runs, and what a package of it offers to others: they alone know everybody. */
const TOP = ['src/main.ts', 'src/cli.ts', 'src/locus.ts'];
/** What the command line is made of: it speaks to replicas over HTTP and knows only the ground. */
const CLI = 'src/cli/';

/** What a file may import from the house: path beginnings. Undefined: everything. */
function allowed(path: string): readonly string[] | undefined {
  if (TOP.includes(path) || path.startsWith('test/')) return undefined;
  // The books must not be able to repeat a mistake of the program that they check.
  if (path.startsWith('infra/dev/books')) return ['infra/dev/books'];
  if (path.startsWith('actors/')) return ['actors/', 'src/actor.ts', ...MESSAGE];
  if (path.startsWith('infra/')) return [path.split('/').slice(0, 2).join('/').concat('/'), 'src/ports.ts', 'src/desk.ts', ...MESSAGE];
  if (path.startsWith('src/runtime/')) return ['src/'];
  if (MESSAGE.some((start) => path.startsWith(start))) return MESSAGE;
  return ['src/'];
}

/** The wings know only the doors, the ground nothing above it. */
export function lawBroken(source: Source): readonly string[] {
  const may = allowed(source.path);
  if (may === undefined) return [];
  const isGround = !/^(actors|infra|src\/runtime)\//.test(source.path);
  const isCli = source.path.startsWith(CLI);
  return importsOf(source)
    .filter(({ specifier }) => isLocal(specifier))
    .map(({ specifier, node }) => ({ to: resolved(source.path, specifier), node }))
    .filter(({ to }) => {
      if (TOP.includes(to)) return true;
      if (isGround && to.startsWith('src/runtime/')) return true;
      if (!isCli && to.startsWith(CLI)) return true;
      return !may.some((start) => to.startsWith(start));
    })
    .map(({ to, node }) => `${place(source, node)} must not import ${to}`);
}

/** Each library and the paths it may be imported from. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  nact: ['src/runtime/activation.ts'],
  pino: ['src/runtime/telemetry.ts'],
  'prom-client': ['src/runtime/telemetry.ts'],
  // The demo plays the outside world: a plain producer, and books that read the topics without any code of ours.
  kafkajs: ['infra/kafka/', 'infra/dev/books-topics.ts', 'infra/dev/demo-load.ts', 'infra/dev/demo-watch.ts'],
  ioredis: ['infra/redis/'],
  redlock: ['infra/redis/'],
  libsql: ['infra/embedded/'],
  fastify: ['infra/http/'],
  undici: ['infra/device/'],
  '@fastify/rate-limit': ['infra/http/'],
  zod: ['actors/', 'src/message/', 'src/config.ts'],
  canonicalize: ['src/message/'],
  commander: ['src/cli.ts', 'src/cli/'],
  '@standard-schema/spec': ['src/actor.ts'],
};

const libraryOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** One library, one room. Tests may use any. */
export function roomsBroken(source: Source): readonly string[] {
  if (source.path.startsWith('test/')) return [];
  return importsOf(source)
    .filter(({ specifier }) => !isLocal(specifier) && !isBuiltin(specifier))
    .map(({ specifier, node }) => ({ library: libraryOf(specifier), node }))
    .filter(({ library }) => !(ROOMS[library] ?? []).some((room) => source.path.startsWith(room)))
    .map(({ library, node }) => `${place(source, node)} imports ${library}, whose room is ${(ROOMS[library] ?? ['nowhere']).join(' or ')}`);
}

/** Each circle of imports once, as the paths along it; type-only imports count too. */
export function circles(sources: readonly Source[]): readonly string[] {
  const edges = new Map(
    sources.map((source) => [
      source.path,
      importsOf(source)
        .filter(({ specifier }) => isLocal(specifier))
        .map(({ specifier }) => resolved(source.path, specifier)),
    ]),
  );
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]) => {
    const at = way.indexOf(path);
    if (at >= 0) found.push([...way.slice(at), path].join(' → '));
    if (at >= 0 || done.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...way, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
}
