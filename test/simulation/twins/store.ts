/** Random requests to two state stores at once, the memory twin and the real one: whatever the one answers, the other must. */
import { isDeepStrictEqual } from 'node:util';
import type { Address } from '../../../src/message/address.ts';
import type { Change, Claim, Entry, EntryStatus, Header, InboxItem, StateStore } from '../../../src/ports.ts';
import { type Chance, chance } from '../chance.ts';

type Lane = InboxItem['lane'];
/** One store with two doors to it, and what may happen to it. */
export type StoreSide = {
  readonly doors: readonly [StateStore, StateStore];
  /** kill -9 and start again; resolves when both doors are open again. */
  restart(): Promise<void>;
  /** Everything is gone. */
  flush(): Promise<void>;
  forgetScripts(): Promise<void>;
  /** Puts an offset into a lane's line, or takes it out, as one does who dies between two writes. */
  bendLine(address: Address, lane: Lane, offset: number, stands: boolean): Promise<void>;
};
export type StoreTally = { steps: number; restarts: number; readonly answers: Record<string, number> };

const ADDRESSES: readonly Address[] = ['t/1', 't/2', 'till/b'];
const IDS = ['c1', 'c2', 'c3', 'c4', 'c5', 'é'];
const LANES: readonly Lane[] = ['customer', 'bulk'];
const STATUSES: readonly EntryStatus[] = ['inboxed', 'open', 'parked', 'done', 'refused'];
const HEADERS: readonly (keyof Header)[] = ['state', 'intent', 'parked', 'frozen', 'paused', 'timers'];
const KEYS = [0, 1].map((partition) => ({ group: 'g', topic: 't', partition }));

/** One side under way, with the names that its own chance has made: lives and generations differ, what they stand for must not. */
type Half = { readonly side: StoreSide; readonly names: Map<string, string>; readonly claims: Claim[]; readonly generations: string[] };
type Request = { readonly what: string; readonly given: unknown; ask(half: Half, door: StateStore): Promise<unknown> };

/** Throws at the first answer that differs, with the seed, the requests before it and both answers. */
export async function storeSequence(
  seed: number,
  sides: readonly [memory: StoreSide, real: StoreSide],
  { steps = 60, restartRate = 0 }: { readonly steps?: number; readonly restartRate?: number } = {},
): Promise<StoreTally> {
  const dice = chance(seed, 'twin stores');
  const tally: StoreTally = { steps: 0, restarts: 0, answers: {} };
  const halves = sides.map((side): Half => ({ side, names: new Map(), claims: [], generations: [] })) as [Half, Half];
  const done: string[] = [];
  const both = async (what: string, given: unknown, ask: (half: Half) => Promise<unknown>) => {
    done.push(`${what} ${JSON.stringify(given)}`);
    const [memory, real] = await Promise.all(halves.map(async (half) => plain(half, await answerOf(() => ask(half)))));
    if (!isDeepStrictEqual(memory, real))
      throw new Error(
        `seed ${seed}, step ${tally.steps}: the stores differ\n  ${done.slice(-12).join('\n  ')}\n  memory: ${JSON.stringify(memory)}\n  real:   ${JSON.stringify(real)}`,
      );
    return memory;
  };
  const begin = async (half: Half) => {
    await half.side.flush();
    half.claims.length = 0;
    half.generations.length = 0;
    half.generations.push(await half.side.doors[0].setGeneration(1, undefined));
  };
  await both('flush', {}, begin);

  for (; tally.steps < steps; tally.steps++) {
    if (dice.odds(restartRate / steps)) {
      tally.restarts++;
      await both('restart', {}, (half) => half.side.restart());
    }
    const n = dice.below(2) as 0 | 1;
    const { what, given, ask } = await drawn(dice, halves[0]);
    const answer = await both(what, given, (half) => ask(half, half.side.doors[n]));
    const kind = `${what} ${kindOf(answer)}`;
    tally.answers[kind] = (tally.answers[kind] ?? 0) + 1;
  }
  for (const [what, look] of looks()) await both(what, {}, (half) => look(half.side.doors[0]));
  return tally;
}

async function answerOf(ask: () => Promise<unknown>): Promise<unknown> {
  try {
    return await ask();
  } catch (error) {
    return { kind: 'threw', code: (error as { code?: unknown }).code ?? (error as Error).name };
  }
}
const kindOf = (answer: unknown): string =>
  typeof answer === 'object' && answer !== null && 'kind' in answer ? String(answer.kind) : answer === undefined ? 'none' : 'value';

/** With the names of lives and generations as every world has them: the first, the second and so on. */
function plain(half: Half, answer: unknown): unknown {
  if (answer === undefined) return undefined;
  const name = (raw: string | undefined, kind: string) => {
    if (raw && !half.names.has(raw))
      half.names.set(raw, `${kind} ${[...half.names.values()].filter((it) => it.startsWith(kind)).length + 1}`);
  };
  for (const door of half.side.doors) name(door.life(), 'life');
  for (const generation of half.generations) name(generation, 'generation');
  return JSON.parse(JSON.stringify(answer), (_, value) => (typeof value === 'string' ? (half.names.get(value) ?? value) : value));
}

// ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────────────

const hash = (payload: string): string => payload.repeat(43).slice(0, 43);
const entryOf = (dice: Chance, status: EntryStatus = dice.pick(STATUSES)): Entry => ({
  status,
  hash: hash(dice.odds(0.85) ? 'a' : 'b'),
  text: `{"t":${dice.below(20)}}\n{"reply":"ü"}`,
});
const itemOf = (dice: Chance): InboxItem => {
  const commandId = dice.pick(IDS);
  return { lane: dice.pick(LANES), offset: dice.below(6), commandId, text: `{"of":"${commandId}"}` };
};
const some = <T>(dice: Chance, from: readonly T[], share: number): T[] => from.filter(() => dice.odds(share));

/** Seldom one that breaks its own promises. */
function changeOf(dice: Chance, address: Address, seq: number, published: number): Change {
  const gap = dice.odds(0.02) ? 1 : 0;
  const events = Array.from({ length: dice.below(4) }, (_, i) => ({ address, seq: seq + 1 + gap + i, text: `{"seq":${seq + 1 + i}}` }));
  const entries = some(dice, IDS, 0.25).map((commandId) => ({ commandId, ...entryOf(dice) }));
  if (entries[0] && dice.odds(0.02)) entries.push(entries[0]);
  if (entries[0] && dice.odds(0.02)) entries[0] = { ...entries[0], hash: 'short' };
  const top = seq + events.length;
  return {
    seq,
    unrecorded: some(dice, IDS, 0.1),
    events,
    entries,
    records: some(dice, IDS, 0.15).map((commandId) => ({ commandId, text: dice.odds(0.1) ? '' : `{"t":${dice.below(20)}}` })),
    header: Object.fromEntries(some(dice, HEADERS, 0.2).map((name) => [name, dice.odds(0.4) ? '' : `{"${name}":"✓"}`])),
    ...(dice.odds(0.3) ? { published: dice.between(Math.min(top, Math.max(0, published - 1)), top) } : {}),
  };
}

/** Made up by the state that the memory side has, so that most of it makes sense. */
async function drawn(dice: Chance, memory: Half): Promise<Request> {
  const address = dice.pick(ADDRESSES);
  const at = await memory.side.doors[0].read(address);
  const { seq = 0, published = 0 } = at ?? {};
  const mine = memory.claims.length - 1 - memory.claims.findLastIndex((claim) => claim.address === address);
  // Mostly the last claim of this location, at times any other.
  const back = dice.odds(0.85) && mine < memory.claims.length ? mine : dice.below(Math.max(1, memory.claims.length));
  const claimOf = (half: Half) => half.claims[half.claims.length - 1 - back] as Claim;
  const old = dice.odds(0.05) ? dice.below(memory.generations.length) : memory.generations.length - 1;
  const generationOf = (half: Half) => half.generations[old] ?? '';
  const partition = dice.below(2);
  if (memory.claims.length === 0 || dice.odds(0.12)) {
    const owner = `r-${dice.below(3)}/1`;
    return {
      what: 'claim',
      given: { address, owner, old },
      async ask(half, door) {
        const answer = await door.claim(address, owner, generationOf(half));
        if (answer.kind === 'claimed') half.claims.push(answer.claim);
        return answer;
      },
    };
  }
  const fenced = requestsWithClaim(dice, { address, seq, published, partition, claimOf, back });
  const free = requestsWithout(dice, { address, partition, generationOf, old });
  return dice.odds(0.6) ? fenced() : free();
}

type WithClaim = {
  readonly address: Address;
  readonly seq: number;
  readonly published: number;
  readonly partition: number;
  readonly back: number;
  claimOf(half: Half): Claim;
};
const requestsWithClaim =
  (dice: Chance, { address, seq, published, partition, claimOf, back }: WithClaim) =>
  (): Request => {
    const roll = dice.below(100);
    if (roll < 60) {
      const from = dice.odds(0.95) ? seq : seq + dice.pick([-1, 1]);
      // Sent together, as a location does that commits turn after turn without waiting.
      const changes = Array.from({ length: dice.odds(0.2) ? 3 : 1 }, () => changeOf(dice, address, Math.max(0, from), published));
      return {
        what: 'commit',
        given: { address, back, changes },
        ask: (half, door) => Promise.all(changes.map((change) => answerOf(() => door.commit(claimOf(half), change)))),
      };
    }
    if (roll < 75) {
      const to = dice.odds(0.8) ? published : dice.below(seq + 2);
      const what = {
        ...(dice.odds(0.5) ? { events: { from: Math.max(1, to - dice.below(3)), to } } : {}),
        ...(dice.odds(0.5) ? { inbox: [itemOf(dice), itemOf(dice)] } : {}),
        ...(dice.odds(0.5) ? { entries: some(dice, IDS, 0.3) } : {}),
        ...(dice.odds(0.5) ? { records: some(dice, IDS, 0.3) } : {}),
      };
      return { what: 'trim', given: { back, what }, ask: (half, door) => door.trim(claimOf(half), what) };
    }
    if (roll < 85) {
      const upTo = dice.between(0, seq);
      return { what: 'published', given: { back, upTo }, ask: (half, door) => door.published(claimOf(half), upTo) };
    }
    const verb = dice.odds(0.5) ? 'mark' : 'unmark';
    return { what: verb, given: { back, partition }, ask: (half, door) => door[verb](claimOf(half), partition) };
  };

type Without = { readonly address: Address; readonly partition: number; readonly old: number; generationOf(half: Half): string };
const requestsWithout =
  (dice: Chance, { address, partition, generationOf, old }: Without) =>
  (): Request => {
    const roll = dice.below(100);
    const [item, entry] = [itemOf(dice), entryOf(dice, dice.odds(0.9) ? 'inboxed' : dice.pick(STATUSES))];
    if (roll < 35)
      return {
        what: 'append',
        given: { address, item, entry, old },
        ask: (half, door) => door.append(address, item, entry, generationOf(half)),
      };
    if (roll < 45) {
      const [offset, newestMs, accepted] = [dice.below(50), dice.below(1_000), dice.odds(0.1)];
      const key = KEYS[partition] as (typeof KEYS)[number];
      return {
        what: 'setApplied',
        given: { key, offset, newestMs, old, accepted },
        ask: (half, door) => door.setApplied(key, offset, newestMs, generationOf(half), accepted),
      };
    }
    if (roll < 53)
      return {
        what: 'markInbox',
        given: { address, partition, old },
        ask: (half, door) => door.markInbox(address, partition, generationOf(half)),
      };
    if (roll < 58) return generationRequest(dice, old, generationOf);
    if (roll < 62) {
      const figure = dice.between(1, 9);
      return { what: 'layout', given: { figure }, ask: (_, door) => door.layout('partitions', figure) };
    }
    if (roll < 65) return { what: 'forgetScripts', given: {}, ask: (half) => half.side.forgetScripts() };
    if (roll < 72) {
      const stands = dice.odds(0.3);
      const { lane, offset } = item;
      return {
        what: 'bendLine',
        given: { address, lane, offset, stands },
        ask: (half) => half.side.bendLine(address, lane, offset, stands),
      };
    }
    const [what, look] = dice.pick(looks(address, dice.between(1, 4)));
    return { what, given: { address }, ask: (_, door) => look(door) };
  };

function generationRequest(dice: Chance, old: number, generationOf: (half: Half) => string): Request {
  const number = dice.between(1, 3);
  const isFirst = dice.odds(0.3);
  return {
    what: 'setGeneration',
    given: { number, old, isFirst },
    async ask(half, door) {
      const stands = await door.setGeneration(number, isFirst ? undefined : generationOf(half));
      if (stands !== half.generations.at(-1)) half.generations.push(stands);
      return stands;
    },
  };
}

/** Everything that can be read: of one location and page size, or of all. */
function looks(only?: Address, limit = 10): readonly (readonly [string, (door: StateStore) => Promise<unknown>])[] {
  const of = (address: Address): (readonly [string, (door: StateStore) => Promise<unknown>])[] => [
    ['read', (door) => door.read(address)],
    ['recall', (door) => door.recall(address, IDS)],
    ['size', (door) => door.size(address)],
    ['aged', (door) => aged(door, address)],
    ...LANES.map((lane) => [`inbox ${lane}`, (door: StateStore) => door.inbox(address, lane, limit)] as const),
  ];
  return [
    ...(only === undefined ? ADDRESSES : [only]).flatMap(of),
    ['generation', (door) => door.generation()],
    ...KEYS.map((key) => ['applied', (door: StateStore) => door.applied(key)] as const),
    ...[0, 1].map((partition) => ['marked', (door: StateStore) => door.marked(partition)] as const),
  ];
}

/** All pages, in an order of our own: each store pages as it likes. */
async function aged(door: StateStore, address: Address): Promise<unknown> {
  const found = { entries: [] as string[], records: [] as string[] };
  let cursor = '0';
  do {
    const page = await door.aged(address, cursor, 10, 5);
    found.entries.push(...page.entries);
    found.records.push(...page.records);
    cursor = page.cursor;
  } while (cursor !== '0');
  return { entries: found.entries.sort(), records: found.records.sort() };
}
