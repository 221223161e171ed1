/** A Dockerfile as the instructions of its stages, and what its ignore file keeps from the build. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Instruction = { readonly verb: string; readonly rest: string };
export type Stage = { readonly name: string; readonly base: string; readonly instructions: readonly Instruction[] };
export type Copy = { readonly from: string | undefined; readonly sources: readonly string[]; readonly target: string };

const folder = join(import.meta.dirname, '../../infra/k8s');

export function stages(): readonly Stage[] {
  const found: { name: string; base: string; instructions: Instruction[] }[] = [];
  const text = readFileSync(join(folder, 'Dockerfile'), 'utf8').replace(/\\\n/g, '');
  for (const line of text.split('\n').filter((it) => it.trim() !== '' && !it.startsWith('#'))) {
    const [, verb = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (verb === '') throw new Error(`no instruction: ${line}`);
    const [, base, name] = /^(\S+)(?: AS (\S+))?$/.exec(rest) ?? [];
    if (verb === 'FROM') found.push({ base: base ?? '', name: name ?? '', instructions: [] });
    else found.at(-1)?.instructions.push({ verb, rest });
  }
  return found;
}

/** The last of its kind holds. */
export const last = (stage: Stage | undefined, verb: string): string | undefined =>
  stage?.instructions.findLast((it) => it.verb === verb)?.rest;

export function copyOf(rest: string): Copy {
  const words = rest.split(/\s+/);
  const from = words[0]?.startsWith('--from=') ? words.shift()?.slice('--from='.length) : undefined;
  return { from, target: words.pop() ?? '', sources: words };
}

/** May the build see this path? The last line that names it, or a folder it is in, decides. */
export function visible(): (path: string) => boolean {
  const lines = readFileSync(join(folder, 'Dockerfile.dockerignore'), 'utf8').split('\n');
  const rules = lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ shown: line.startsWith('!'), name: line.replace('!', '') }));
  const names = (name: string, path: string) => name === '*' || path === name || path.startsWith(`${name}/`);
  return (path) => rules.findLast(({ name }) => names(name, path))?.shown ?? true;
}
