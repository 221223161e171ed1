/** Budgets, names and the form of a file. */
import { basename } from 'node:path';
import ts from 'typescript';
import { place, type Source, walk } from './source.ts';

const FILE_LINES_MAX = 300;
const FUNCTION_LINES_MAX = 70;

export const linesOf = (text: string): number => text.replace(/\n$/, '').split('\n').length;

export function tooLong(source: Source): readonly string[] {
  const lines = linesOf(source.text);
  const found = lines > FILE_LINES_MAX ? [`${source.path} has ${lines} lines, more than ${FILE_LINES_MAX}`] : [];
  walk(source.tree, (node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return;
    const long = linesOf(node.getText(source.tree));
    if (long > FUNCTION_LINES_MAX) found.push(`${place(source, node)} is a function of ${long} lines, more than ${FUNCTION_LINES_MAX}`);
  });
  return found;
}

/** A file that only passes on what others export. */
export function isBarrel(source: Source): boolean {
  const statements = source.tree.statements.filter((one) => !ts.isImportDeclaration(one));
  return statements.length > 0 && statements.every((one) => ts.isExportDeclaration(one));
}

export function defaultExports(source: Source): readonly string[] {
  const found: ts.Node[] = [];
  walk(source.tree, (node) => {
    if (ts.isExportAssignment(node)) found.push(node);
    if (ts.isExportSpecifier(node) && node.name.text === 'default') found.push(node);
    if (node.kind === ts.SyntaxKind.DefaultKeyword && !ts.isDefaultClause(node.parent)) found.push(node);
  });
  return found.map((node) => `${place(source, node)} exports by default`);
}

export const opensWithDuty = (source: Source): boolean => /^(#!.*\n)?\/\*\*\s*\S/.test(source.text);

const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|test-d|d))?\.[a-z]+$/;
/** Documents, and names that a tool dictates. */
const NAMED = new Set(['DESIGN.md', 'README.md', 'Dockerfile', 'Dockerfile.dockerignore']);
export const isWellNamed = (path: string): boolean =>
  NAMED.has(basename(path)) ||
  (KEBAB.test(basename(path)) &&
    path
      .split('/')
      .slice(0, -1)
      .every((folder) => /^[a-z0-9]+(-[a-z0-9]+)*$/.test(folder)));

/** Overloaded words: they tell the reader nothing. */
const REFUSED = new Set(['dispatcher', 'manager', 'processor', 'pipeline', 'helper', 'helpers', 'util', 'utils', 'service']);
const words = (name: string): readonly string[] => name.split(/(?=[A-Z])|[^A-Za-z]+/).map((word) => word.toLowerCase());
const isRefused = (name: string): boolean => words(name).some((word) => REFUSED.has(word));

export const refusedPath = (path: string): boolean => path.split('/').some(isRefused);

/** Declarations whose names hold a refused word. */
export function refusedNames(source: Source): readonly string[] {
  const found: string[] = [];
  walk(source.tree, (node) => {
    const isDeclared =
      ts.isFunctionDeclaration(node) ||
      ts.isClassDeclaration(node) ||
      ts.isTypeAliasDeclaration(node) ||
      ts.isInterfaceDeclaration(node) ||
      ts.isVariableDeclaration(node) ||
      ts.isParameter(node);
    if (!isDeclared || node.name === undefined || !ts.isIdentifier(node.name)) return;
    if (isRefused(node.name.text)) found.push(`${place(source, node)} declares ${node.name.text}`);
  });
  return found;
}

/** A test that is left out, or runs alone, or is run again until it passes. */
export function unevenTests(source: Source): readonly string[] {
  const found: string[] = [];
  walk(source.tree, (node) => {
    if (ts.isPropertyAccessExpression(node) && /^(skip|only|todo|fails|skipIf|runIf)$/.test(node.name.text) && roots(node.expression)) {
      found.push(`${place(source, node)} has .${node.name.text}`);
    }
    if (ts.isPropertyAssignment(node) && node.name.getText(source.tree) === 'retry' && source.path.endsWith('.test.ts')) {
      if (ts.isNumericLiteral(node.initializer)) found.push(`${place(source, node)} retries`);
    }
  });
  return found;
}

const roots = (node: ts.Expression): boolean => {
  if (ts.isPropertyAccessExpression(node)) return roots(node.expression);
  return ts.isIdentifier(node) && /^(test|it|describe|suite|bench)$/.test(node.text);
};
