/** What the outside does, as plain data: skewed locations, bursts, repeats, records that are no commands, callers, readers and an operator. */
import type { Chance } from './chance.ts';
import { malformed, recordOf } from './letters.ts';
import type { Act, Order, Sent, Step } from './step.ts';

/** What a deck of orders may know: what was sent to a location lately, and an id that nobody has used. */
export type Past = {
  sent(address: string): readonly Sent[];
  freshId(): string;
  /** Sends it later, when others have come between. */
  foretell(order: Sent): void;
};
/** The next order of one domain. */
export type Deck = (chance: Chance, past: Past) => Order;

export type WorkloadOptions = {
  /** With their weights. */
  readonly decks: readonly (readonly [number, Deck])[];
  readonly partitions: number;
};

const CLIENTS = 5;
const KEPT = 40;
/** Of a minute: bursts of steps a few ms apart, then a pause; 2,000 steps take some 14 minutes. */
const PAUSE_ODDS = 0.06;
const PAUSE_MS = 13_000;
const BURST_MS = 30;

export function* workload(chance: Chance, { decks, partitions }: WorkloadOptions): Generator<Step> {
  const past = new Memory(chance);
  const draw = deckOf(chance, decks);
  let atMs = 1_000;
  for (let n = 1; ; n++) {
    atMs += chance.odds(PAUSE_ODDS) ? chance.next() * PAUSE_MS : chance.next() * BURST_MS;
    const after = past.due();
    const roll = chance.next();
    const address = past.any();
    if (after !== undefined) yield { atMs, ...after };
    else if (roll < 0.06 && address !== undefined) yield { atMs, do: 'read', client: chance.below(CLIENTS), address };
    else if (roll < 0.09 && address !== undefined) yield { atMs, do: 'act', ...act(chance, past, address, n) };
    else if (roll < 0.0905) yield { atMs, do: 'raise' };
    else if (roll < 0.12) yield { atMs, do: 'record', ...malformed(chance, draw(past), `bad-${n}`) };
    else yield { atMs, ...sent(chance, next(chance, past, draw), n, partitions) };
  }
}

function deckOf(chance: Chance, decks: WorkloadOptions['decks']): (past: Past) => Order {
  const all = decks.reduce((sum, [weight]) => sum + weight, 0);
  return (past) => {
    let at = chance.next() * all;
    for (const [weight, deck] of decks) {
      if (at < weight) return deck(chance, past);
      at -= weight;
    }
    throw new RangeError('a workload without decks');
  };
}

/** A command of its own, one that was sent before, or one that takes the id of another. */
function next(chance: Chance, past: Memory, draw: (past: Past) => Order): Sent {
  const foretold = past.foretold();
  if (foretold !== undefined) return past.keep(foretold);
  const known = past.any();
  if (known !== undefined && chance.odds(0.12)) return chance.pick(past.sent(known));
  const order = draw(past);
  const others = past.sent(order.address);
  const reused = others.length > 0 && chance.odds(0.02) ? chance.pick(others).commandId : undefined;
  return reused === undefined ? past.keep({ ...order, commandId: past.freshId() }) : { ...order, commandId: reused };
}

type Untimed<T> = T extends unknown ? Omit<T, 'atMs'> : never;
function sent(chance: Chance, order: Sent, n: number, partitions: number): Untimed<Step> {
  if (!chance.odds(0.35)) {
    const record = recordOf(chance, order, chance.odds(0.2) ? 'bulk' : 'commands');
    return { do: 'record', ...record, ...(chance.odds(0.04) && { partition: chance.below(partitions) }) };
  }
  const call = { do: 'call' as const, call: n, client: chance.below(CLIENTS), ...order, waitMs: chance.pick([0, 500, 2_000, 5_000]) };
  if (chance.odds(0.15)) return { ...call, ifSeq: 'as-read' };
  return chance.odds(0.1) ? { ...call, deadlineInMs: chance.between(1, 3_000) } : call;
}

/** What an operator does; a pause ends some steps later. */
function act(chance: Chance, past: Memory, address: string, n: number): Act {
  const it = { address, key: `act-${n}`, because: 'the workload' };
  const verb = chance.pick(['pause', 'pause', 'evict', 'evict', 'settle', 'settle', 'unfreeze', 'replay', 'drop'] as const);
  if (verb === 'pause') past.later({ do: 'act', ...it, verb: 'resume', key: `act-${n}-resume` }, chance.between(1, 60));
  if (verb === 'settle') return { ...it, verb, target: 'open' };
  if (verb === 'replay' || verb === 'drop') return { ...it, verb, target: 'parked' };
  return { ...it, verb };
}

/** What was sent to each location lately, and what is to come. */
class Memory implements Past {
  readonly #chance: Chance;
  readonly #sent = new Map<string, Sent[]>();
  readonly #addresses: string[] = [];
  readonly #later: { readonly step: Untimed<Step>; left: number }[] = [];
  readonly #foretold: { readonly order: Sent; left: number }[] = [];
  #ids = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }
  sent(address: string): readonly Sent[] {
    return this.#sent.get(address) ?? [];
  }
  freshId(): string {
    return `c-${++this.#ids}`;
  }
  foretell(order: Sent): void {
    this.#foretold.push({ order, left: this.#chance.between(1, 25) });
  }
  /** A location that something was sent to. */
  any(): string | undefined {
    return this.#addresses.length === 0 ? undefined : this.#chance.pick(this.#addresses);
  }
  keep(order: Sent): Sent {
    const all = this.#sent.get(order.address) ?? [];
    if (all.length === 0) this.#addresses.push(order.address);
    all.push(order);
    if (all.length > KEPT) all.shift();
    this.#sent.set(order.address, all);
    return order;
  }
  later(step: Untimed<Step>, left: number): void {
    this.#later.push({ step, left });
  }
  due(): Untimed<Step> | undefined {
    return dueOf(this.#later)?.step;
  }
  foretold(): Sent | undefined {
    return dueOf(this.#foretold)?.order;
  }
}

function dueOf<T extends { left: number }>(waiting: T[]): T | undefined {
  for (const it of waiting) it.left--;
  const at = waiting.findIndex(({ left }) => left <= 0);
  return at < 0 ? undefined : waiting.splice(at, 1)[0];
}
