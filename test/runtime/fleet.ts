/** Replicas in one process over the memory twins: what tests of the runtime stand on. */
import { memoryDisk } from '../../infra/memory/disk.ts';
import { memoryLeaseStore, memoryLocks } from '../../infra/memory/lease-store.ts';
import { memoryLog } from '../../infra/memory/log.ts';
import { memoryNotices } from '../../infra/memory/notices.ts';
import { memoryRegistry } from '../../infra/memory/registry.ts';
import { memoryStateStore } from '../../infra/memory/state-store.ts';
import type { Bound } from '../../src/actor.ts';
import type { Acted, Action } from '../../src/desk.ts';
import { parseAddress } from '../../src/message/address.ts';
import { encodeCommand, type Sendable } from '../../src/message/codec.ts';
import type { Clock, Entry, Log, LogRefusal, Random, StateStore } from '../../src/ports.ts';
import { definitions } from '../../src/runtime/definition.ts';
import { entryParts } from '../../src/runtime/ground.ts';
import type { Live } from '../../src/runtime/live.ts';
import { Replica } from '../../src/runtime/replica.ts';
import type { Limits, Meters } from '../../src/runtime/site.ts';
import { TestClock } from './test-clock.ts';

export const COMMANDS = 'commands';
export const BULK = 'commands.bulk';
export const EVENTS = 'events';
export const LETTERS = 'letters';
const GROUP = 'locus';

export type Counts = Record<'fenced' | 'redelivered' | 'recovered' | 'withoutLease' | 'open' | 'inDoubt', number> & {
  readonly letters: string[];
  readonly turns: string[];
};
/** `kill` ends it as kill -9 would: nothing it has under way is answered, no timer of it fires again. */
export type Node = {
  readonly replica: Replica;
  readonly counts: Counts;
  readonly store: StateStore;
  live(id: string): Live | undefined;
  act(id: string, action: Partial<Action> & Pick<Action, 'verb'>): Promise<Acted>;
  drain(): Promise<void>;
  kill(): void;
};
const limits: Limits = {
  mailboxMax: 64,
  inboxMax: 1_000,
  inboxAfterMs: 300,
  residentMax: 1_000,
  inflightMax: 500,
  idleMs: 60_000,
  dedupeWindowMs: 7 * 86_400_000,
  dedupeMax: 1_000_000,
  probeTimeoutMs: 200,
  drainMs: 5_000,
};
const quiet: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export function fleet(
  bound: Bound,
  options: {
    readonly partitions?: number;
    readonly limits?: Partial<Limits>;
    readonly log?: Log;
    readonly seed?: number;
    readonly refusedByLog?: () => Promise<readonly LogRefusal[]>;
  } = {},
) {
  const clock = new TestClock();
  const random = seeded(options.seed ?? 1);
  const disk = memoryDisk(clock);
  const locks = memoryLocks(clock, 3);
  const log = memoryLog({ topics: [COMMANDS, BULK, EVENTS, LETTERS], partitions: options.partitions ?? 3, clock });
  const nodes: Node[] = [];

  async function replica(replicaId: string, wrap: (store: StateStore) => StateStore = (store) => store, its = bound): Promise<Node> {
    const counts: Counts = { fenced: 0, redelivered: 0, recovered: 0, withoutLease: 0, open: 0, inDoubt: 0, letters: [], turns: [] };
    const life = { over: false };
    const store = wrap(mortal(life, memoryStateStore(disk, { random })));
    const sessionMs = 1_000;
    let member: ReturnType<typeof log.commandLog> | undefined;
    const made = new Replica({
      clock: mortalClock(life, clock),
      random,
      log: options.log ?? quiet,
      meters: metersInto(counts),
      marginMs: () => {},
      store,
      leaseStore: mortal(life, memoryLeaseStore(locks)),
      registry: mortal(life, memoryRegistry(disk)),
      notices: mortal(life, memoryNotices(disk)),
      writer: mortal(life, log.writer({ eventsTopic: EVENTS, deadLettersTopic: LETTERS })),
      definitions: definitions([its]),
      limits: { ...limits, ...options.limits },
      replicaId,
      url: `http://${replicaId}`,
      group: GROUP,
      source: 'test',
      lanes: new Map([
        [COMMANDS, 'customer'],
        [BULK, 'bulk'],
      ]),
      leaseTtlMs: 1_000,
      sessionMs,
      partitions: options.partitions ?? 3,
      commandLog: ({ mayJoin, fatal }) => {
        member = log.commandLog({
          groupId: GROUP,
          replicaId,
          topics: [COMMANDS, BULK],
          sessionTimeoutMs: sessionMs,
          mayJoin,
          onFatal: fatal,
        });
        return member;
      },
      ...(options.refusedByLog === undefined ? {} : { refusedByLog: options.refusedByLog }),
      fatal: () => {},
    });
    await clock.run(made.start());
    const node: Node = {
      replica: made,
      counts,
      store,
      live: (id) => made.router.find(`${bound.actor.type}/${id}`)?.live,
      act(id, action) {
        const place = parseAddress(`${bound.actor.type}/${id}`, 'address');
        const activation = 'code' in place ? undefined : made.router.spawn(place);
        if (activation === undefined) throw new Error(`${id} cannot be resident`);
        return clock.run(activation.act({ key: `k-${++acted}`, because: 'a test', ...action }));
      },
      drain: () => clock.run(made.drain()),
      kill() {
        life.over = true;
        member?.vanish();
        nodes.splice(nodes.indexOf(node), 1);
      },
    };
    nodes.push(node);
    return node;
  }

  let sent = 0;
  let acted = 0;
  /** Its record, as a producer would write it. */
  const record = (id: string, name: string, input: unknown, commandId: string, more: Partial<Sendable> = {}) =>
    encodeCommand({
      address: `${bound.actor.type}/${id}`,
      name,
      commandId,
      input,
      source: 'test',
      time: new Date(clock.now()).toISOString(),
      ...more,
    });
  const send = (id: string, name: string, input: unknown, commandId = `c-${++sent}`, more: Partial<Sendable> = {}) => {
    log.produce(COMMANDS, record(id, name, input, commandId, more));
    return commandId;
  };
  /** The same in the bulk lane. */
  const sendBulk = (id: string, name: string, input: unknown, commandId = `b-${++sent}`) => {
    log.produce(BULK, record(id, name, input, commandId));
    return commandId;
  };
  const entry = async (id: string, commandId: string): Promise<Entry | undefined> => (await memoryView(id, commandId))?.entry;
  const view = memoryStateStore(disk, { random });
  const ready = view.start();
  async function memoryView(id: string, commandId: string) {
    await ready;
    return (await view.recall(`${bound.actor.type}/${id}`, [commandId]))[0];
  }
  /** The outcome of a command once it is final, as its caller gets it. */
  const outcome = (id: string, commandId: string): Promise<Record<string, unknown>> =>
    clock.until(async () => {
      const known = await entry(id, commandId);
      if (known?.status !== 'done' && known?.status !== 'refused') throw new Error(`${commandId} is ${known?.status ?? 'unknown'}`);
      return JSON.parse(entryParts(known.text).outcome);
    });
  const events = (id: string) => {
    const seen = new Map<
      number,
      { type: string; locusseq: number; locusepoch: number; locuscommand: string; data: Record<string, unknown> }
    >();
    for (const record of log.records(EVENTS)) {
      const event = JSON.parse(Buffer.from(record.value ?? '').toString());
      if (event.subject === `${bound.actor.type}/${id}` && !seen.has(event.locusseq)) seen.set(event.locusseq, event);
    }
    return [...seen].sort(([a], [b]) => a - b).map(([, event]) => event);
  };
  const stop = async () => {
    await clock.run(Promise.all(nodes.map((node) => node.replica.drain())));
  };
  /** The offset committed for a partition, of the commands topic unless told. */
  const committed = (partition = 0, topic = COMMANDS) => log.committed(GROUP, { topic, partition });
  const until = clock.until.bind(clock);
  return { replica, record, send, sendBulk, entry, outcome, events, committed, view, log, disk, locks, clock, until, stop, group: GROUP };
}

/** The same numbers for the same seed: a test that fails fails again. */
function seeded(seed: number): Random {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  return {
    next,
    hex: (bytes) =>
      Array.from({ length: bytes }, () =>
        Math.floor(next() * 256)
          .toString(16)
          .padStart(2, '0'),
      ).join(''),
  };
}

/** Calls made before its life was over are not answered after it. */
function mortal<T extends object>(life: { readonly over: boolean }, it: T): T {
  const never = new Promise<never>(() => {});
  return new Proxy(it, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]) => {
        if (life.over) return never;
        const answer: unknown = value.apply(target, given);
        return answer instanceof Promise ? answer.then((known: unknown) => (life.over ? never : known)) : answer;
      };
    },
  });
}
const mortalClock = (life: { readonly over: boolean }, clock: Clock): Clock => ({
  now: () => clock.now(),
  monotonic: () => clock.monotonic(),
  after: (ms, wake, background) => clock.after(ms, () => (life.over ? undefined : wake()), background),
  soon: (wake) => clock.soon(() => (life.over ? undefined : wake())),
});

function metersInto(counts: Counts): Meters {
  return {
    // Of commands that were delivered; what evidence settles comes by no record.
    turn: (_type, outcome, lane) => void (lane === 'control' || counts.turns.push(outcome)),
    committed: () => {},
    fenced: () => counts.fenced++,
    effect: () => {},
    activated: () => {},
    withoutLease: () => counts.withoutLease++,
    recovered: () => counts.recovered++,
    redelivered: () => counts.redelivered++,
    deadLetter: (reason) => counts.letters.push(reason),
    opened: (intents) => {
      counts.open += intents;
    },
    doubted: (intents) => {
      counts.inDoubt += intents;
    },
  };
}
