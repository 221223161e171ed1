/** What a search has seen, in a line while it runs and in a few when it is over; and a failure, so that it can be run again. */
import type { Ask, Report } from './run.ts';

export class Tally {
  seeds = 0;
  simulatedMs = 0;
  steps = 0;
  readonly counts = new Map<string, number>();
  readonly #sinceMs: number;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
    this.#sinceMs = now();
  }
  add(report: Report): void {
    this.seeds++;
    this.simulatedMs += report.simulatedMs;
    this.steps += report.steps;
    for (const [name, count] of Object.entries(report.counts)) this.counts.set(name, (this.counts.get(name) ?? 0) + count);
  }
  get #seconds(): number {
    return (this.#now() - this.#sinceMs) / 1_000;
  }
  /** Simulated time over the time it took. */
  get speed(): number {
    return this.simulatedMs / 1_000 / Math.max(0.001, this.#seconds);
  }
  line(): string {
    const hours = (this.simulatedMs / 3_600_000).toFixed(1);
    const rate = (this.seeds / Math.max(0.001, this.#seconds)).toFixed(1);
    return `${this.seeds} seeds, ${this.steps} steps, ${hours} h simulated in ${this.#seconds.toFixed(0)} s (${this.speed.toFixed(0)} times), ${rate} seeds/s; ${this.#named('fault ')}`;
  }
  /** All that was counted, by kind. */
  rows(): readonly string[] {
    const of = (name: string) => this.counts.get(name) ?? 0;
    const first = ['fenced', 'redelivered', 'in doubt opened', 'in doubt settled', 'restarts', 'fault freeze'];
    return [
      this.line(),
      first.map((name) => `${name.replace('fault freeze', 'frozen replicas')} ${of(name)}`).join(', '),
      [...this.counts]
        .filter(([name]) => !name.startsWith('fault ') && !first.includes(name))
        .sort()
        .map(([name, count]) => `${name} ${count}`)
        .join(', '),
    ];
  }
  #named(prefix: string): string {
    const its = [...this.counts].filter(([name]) => name.startsWith(prefix)).sort();
    return its.map(([name, count]) => `${name.slice(prefix.length)} ${count}`).join(', ');
  }
}

/** The command that shows it again. */
export const commandOf = ({ seed, steps, only, leases }: Ask): string =>
  [
    `npm run sim -- --seed ${seed} --steps ${steps}`,
    only === undefined ? '' : ` --only ${only.length === 0 ? 'none' : only.join(',')}`,
    leases === undefined || leases === 'honest' ? '' : ` --leases ${leases}`,
  ].join('');

export function failure(ask: Ask, report: Report): readonly string[] {
  const { violation, faults, simulatedMs } = report;
  return [
    `seed ${report.seed} breaks ${violation?.invariant} after ${report.steps} steps, ${(simulatedMs / 1_000).toFixed(1)} s of its world:`,
    `  ${violation?.message}`,
    faults.length === 0 ? '  without any fault' : '  with these faults, and not without any of them:',
    ...faults.map(({ place, fault }) => `    ${place}: ${JSON.stringify(fault)}`),
    `  ${commandOf(ask)}`,
  ];
}
