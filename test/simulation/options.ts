/** What `npm run sim` is asked to do: its words read, each wrong one named with its value and its rule. */
import { parseArgs } from 'node:util';
import type { Leases } from './stage.ts';

export const USAGE = `npm run sim -- --seed N [--steps N] [--only none|3,7] [--leases honest|grants|lies]
    shows what happens under one seed, with those of its faults that --only names by their places
npm run sim -- [--seeds N] [--from S] [--steps N] [--leases honest|grants|lies] [--twice] [--unkept]
    searches the seeds S to S+N-1 for a broken promise; --twice runs each twice, --unkept keeps none in regressions.json
npm run sim -- --regressions
    runs the seeds that are kept
npm run sim -- --mutants [--seeds N] [--from S] [--steps N] [NAME…]
    puts seeded bugs into a copy of the program and searches seeds for each
npm run sim -- --twins [--sequences N] [--logs N] [--seed N]
    random sequences on the memory twins and on real servers: of the store, and of the log with its rebalances
N: 1000 --seeds, 2000 --steps, 5000 --sequences, 100 --logs where they are left out. Exit 1: something was found; 2: this cannot be run.`;

type Run = { readonly steps: number; readonly leases: Leases };
type Range = { readonly seeds: number; readonly from: number };
export type Asked =
  | { readonly mode: 'help' | 'regressions' }
  | ({ readonly mode: 'seed'; readonly seed: number; readonly only?: readonly number[] } & Run)
  | ({ readonly mode: 'seeds'; readonly twice: boolean; readonly unkept: boolean } & Run & Range)
  | ({ readonly mode: 'mutants'; readonly names: readonly string[]; readonly steps: number } & Range)
  | { readonly mode: 'twins'; readonly sequences: number; readonly logs: number; readonly seed: number };
export type Wrong = { readonly mode: 'wrong'; readonly why: readonly string[] };

const SEED_END = 2 ** 31;
const LEASES: readonly string[] = ['honest', 'grants', 'lies'] satisfies readonly Leases[];
/** The options that go with each mode; the mode's own is its name. */
const goes = {
  twins: ['sequences', 'logs', 'seed'],
  mutants: ['seeds', 'from', 'steps'],
  regressions: [],
  seed: ['steps', 'only', 'leases'],
  seeds: ['from', 'steps', 'leases', 'twice', 'unkept'],
} as const satisfies Readonly<Record<Exclude<Asked['mode'], 'help'>, readonly string[]>>;
type Mode = keyof typeof goes;
const modes = Object.keys(goes) as readonly Mode[];

const string = { type: 'string' } as const;
const boolean = { type: 'boolean' } as const;
const options = {
  seed: string,
  seeds: string,
  from: string,
  steps: string,
  only: string,
  leases: string,
  sequences: string,
  logs: string,
  twice: boolean,
  unkept: boolean,
  regressions: boolean,
  mutants: boolean,
  twins: boolean,
  help: boolean,
};
type Name = keyof typeof options;
const isName = (name: string): name is Name => Object.hasOwn(options, name);

/** `mutants`: the names of those that there are. */
export function asked(argv: readonly string[], mutants: readonly string[]): Asked | Wrong {
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const why: string[] = [];
  const given = new Map<string, string>();
  const names: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') names.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, value } = token;
    if (!isName(name))
      why.push(
        `${token.rawName} is no option: must be one of ${Object.keys(options)
          .map((it) => `--${it}`)
          .join(', ')}`,
      );
    else if (options[name].type === 'boolean' && value !== undefined) why.push(`--${name} is ${JSON.stringify(value)}: takes no value`);
    else given.set(name, value ?? '');
  }
  if (given.has('help')) return { mode: 'help' };
  const mode = modes.find((it) => given.has(it)) ?? 'seeds';
  for (const name of given.keys())
    if (name !== mode && !goes[mode].some((it) => it === name)) why.push(`--${name} is given: does not go with --${mode}`);
  for (const name of names)
    if (mode !== 'mutants') why.push(`${JSON.stringify(name)} is given: only --mutants takes names`);
    else if (!mutants.includes(name)) why.push(`${JSON.stringify(name)} is no mutant: must be one of ${mutants.join(', ')}`);
  const it = read(mode, given, names, why);
  return why.length > 0 ? { mode: 'wrong', why } : it;
}

function read(mode: Mode, given: ReadonlyMap<string, string>, names: readonly string[], why: string[]): Asked {
  const whole = (name: Name, least: number, otherwise: number): number => {
    const text = given.get(name);
    const value = text === undefined ? otherwise : /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= SEED_END))
      why.push(`--${name} is ${JSON.stringify(text)}: must be a whole number from ${least} to 2^31`);
    return value;
  };
  const leases = given.get('leases') ?? 'honest';
  if (!LEASES.includes(leases)) why.push(`--leases is ${JSON.stringify(leases)}: must be honest, grants or lies`);
  const only = given.get('only');
  if (only !== undefined && !/^(none|\d+(,\d+)*)$/.test(only))
    why.push(`--only is ${JSON.stringify(only)}: must be none, or places of faults with commas between them`);
  const run = () => ({ steps: whole('steps', 1, 2_000), leases: leases as Leases });
  const range = () => ({ seeds: whole('seeds', 1, 1_000), from: whole('from', 0, 1) });
  switch (mode) {
    case 'regressions':
      return { mode };
    case 'twins':
      return { mode, sequences: whole('sequences', 0, 5_000), logs: whole('logs', 0, 100), seed: whole('seed', 0, 1) };
    case 'mutants':
      return { mode, names, steps: whole('steps', 1, 2_000), ...range() };
    case 'seed': {
      const places = only === 'none' ? [] : only?.split(',').map(Number);
      return { mode, seed: whole('seed', 0, 0), ...run(), ...(places && { only: places }) };
    }
    case 'seeds':
      return { mode, ...run(), ...range(), twice: given.has('twice'), unkept: given.has('unkept') };
  }
}
