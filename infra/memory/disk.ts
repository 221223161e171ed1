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
  /** The offsets that stand in line. Written after the items, so it may lack one whose appender died in between, or name one that is gone. */
  readonly line: Readonly<Record<'customer' | 'bulk', Set<number>>>;
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
  /** What was done since the last `sync`, to be done again after `restore`. */
  #tail: { readonly restore: () => void; readonly done: (() => unknown)[] } | undefined;
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
    // What comes back is what was on disk.
    if (this.#tail !== undefined) this.sync();
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
  /**
   * The next `count` requests, `after` so many that fare well, are lost on the way: unanswered as well, and never executed. An append and a trim
   * of the inbox are two requests, as over Redis: the items, then their place in line.
   */
  loseRequests(count: number, after = 0): void {
    for (let i = 0; i < after; i++) this.#fates.push('answer');
    for (let i = 0; i < count; i++) this.#fates.push('request');
  }
  /** Does a write. */
  execute<T>(work: () => T): T {
    this.#tail?.done.push(work);
    return work();
  }
  /** All that was written is safe now. From here on a loss of power may take what follows (`loseTail`); before the first call nothing is ever lost. */
  sync(): void {
    this.#tail = { restore: imageOf(this), done: [] };
  }
  /** Loss of power under a log that is not synced before each answer: the last `count` writes since `sync` never happened, and another life begins. */
  loseTail(count: number): void {
    if (this.#tail === undefined) throw new Error('nothing can be lost before the first sync');
    const { restore, done } = this.#tail;
    const kept = done.slice(0, Math.max(0, done.length - count));
    this.#tail = undefined;
    restore();
    for (const work of kept) work();
    this.sync();
    this.restart();
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

/** Everything as it stands; answers how to bring it back, once. */
function imageOf(disk: MemoryDisk): () => void {
  const { generation } = disk;
  const flat = [disk.layout, disk.applied, disk.lives, disk.replicas] as readonly Map<string, unknown>[];
  const before = flat.map((map) => [...map]);
  const dirty = [...disk.dirty].map(([partition, names]) => [partition, new Map(names)] as const);
  const locations = [...disk.locations].map(([address, at]) => [address, copyOf(at)] as const);
  return () => {
    disk.generation = generation;
    flat.forEach((map, i) => void refill(map, before[i] ?? []));
    refill(disk.dirty, dirty);
    refill(disk.locations, locations);
  };
}
function refill<K, V>(map: Map<K, V>, entries: readonly (readonly [K, V])[]): void {
  map.clear();
  for (const [key, value] of entries) map.set(key, value);
}
const copyOf = (at: MemoryLocation): MemoryLocation => ({
  ...at,
  header: new Map(at.header),
  events: new Map(at.events),
  entries: new Map(at.entries),
  records: new Map(at.records),
  inbox: { customer: new Map(at.inbox.customer), bulk: new Map(at.inbox.bulk) },
  line: { customer: new Set(at.line.customer), bulk: new Set(at.line.bulk) },
});

export const memoryDisk = (clock: Clock): MemoryDisk => new MemoryDisk(clock);
