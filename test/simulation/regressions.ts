/** Seeds that once broke a promise: kept beside this file's source, and run again by a test. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Ask } from './run.ts';

/** `about`: what was wrong, in a line. */
export type Regression = Pick<Ask, 'seed' | 'steps' | 'leases' | 'only'> & { readonly invariant: string; readonly about: string };
const FILE = new URL('../../../test/simulation/regressions.json', import.meta.url);

export const regressions = (): readonly Regression[] => JSON.parse(readFileSync(FILE, 'utf8')) as readonly Regression[];
export function keep(regression: Regression): void {
  const all = regressions();
  const name = ({ seed, leases, invariant }: Regression) => `${seed} ${leases ?? 'honest'} ${invariant}`;
  if (all.some((it) => name(it) === name(regression))) return;
  writeFileSync(FILE, `${JSON.stringify([...all, regression], null, 2)}\n`);
}
