/** The root, the pins, and words that must not be left in a file. */

type Package = {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
};
type Lock = { readonly packages?: Readonly<Record<string, { readonly version?: string } & Package>> };

const EXACT = /^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/;

/** Every dependency is pinned to one version, and the lock names the same one. */
export function loosePins(pack: Package, lock: Lock): readonly string[] {
  const pins = Object.entries({ ...pack.dependencies, ...pack.devDependencies });
  return pins.flatMap(([name, version]) => {
    if (!EXACT.test(version)) return [`package.json asks for ${name} ${version}, not for one version`];
    const locked = lock.packages?.[`node_modules/${name}`]?.version;
    return locked === version ? [] : [`package-lock.json has ${name} ${locked ?? 'nowhere'}, package.json ${version}`];
  });
}

const ROOT = new Set([
  ...['src', 'infra', 'actors', 'test', 'docs', 'README.md', 'LICENSE', 'PLAN.md'],
  ...['package.json', 'package-lock.json', 'tsconfig.json', 'biome.json', 'vitest.config.ts', '.gitignore', '.ci', '.github', '.npmrc'],
]);
/** Never committed. */
const LEFT = new Set(['.git', 'node_modules', 'dist', 'data', '.services']);

export const strangersAtRoot = (names: readonly string[]): readonly string[] =>
  names.filter((name) => !ROOT.has(name) && !LEFT.has(name) && !name.endsWith('.log'));

/** Put together from pieces, so that this file does not hold them. */
const MARKS = [
  ['TO', 'DO'],
  ['FIX', 'ME'],
  ['XX', 'X'],
  ['/wo', 'rk/'],
  ['../sha', 'red'],
].map((pieces) => pieces.join(''));

/** Marks of unfinished work, and paths of one machine. */
export function marksIn(path: string, text: string): readonly string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, at) => MARKS.filter((mark) => line.includes(mark)).map((mark) => `${path}:${at + 1} holds ${mark}`));
}
