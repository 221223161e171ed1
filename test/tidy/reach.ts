/** Nobody reaches for time, chance or the environment but the three files that own them: held on the syntax tree. */
import ts from 'typescript';
import { place, type Source, walk } from './source.ts';

type Kind = 'time' | 'chance' | 'environment';

const OWNERS: Readonly<Record<Kind, string>> = { time: 'src/clock.ts', chance: 'src/random.ts', environment: 'src/config.ts' };

const MEMBERS: Readonly<Record<string, Kind>> = {
  'Date.now': 'time',
  'performance.now': 'time',
  'performance.timeOrigin': 'time',
  'process.hrtime': 'time',
  'process.uptime': 'time',
  'process.nextTick': 'time',
  'AbortSignal.timeout': 'time',
  'Math.random': 'chance',
  'crypto.randomUUID': 'chance',
  'crypto.getRandomValues': 'chance',
  'process.env': 'environment',
};
const GLOBALS: Readonly<Record<string, Kind>> = {
  setTimeout: 'time',
  setInterval: 'time',
  setImmediate: 'time',
  queueMicrotask: 'time',
};
const MODULES: Readonly<Record<string, Kind>> = {
  timers: 'time',
  'timers/promises': 'time',
  perf_hooks: 'time',
  process: 'environment',
};
const RANDOM_IMPORTS = /^(random|webcrypto|getRandomValues|generateKey|subtle)/;
/** What must not be renamed or taken apart, or the members above would slip through. */
const OBJECTS = new Set([...Object.keys(MEMBERS).map((member) => member.split('.')[0] as string), 'globalThis', 'global']);

/** Programs of development run by themselves, outside any simulator: they may use the system's clock and environment. */
const isExempt = (path: string): boolean => path.startsWith('infra/dev/') || path.startsWith('test/');

export function reachesOut(source: Source): readonly string[] {
  if (isExempt(source.path)) return [];
  const found: string[] = [];
  walk(source.tree, (node) => {
    for (const [kind, what] of reaches(node)) {
      if (OWNERS[kind] !== source.path) found.push(`${place(source, node)} uses ${what}: ${kind} comes from ${OWNERS[kind]}`);
    }
  });
  return found;
}

type Reach = readonly [Kind, string];

function reaches(node: ts.Node): readonly Reach[] {
  if (ts.isPropertyAccessExpression(node)) return member(node.expression, node.name.text);
  if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression))
    return member(node.expression, node.argumentExpression.text);
  if (ts.isNewExpression(node) && isNamed(node.expression, 'Date') && (node.arguments ?? []).length === 0) return [['time', 'new Date()']];
  if (ts.isCallExpression(node) && isNamed(node.expression, 'Date')) return [['time', 'Date()']];
  if (ts.isImportDeclaration(node)) return imported(node);
  if (ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isPropertyAssignment(node)) return renamed(node.initializer);
  if (ts.isIdentifier(node)) return bare(node);
  return [];
}

const isNamed = (node: ts.Expression, name: string): boolean => ts.isIdentifier(node) && node.text === name;

function member(object: ts.Expression, name: string): readonly Reach[] {
  if (isNamed(object, 'globalThis') || isNamed(object, 'global')) {
    const kind = GLOBALS[name];
    return kind === undefined ? [] : [[kind, name]];
  }
  const owner = ts.isIdentifier(object) ? object.text : ts.isPropertyAccessExpression(object) ? object.name.text : '';
  const kind = MEMBERS[`${owner}.${name}`];
  return kind === undefined ? [] : [[kind, `${owner}.${name}`]];
}

/** `const { env } = process` or `const now = Date`. */
function renamed(initializer: ts.Expression | undefined): readonly Reach[] {
  if (initializer === undefined || !ts.isIdentifier(initializer) || !OBJECTS.has(initializer.text)) return [];
  return [['environment', `${initializer.text} under another name`]];
}

function bare(node: ts.Identifier): readonly Reach[] {
  const kind = GLOBALS[node.text];
  if (kind === undefined || !Object.hasOwn(GLOBALS, node.text)) return [];
  const parent = node.parent;
  const isName =
    (ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent)) && parent.name === node;
  return isName ? [] : [[kind, node.text]];
}

function imported(node: ts.ImportDeclaration): readonly Reach[] {
  const module = (node.moduleSpecifier as ts.StringLiteral).text.replace(/^node:/, '');
  const kind = MODULES[module];
  if (kind !== undefined && Object.hasOwn(MODULES, module)) return [[kind, `node:${module}`]];
  if (module !== 'crypto') return [];
  const bindings = node.importClause?.namedBindings;
  const whole = node.importClause?.name !== undefined || bindings === undefined || ts.isNamespaceImport(bindings);
  if (whole) return [['chance', 'node:crypto as a whole']];
  return bindings.elements
    .map((one) => (one.propertyName ?? one.name).text)
    .filter((name) => RANDOM_IMPORTS.test(name))
    .map((name): Reach => ['chance', `${name} of node:crypto`]);
}
