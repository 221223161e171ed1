/** Owns time and order: one queue of events, each run to the end of all its microtasks before the next one begins. */
import type { Alarm, Clock } from '../../src/ports.ts';
import { type Chance, chance } from './chance.ts';
import { Violation } from './happening.ts';

/** Whatever can be killed, frozen or slowed as a whole. Events of one process keep their order; those of several at one moment are shuffled. */
export class Process {
  readonly name: string;
  readonly salt: number;
  state: 'running' | 'frozen' | 'dead' = 'running';
  /** Its wall clock shows the world's and this, ms. */
  skewMs = 0;
  /** Each of its events comes up to this much later, ms. */
  slowMs = 0;
  /** Its last event that is queued without a time of its own. */
  soonMs = 0;
  /** What came due while it was frozen. */
  readonly late: Entry[] = [];

  constructor(name: string, salt: number) {
    this.name = name;
    this.salt = salt;
  }
}

/** What is queued is its own alarm: one object for each of a hundred thousand. */
class Entry implements Alarm {
  readonly atMs: number;
  readonly tie: number;
  readonly n: number;
  readonly process: Process;
  readonly label: string;
  run: (() => void) | undefined;

  constructor(atMs: number, tie: number, n: number, process: Process, label: string, run: () => void) {
    this.atMs = atMs;
    this.tie = tie;
    this.n = n;
    this.process = process;
    this.label = label;
    this.run = run;
  }
  cancel(): void {
    this.run = undefined;
  }
}

/** Wall time at which every world begins. */
export const START_MS = Date.parse('2026-01-01T00:00:00Z');
/** What an immediate costs, ms: so that no work is free, and nothing can turn for ever without time passing. */
const SOON_MS = 0.002;
const HOPS = 64;
/** A fleet at its busiest makes some ten thousand in a second; whoever turns for ever makes half a million. */
const SECOND_MAX = 150_000;
/** The real one, whatever stands in its place while a world runs. */
const hop = globalThis.setImmediate;
const unhop = globalThis.clearImmediate;

export class Kernel {
  readonly seed: number;
  readonly world: Process;
  nowMs = 0;
  /** The process whose event runs now. */
  current: Process;
  events = 0;
  readonly trace = new Trace();
  readonly #latency: Chance;
  readonly #queue = new Queue();
  readonly #moment = { sinceMs: 0, events: 0 };
  #count = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(seed: number) {
    this.seed = seed;
    this.#latency = chance(seed, 'kernel');
    this.world = this.process('world');
    this.current = this.world;
  }

  process(name: string): Process {
    return new Process(name, this.#latency.below(2 ** 31));
  }
  chance(name: string): Chance {
    return chance(this.seed, name);
  }

  /** Runs `run` in the process, `ms` from now. */
  after(process: Process, ms: number, label: string, run: () => void): Alarm {
    const slow = process.slowMs > 0 ? this.#latency.next() * process.slowMs : 0;
    return this.#push(process, this.nowMs + Math.max(0, ms) + slow, label, run);
  }
  /** Runs `run` in the process after all that is queued there by now. */
  soon(process: Process, label: string, run: () => void): Alarm {
    const slow = process.slowMs > 0 ? this.#latency.next() * process.slowMs : 0;
    process.soonMs = Math.max(process.soonMs, this.nowMs) + SOON_MS + slow;
    return this.#push(process, process.soonMs, label, run);
  }
  /** Runs `work` now, as if an event of the process had. What it leaves to microtasks must belong to it as well. */
  within<T>(process: Process, work: () => T): T {
    const before = this.current;
    this.current = process;
    try {
      return work();
    } finally {
      this.current = before;
    }
  }

  clock(process: Process): Clock {
    return {
      now: () => Math.floor(START_MS + this.nowMs + process.skewMs),
      monotonic: () => this.nowMs,
      // No timer of Node is shorter than a millisecond.
      after: (ms, wake) => this.after(process, Math.max(1, ms), 'alarm', wake),
      soon: (wake) => void this.soon(process, 'soon', wake),
    };
  }

  freeze(process: Process): void {
    if (process.state === 'running') process.state = 'frozen';
  }
  thaw(process: Process): void {
    if (process.state !== 'frozen') return;
    process.state = 'running';
    for (const { label, run } of process.late.splice(0)) if (run !== undefined) this.soon(process, label, run);
  }
  /** kill -9: no event of it runs any more. */
  kill(process: Process): void {
    process.state = 'dead';
    process.late.length = 0;
  }
  /** Ends the run: it failed. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /** Runs event after event until `over` says so, the queue is empty, or something fails. While it runs the global immediates are events. */
  async run(over: () => boolean): Promise<void> {
    const unhandled = (error: unknown) => this.fail(error);
    process.on('unhandledRejection', unhandled);
    // What others in this thread ask for between our hops is none of ours.
    let inside = false;
    const immediate = (work: (...given: unknown[]) => void, ...given: unknown[]) =>
      inside ? this.soon(this.current, 'immediate', () => work(...given)) : hop(work, ...given);
    globalThis.setImmediate = immediate as never;
    globalThis.clearImmediate = ((it: unknown) => (it instanceof Entry ? it.cancel() : unhop(it as never))) as never;
    try {
      await new Promise<void>((resolve) => {
        let ended = false;
        const one = () => {
          inside = true;
          if (!ended) ended = this.#failure !== undefined || over() || !this.#step();
        };
        const some = () => {
          inside = false;
          if (ended) return resolve();
          // Node drains the microtasks between two immediates, and lets nothing else in.
          for (let n = 0; n < HOPS; n++) hop(one);
          hop(some);
        };
        some();
      });
    } finally {
      globalThis.setImmediate = hop;
      globalThis.clearImmediate = unhop;
      process.off('unhandledRejection', unhandled);
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Runs the next event; false: nothing is left to do. */
  #step(): boolean {
    const entry = this.#next();
    if (entry === undefined) return false;
    const { process: its, label, run } = entry;
    entry.run = undefined;
    this.events++;
    this.#still();
    this.current = its;
    this.trace.event(this.nowMs, its.salt, label);
    try {
      run?.();
    } catch (error) {
      this.fail(error);
    }
    return true;
  }
  /** Past what was cancelled, or has nobody to run in now: nothing happens then, so it takes no turn of its own. */
  #next(): Entry | undefined {
    for (;;) {
      const entry = this.#queue.pop();
      if (entry === undefined) return undefined;
      this.nowMs = Math.max(this.nowMs, entry.atMs);
      if (entry.run === undefined || entry.process.state === 'dead') continue;
      if (entry.process.state === 'running') return entry;
      entry.process.late.push(entry);
    }
  }

  /** Somebody who turns for ever takes a whole processor, or never lets a run end. */
  #still(): void {
    const moment = this.#moment;
    if (this.nowMs - moment.sinceMs >= 1_000) Object.assign(moment, { sinceMs: this.nowMs, events: 0 });
    else if (++moment.events > SECOND_MAX)
      this.fail(new Violation('livelock', `more than ${SECOND_MAX} events within a second of the world, the last of ${this.current.name}`));
  }

  #push(its: Process, atMs: number, label: string, run: () => void): Alarm {
    // Between processes by chance, within one by order: the same tie for all of a process at one moment.
    const tie = Math.imul(its.salt ^ Math.floor(atMs * 1_000), 0x9e3779b1) >>> 0;
    const entry = new Entry(atMs, tie, this.#count++, its, label, run);
    this.#queue.push(entry);
    return entry;
  }
}

/** A running hash of all that happened, and, where asked for, the lines to read. */
export class Trace {
  lines: string[] | undefined;
  #a = 0x811c9dc5;
  #b = 0x9e3779b1;

  event(nowMs: number, salt: number, label: string): void {
    this.#mix((nowMs * 1_000) | 0);
    this.#mix(salt);
    this.text(label);
  }
  text(text: string): void {
    // As #mix does, in locals: millions of letters pass here.
    let a = this.#a;
    let b = this.#b;
    for (let i = 0; i < text.length; i++) {
      const n = text.charCodeAt(i);
      a = Math.imul(a ^ n, 0x01000193);
      b = Math.imul((b ^ (b >>> 15)) + n, 0x85ebca6b);
    }
    this.#a = a;
    this.#b = b;
  }
  note(line: () => string): void {
    this.lines?.push(line());
  }
  get hash(): string {
    return (this.#a >>> 0).toString(16).padStart(8, '0') + (this.#b >>> 0).toString(16).padStart(8, '0');
  }
  #mix(n: number): void {
    this.#a = Math.imul(this.#a ^ n, 0x01000193);
    this.#b = Math.imul((this.#b ^ (this.#b >>> 15)) + n, 0x85ebca6b);
  }
}

/** A binary heap by time, tie and number. */
class Queue {
  readonly #heap: Entry[] = [];

  push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = heap[above] as Entry;
      if (!earlier(entry, other)) break;
      heap[at] = other;
      at = above;
    }
    heap[at] = entry;
  }
  pop(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && earlier(heap[below + 1] as Entry, heap[below] as Entry)) below++;
      const other = heap[below] as Entry;
      if (!earlier(other, last)) break;
      heap[at] = other;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}

const earlier = (a: Entry, b: Entry): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && (a.tie < b.tie || (a.tie === b.tie && a.n < b.n)));
