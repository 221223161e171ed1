/** The sources of the house as syntax trees, for the rules that are held by a test. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import ts from 'typescript';

export type Source = { readonly path: string; readonly text: string; readonly tree: ts.SourceFile };

export const sourceOf = (path: string, text: string): Source => ({
  path,
  text,
  tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true, ts.ScriptKind.TS),
});

/** Paths below `folder`, relative to `root`, with `/` on every system. */
export function filesBelow(root: string, folder: string): readonly string[] {
  const found = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join(posix.sep))
    .filter((path) => !path.includes('node_modules/'))
    .sort();
}

export const readSource = (root: string, path: string): Source => sourceOf(path, readFileSync(join(root, path), 'utf8'));

/** Where a node stands, as `path:line`. */
export const place = (source: Source, node: ts.Node): string =>
  `${source.path}:${source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1}`;

export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}
