/** What `locus doctor` finds: one line for each thing it looked at, with what to do where something is wrong. */
import { LocusError, sentence, why } from '../errors.ts';
import type { Said } from './ask.ts';
import { EXIT } from './client.ts';
import { table } from './print.ts';

/** skipped: it could not be looked at, which proves nothing. */
export type Finding = {
  readonly state: 'ok' | 'wrong' | 'skipped';
  readonly check: string;
  readonly target: string;
  readonly told: string;
};
export const ok = (check: string, target: string, told: string): Finding => ({ state: 'ok', check, target, told });
export const wrong = (check: string, target: string, told: string): Finding => ({ state: 'wrong', check, target, told });
export const skipped = (check: string, target: string, told: string): Finding => ({ state: 'skipped', check, target, told });

/** What was met on the way: each fault a line of its own. */
export function met(check: string, target: string, error: unknown): readonly Finding[] {
  const faults = error instanceof LocusError ? error.faults : [];
  return faults.length > 0 ? faults.map((fault) => wrong(check, target, sentence(fault))) : [wrong(check, target, why(error))];
}

export type Skew = { readonly aheadMs: number; readonly withinMs: number };
/** Deadlines and ages are told by clocks of several machines. */
const SKEW_MAX_MS = 1_000;
export function clock(target: string, { aheadMs, withinMs }: Skew): Finding {
  const off = `${Math.round(Math.abs(aheadMs))} ms ${aheadMs < 0 ? 'behind' : 'ahead of'} this machine, within ${Math.ceil(withinMs)} ms`;
  if (Math.abs(aheadMs) - withinMs <= SKEW_MAX_MS) return ok('clock', target, off);
  return wrong('clock', target, `${off}: must be within ${SKEW_MAX_MS} ms: let both follow one time server (NTP)`);
}

export function report(findings: readonly Finding[], format: 'text' | 'json'): Said {
  const isWell = findings.every(({ state }) => state !== 'wrong');
  const columns = [
    ['STATE', (row: { readonly state?: unknown }) => row.state],
    ['CHECK', (row: { readonly check?: unknown }) => row.check],
    ['TARGET', (row: { readonly target?: unknown }) => row.target],
    ['FOUND', (row: { readonly told?: unknown }) => row.told],
  ] as const;
  const text = format === 'json' ? JSON.stringify({ well: isWell, findings }) : table(columns, findings);
  return { text, exit: isWell ? EXIT.done : EXIT.failed };
}
