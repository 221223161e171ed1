/** A Kustomize component laid over the base, as far as ours go: values merged into a generated ConfigMap, and JSON patches (RFC 6902). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { lines, type Resource, resources } from './manifests.ts';

type Component = {
  readonly kind: string;
  readonly configMapGenerator: readonly { readonly name: string; readonly behavior: string; readonly envs: readonly string[] }[];
  readonly patches: readonly { readonly path: string; readonly target: { readonly kind: string; readonly name: string } }[];
};
type Step = { readonly op: string; readonly path: string; readonly value: unknown };
type Node = Record<string, unknown> | unknown[];

/** The resources of the base with the component of this folder of infra/k8s, and the files that it is made of. */
export function withComponent(name: string): {
  readonly resources: readonly Resource[];
  readonly files: readonly string[];
  readonly named: readonly string[];
} {
  const folder = join(import.meta.dirname, '../../infra/k8s', name);
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');
  const component = parse(read('kustomization.yaml')) as Component;
  if (component.kind !== 'Component') throw new Error(`${name} is a ${component.kind}`);
  const all = structuredClone(resources) as Resource[];
  const find = (kind: string, its: string) => {
    const found = all.filter((it) => it.kind === kind && it.metadata.name === its);
    if (found.length !== 1) throw new Error(`${found.length} of kind ${kind} are named ${its}`);
    return found[0] as unknown as Record<string, unknown>;
  };
  for (const { name: map, behavior, envs } of component.configMapGenerator) {
    if (behavior !== 'merge') throw new Error(`${map} is not merged`);
    Object.assign(find('ConfigMap', map).data as object, Object.fromEntries(envs.flatMap((file) => lines(read(file)))));
  }
  for (const { path, target } of component.patches)
    for (const step of parse(read(path)) as Step[]) play(find(target.kind, target.name), step);
  const named = [...component.configMapGenerator.flatMap(({ envs }) => envs), ...component.patches.map(({ path }) => path)];
  return { resources: all, files: readdirSync(folder).filter((file) => file !== 'kustomization.yaml'), named };
}

function play(root: Record<string, unknown>, { op, path, value }: Step): void {
  const names = path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = names.pop() ?? '';
  const at = names.reduce<Node>((node, part) => inside(node, part) as Node, root);
  if (op === 'add' && Array.isArray(at) && last === '-') return void at.push(value);
  const found = inside(at, last);
  if (op === 'test' && found === value) return;
  if (op !== 'replace') throw new Error(`${op} ${path}: found ${JSON.stringify(found)}`);
  (at as Record<string, unknown>)[last] = value;
}
function inside(node: Node, part: string): unknown {
  const found = (node as Record<string, unknown>)[part];
  if (found === undefined) throw new Error(`there is no ${part}`);
  return found;
}
