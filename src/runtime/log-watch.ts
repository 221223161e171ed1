/** What the log refuses by now: rights and passwords change while a replica runs, and what a write would meet must be told before it. */
import { why } from '../errors.ts';
import type { Log, LogRefusal } from '../ports.ts';

export class LogWatch {
  readonly #ask: () => Promise<readonly LogRefusal[]>;
  readonly #log: Log;
  #refused: readonly LogRefusal[] = [];

  /** `ask` rejects when nobody answers. */
  constructor(ask: () => Promise<readonly LogRefusal[]>, log: Log) {
    this.#ask = ask;
    this.#log = log;
  }

  get refused(): readonly LogRefusal[] {
    return this.#refused;
  }

  /** Asks anew; while nobody answers, what was known stands. */
  async look(): Promise<void> {
    let found: readonly LogRefusal[];
    try {
      found = await this.#ask();
    } catch (error) {
      return this.#log.debug({ why: why(error) }, 'the log did not say what it allows');
    }
    const [is, was] = [said(found), said(this.#refused)];
    this.#refused = found;
    if (is === was) return;
    if (found.length > 0) this.#log.warn({ why: is }, 'the log refuses what it allowed');
    else this.#log.info({}, 'the log allows again what it refused');
  }
}

const said = (refused: readonly LogRefusal[]): string => refused.map(({ why }) => why).join('; ');
