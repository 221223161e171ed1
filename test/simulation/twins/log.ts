/** Random requests to two logs at once, the memory twin and a real Kafka: whoever holds what, reads what and commits what must be the same. */
import { isDeepStrictEqual } from 'node:util';
import type { CommandLog, LogRecord, LogWriter, TopicPartition } from '../../../src/ports.ts';
import type { LogWorld } from '../../contract/log-suite.ts';
import { commitAll, nameOf, type RecordingReader, recordingReader } from '../../contract/recording-reader.ts';
import { type Chance, chance } from '../chance.ts';
import { soon } from './wait.ts';

export const TWIN_PARTITIONS = 4;
const PARTITIONS = Array.from({ length: TWIN_PARTITIONS }, (_, n) => n);
const REPLICAS = ['a', 'b', 'c'];
const LANES = [0, 1] as const;
type Lane = (typeof LANES)[number];
export type LogTally = { steps: number; rebalances: number; readonly requests: Record<string, number> };

/** One life of a replica, with how much of what its reader was told has been compared. */
type Life = {
  readonly replicaId: string;
  readonly log: CommandLog;
  readonly reader: RecordingReader;
  readonly fatal: string[];
  /** Records that there was no room for: `lane/partition@offset`. */
  readonly full: Set<string>;
  state: 'up' | 'holding' | 'replaced' | 'stopped';
  seen: Readonly<Record<'records' | 'begun' | 'ended' | 'refused', number>>;
};
type Side = { readonly world: LogWorld; readonly writer: LogWriter; readonly lives: Life[] };
/** What is so in both: where the logs begin and end, which partitions have no room, and which have it again without anybody being told. */
type Known = Readonly<Record<'low' | 'high', Map<string, number>> & Record<'shut' | 'untold', Set<string>>>;
type Request = { readonly what: string; readonly given: unknown; ask(side: Side): Promise<unknown> };

/** Throws at the first difference, with the seed, the requests so far and both sides. */
export async function logSequence(
  seed: number,
  worlds: readonly [memory: LogWorld, real: LogWorld],
  { steps = 18 }: { readonly steps?: number } = {},
): Promise<LogTally> {
  const dice = chance(seed, 'twin logs');
  const tally: LogTally = { steps: 0, rebalances: 0, requests: {} };
  const known: Known = { low: new Map(), high: new Map(), shut: new Set(), untold: new Set() };
  const sides = worlds.map((world): Side => ({ world, writer: world.writer(), lives: [] })) as [Side, Side];
  const done: string[] = [];
  try {
    await Promise.all(sides.map((side) => side.writer.start()));
    for (; tally.steps < steps; tally.steps++) {
      const { what, given, ask } = drawn(dice, sides[0], known);
      done.push(`${what} ${JSON.stringify(given)}`);
      tally.requests[what] = (tally.requests[what] ?? 0) + 1;
      if (what === 'start' || what === 'stop') tally.rebalances++;
      const found = await Promise.all(sides.map((side) => seenOf(side, known, () => ask(side))));
      if (!isDeepStrictEqual(...(found as [unknown, unknown])))
        throw new Error(`the logs differ\n  memory: ${JSON.stringify(found[0])}\n  real:   ${JSON.stringify(found[1])}`);
    }
    const ends = await Promise.all(sides.map(recordsOf));
    if (!isDeepStrictEqual(...(ends as [unknown, unknown]))) throw new Error(`what is in the topics differs: ${JSON.stringify(ends)}`);
  } catch (error) {
    throw new Error(`seed ${seed}, step ${tally.steps}: ${(error as Error).message}\n  ${done.join('\n  ')}`);
  } finally {
    for (const { lives, writer } of sides) await Promise.all([writer.stop(), ...lives.map(({ log }) => log.stop())]);
  }
  return tally;
}

// ── What was seen ────────────────────────────────────────────────────────────────────────────────────────────────────

/** The answer, and everything that followed of it once nothing moves any more. */
async function seenOf(side: Side, known: Known, ask: () => Promise<unknown>): Promise<unknown> {
  const answer = await answerOf(ask);
  await soon(`nothing moves: ${JSON.stringify(side.lives.map(({ reader, state }) => [state, [...reader.positions]]))}`, () =>
    isQuiet(side, known),
  );
  const laneOf = (topic: string) => side.world.topics.indexOf(topic);
  const plain = (name: string) => `${laneOf(name.slice(0, name.lastIndexOf('/')))}${name.slice(name.lastIndexOf('/'))}`;
  const lives = side.lives.map((life) => {
    const { reader, seen, replicaId, state, fatal } = life;
    const read: Record<string, number[]> = {};
    for (const record of reader.records.slice(seen.records)) {
      const name = plain(nameOf(record));
      read[name] = [...(read[name] ?? []), record.offset];
    }
    const since = {
      read: Object.fromEntries(Object.entries(read).sort()),
      begun: reader.begun
        .slice(seen.begun)
        .map(({ at, bounds }) => `${plain(nameOf(at))} ${JSON.stringify(bounds)}`)
        .sort(),
      ended: reader.ended.slice(seen.ended).map(plain).sort(),
      refused: reader.refused
        .slice(seen.refused)
        .map(({ partition, code, why }) => `${partition} ${code} ${why.slice(why.indexOf(':'))}`)
        .sort(),
    };
    life.seen = { records: reader.records.length, begun: reader.begun.length, ended: reader.ended.length, refused: reader.refused.length };
    const held = state === 'up' || state === 'holding' ? [...(reader.assignments.at(-1) ?? [])].sort() : [];
    return { replicaId, state, held, fatal: fatal.length, ...since };
  });
  return { answer: answer ?? null, lives, committed: await committedOf(side) };
}

const answerOf = (ask: () => Promise<unknown>): Promise<unknown> =>
  ask().catch((error: { code?: unknown; message: string }) => ({ threw: error.code ?? error.message }));

async function committedOf({ world }: Side): Promise<unknown> {
  const all = world.topics.flatMap((topic) => PARTITIONS.map((partition) => ({ topic, partition })));
  return Promise.all(all.map(async (at) => (await world.committed(at)) ?? null));
}

async function recordsOf({ world }: Side): Promise<unknown> {
  const text = (bytes: Uint8Array | null | undefined) => (bytes ? Buffer.from(bytes).toString('latin1') : null);
  const plain = ({ partition, offset, key, value, headers }: LogRecord) => {
    const named = Object.entries(headers).map(([name, it]) => [name, text(it)]);
    return { partition, offset, key: text(key), value: text(value), headers: named };
  };
  const topics = [...world.topics, world.eventsTopic, world.deadLettersTopic];
  return Promise.all(topics.map(async (topic) => (await world.records(topic)).map(plain)));
}

/** All partitions are held, each by one, and each is read to its end, or as far as it can be. */
function isQuiet({ world, lives }: Side, { low, high }: Known): boolean {
  if (lives.some(({ state, reader, fatal }) => state === 'replaced' && (fatal.length === 0 || reader.positions.size > 0))) return false;
  const members = lives.filter(({ state }) => state === 'up' || state === 'holding');
  const held = members.flatMap(({ reader }) => reader.assignments.at(-1) ?? []).sort();
  if (members.length > 0 && !isDeepStrictEqual(held, PARTITIONS)) return false;
  const places = (reader: RecordingReader) =>
    LANES.flatMap((lane) =>
      (reader.assignments.at(-1) ?? []).map((partition) => ({ topic: world.topics[lane] as string, lane, partition })),
    );
  return members
    .filter(({ state }) => state === 'up')
    .every(({ reader, full }) =>
      places(reader).every(({ topic, lane, partition }) => {
        const name = `${lane}/${partition}`;
        const position = reader.positions.get(nameOf({ topic, partition }));
        if (position === undefined) return false;
        if (position === (high.get(name) ?? 0) || full.has(`${name}@${position}`)) return true;
        const refusal = `${nameOf({ topic, partition })}: expected offset ${position},`;
        return position < (low.get(name) ?? 0) && reader.refused.some(({ why }) => why.startsWith(refusal));
      }),
    );
}

// ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────────────

const lifeOf = (side: Side, n: number): Life => side.lives[n] as Life;
const isIn = ({ state }: Life): boolean => state === 'up' || state === 'holding';

function drawn(dice: Chance, memory: Side, known: Known): Request {
  const members = memory.lives.flatMap((life, n) => (isIn(life) ? [n] : []));
  const roll = dice.below(100);
  if (members.length === 0 || roll < 22) return starting(dice, memory, known);
  const n = dice.pick(members);
  if (roll < 32) return stopping(n);
  if (roll < 36) return { what: 'hold', given: { n }, ask: async (side) => void hold(lifeOf(side, n)) };
  if (roll < 60) return producing(dice, known);
  if (roll < 74) return committing(dice, memory, n);
  if (roll < 86) return closing(dice, known);
  if (roll < 90) return truncating(dice, known);
  return writing(dice, known);
}
function hold(life: Life): void {
  life.log.hold();
  life.state = 'holding';
}

/** A replica, or another life of one that is there. */
function starting(dice: Chance, memory: Side, known: Known): Request {
  const replicaId = dice.pick(REPLICAS);
  const commitsLast = dice.odds(0.6);
  const replaced = memory.lives.findIndex((life) => life.replicaId === replicaId && isIn(life));
  return {
    what: 'start',
    given: { replicaId, commitsLast, replaced },
    async ask(side) {
      const reader = recordingReader();
      const fatal: string[] = [];
      const log = side.world.commandLog(replicaId, { mayJoin: async () => true, onFatal: (why) => void fatal.push(why) });
      const full = new Set<string>();
      reader.room = ({ topic, partition, offset }) => {
        const name = `${side.world.topics.indexOf(topic)}/${partition}`;
        if (!known.shut.has(name)) return true;
        full.add(`${name}@${offset}`);
        return false;
      };
      reader.beginAt = (_, { committed, low }) => ({ offset: Math.max(committed ?? low, low) });
      if (commitsLast) reader.beforeSharing = () => commitAll(log, reader);
      const before = side.lives[replaced];
      if (before) before.state = 'replaced';
      side.lives.push({ replicaId, log, reader, fatal, full, state: 'up', seen: { records: 0, begun: 0, ended: 0, refused: 0 } });
      await log.start(reader);
    },
  };
}

function stopping(n: number): Request {
  return {
    what: 'stop',
    given: { n },
    async ask(side) {
      const life = lifeOf(side, n);
      life.state = 'stopped';
      await life.log.stop();
    },
  };
}

const raise = (known: Known, name: string, count: number) => known.high.set(name, (known.high.get(name) ?? 0) + count);
const placeOf = (side: Side, lane: Lane, partition: number): TopicPartition => ({ topic: side.world.topics[lane], partition });

function producing(dice: Chance, known: Known): Request {
  const waiting = [...known.shut, ...known.untold];
  // What has no room is of interest only when something comes.
  const name = waiting.length > 0 && dice.odds(0.6) ? dice.pick(waiting) : `${dice.pick(LANES)}/${dice.pick(PARTITIONS)}`;
  const [lane, partition] = name.split('/').map(Number) as [Lane, number];
  const count = dice.between(1, 30);
  raise(known, `${lane}/${partition}`, count);
  return {
    what: 'produce',
    given: { lane, partition, count },
    ask: (side) =>
      side.world.produce(
        side.world.topics[lane],
        partition,
        Array.from({ length: count }, (_, i) => `value ${i}`),
      ),
  };
}

/** Some of what was read, at times twice at once; at times a smaller offset than before, or one of a partition that another holds. */
function committing(dice: Chance, memory: Side, n: number): Request {
  const { reader } = lifeOf(memory, n);
  const held = reader.assignments.at(-1) ?? [];
  const among = LANES.flatMap((lane) => PARTITIONS.map((partition) => ({ lane, partition })));
  const offsets = () =>
    among
      .filter(({ partition }) => dice.odds(held.includes(partition) ? 0.6 : 0.05))
      .map(({ lane, partition }) => {
        const position = reader.positions.get(nameOf(placeOf(memory, lane, partition))) ?? 3;
        return { lane, partition, offset: dice.odds(0.5) ? position : dice.between(0, position) };
      });
  const commits = Array.from({ length: dice.odds(0.4) ? 2 : 1 }, offsets);
  return {
    what: 'commit',
    given: { n, commits },
    ask: (side) =>
      Promise.all(
        commits.map((offsets) =>
          answerOf(() =>
            lifeOf(side, n).log.commit(offsets.map(({ lane, partition, offset }) => ({ ...placeOf(side, lane, partition), offset }))),
          ),
        ),
      ),
  };
}

/** A partition has no room any more, has it again but nobody says so, or is resumed. */
function closing(dice: Chance, known: Known): Request {
  const { shut, untold } = known;
  const waiting = [...shut, ...untold];
  const name = waiting.length > 0 && dice.odds(0.6) ? dice.pick(waiting) : `${dice.pick(LANES)}/${dice.pick(PARTITIONS)}`;
  const [lane, partition] = name.split('/').map(Number) as [Lane, number];
  const given = { lane, partition };
  if (shut.delete(name)) {
    untold.add(name);
    return { what: 'open', given, ask: async () => undefined };
  }
  if (untold.delete(name))
    return {
      what: 'resume',
      given,
      async ask(side) {
        for (const { log } of side.lives.filter(isIn)) log.resume([placeOf(side, lane, partition)]);
      },
    };
  shut.add(name);
  return { what: 'shut', given, ask: async () => undefined };
}

function truncating(dice: Chance, known: Known): Request {
  const [lane, partition] = [dice.pick(LANES), dice.pick(PARTITIONS)];
  const name = `${lane}/${partition}`;
  const low = dice.between(known.low.get(name) ?? 0, known.high.get(name) ?? 0);
  known.low.set(name, low);
  return { what: 'truncate', given: { lane, partition, low }, ask: (side) => side.world.truncate(placeOf(side, lane, partition), low) };
}

function writing(dice: Chance, known: Known): Request {
  const [lane, partition, kind] = [dice.pick(LANES), dice.pick(PARTITIONS), dice.below(3)];
  if (kind === 0) {
    raise(known, `${lane}/${partition}`, 1);
    const message = { key: 'till/1', value: Buffer.from([0, 255]), headers: { ce_id: 'x' } };
    return {
      what: 'command',
      given: { lane, partition },
      ask: (side) => side.writer.command(side.world.topics[lane], message, partition),
    };
  }
  if (kind === 1)
    return {
      what: 'deadLetter',
      given: {},
      ask: (side) => side.writer.deadLetter({ key: `till/${partition}`, value: null, headers: { dlq_reason: 'é' } }),
    };
  const events = Array.from({ length: 3 }, (_, i) => ({ address: `till/${(partition + i) % 2}`, seq: i + 1, text: `{"i":${i}}` }));
  return { what: 'events', given: { events }, ask: (side) => side.writer.events(events) };
}
