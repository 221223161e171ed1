/** The world that the memory twins share: what a store keeps, which life serves it, and the faults a test may ask for. */
import { type Fault, fault } from '../../src/errors.ts';
import type { Address } from '../../src/message/address.ts';
import type { Applied, Clock, Entry, Replica } from '../../src/ports.ts';

export type MemoryLocation = {
  epoch: number;
  owner: string;
  seq: number;
  published: number;
  readonly header: Map<string, string>;
  readonly events: Map<number, string>;
  readonly entries: Map<string, Entry>;
  readonly records: Map<string, string>;
  readonly inbox: Readonly<Record<'customer' | 'bulk', Map<number, { readonly commandId: string; readonly text: string }>>>;
};

/** `answer`: all is well · `reply`: it is executed, the answer is lost · `request`: it is lost before it is executed. */
type Fate = 'answer' | 'reply' | 'request';

export class MemoryDisk {
  readonly locations = new Map<Address, MemoryLocation>();
  readonly layout = new Map<string, number>();
  readonly dirty = new Map<number, Map<Address, number>>();
  readonly applied = new Map<string, Applied>();
  readonly lives = new Map<string, number>();
  readonly replicas = new Map<string, Replica>();
  readonly channels = new Map<string, Set<(text: string) => void>>();
  generation: string | undefined;
  faults: readonly Fault[] = [];
  readonly clock: Clock;
  #lives = 1;
  #up = true;
  #silent = false;
  readonly #fates: Fate[] = [];
  readonly #listeners = new Set<(life: string) => void>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The life that serves now; undefined while it is away. */
  life(): string | undefined {
    return this.#up ? `memory-${this.#lives}` : undefined;
  }
  /** Called with the life whenever connections are made anew; answers how to stop listening. */
  onReturn(heard: (life: string) => void): () => void {
    this.#listeners.add(heard);
    return () => this.#listeners.delete(heard);
  }
  /** What becomes of the request that arrives now. */
  fate(): Fate {
    return this.#silent ? 'reply' : (this.#fates.shift() ?? 'answer');
  }

  /** kill -9 and start again: what was kept is kept, claims are not. */
  restart(): void {
    this.goDown();
    this.#lives += 1;
    this.comeBack();
  }
  goDown(): void {
    this.#up = false;
  }
  comeBack(): void {
    this.#up = true;
    const life = `memory-${this.#lives}`;
    for (const heard of this.#listeners) heard(life);
  }
  /** Nothing answers any more, yet everything sent is executed: a frozen process, seen from after it wakes. */
  freeze(): void {
    this.#silent = true;
  }
  thaw(): void {
    this.#silent = false;
  }
  /** The next `count` requests are executed and their answers lost. */
  loseReplies(count: number): void {
    for (let i = 0; i < count; i++) this.#fates.push('reply');
  }
  /** The next `count` requests are lost on the way: unanswered as well, and never executed. */
  loseRequests(count: number): void {
    for (let i = 0; i < count; i++) this.#fates.push('request');
  }
  /** FLUSHALL: everything is gone, the life goes on. */
  flush(): void {
    for (const it of [this.locations, this.layout, this.dirty, this.applied, this.lives, this.replicas]) it.clear();
    this.generation = undefined;
  }
  /** From now on `start` refuses, as a store does that is not durable. */
  forbid(setting: string, value: string, rule: string): void {
    this.faults = [...this.faults, fault('STORE_POLICY', setting, value, rule)];
  }
}

export const memoryDisk = (clock: Clock): MemoryDisk => new MemoryDisk(clock);
