/** What goes wrong under one seed, as plain data that can be left out piece by piece: when, what, and for how long. */
import type { LogFaults } from '../../infra/memory/log-faults.ts';
import type { Chance } from './chance.ts';
import type { DeviceFaults } from './device.ts';
import type { Point, Weather } from './links.ts';

/** From `atMs` on (ms since the world began); with a `point`, at the moment somebody passes it for the nth time from then on. */
export type Fault = { readonly atMs: number; readonly point?: Point; readonly nth?: number } & Harm;
/** `slot`: one of the replicas by place; with a point it is whoever passes. */
export type Harm =
  | { readonly kind: 'kill'; readonly slot: number; readonly restartMs: number; readonly renamed: boolean }
  | { readonly kind: 'drain'; readonly slot: number; readonly restartMs: number }
  | { readonly kind: 'freeze'; readonly slot: number; readonly forMs: number }
  /** Taken for dead: another begins under its REPLICA_ID, and after `forMs` it wakes. */
  | { readonly kind: 'replace'; readonly slot: number; readonly forMs: number }
  | { readonly kind: 'slow'; readonly slot: number; readonly byMs: number; readonly forMs: number }
  | { readonly kind: 'clock'; readonly slot: number; readonly skewMs: number; readonly forMs: number }
  /** One more replica, for a while. */
  | { readonly kind: 'join'; readonly forMs: number }
  /** Another life of the store after `forMs`; `cut`: the same life, out of reach meanwhile. */
  | { readonly kind: 'store-restart' | 'store-cut'; readonly forMs: number }
  | {
      readonly kind: 'weather';
      readonly wire: 'store' | 'log' | 'leases' | 'device';
      readonly is: Partial<Weather>;
      readonly forMs: number;
    }
  /** Nothing is executed until it is over, then everything that was sent, whoever gave it up meanwhile. */
  | { readonly kind: 'store-freeze'; readonly forMs: number }
  | { readonly kind: 'log'; readonly is: Partial<LogFaults>; readonly forMs: number }
  /** Nothing arrives between one replica and the brokers; or its client gives up and joins anew by itself. */
  | { readonly kind: 'log-cut'; readonly slot: number; readonly forMs: number }
  | { readonly kind: 'log-rejoin'; readonly slot: number }
  /** The clock of one is set back while most lock nodes are silent: whoever trusts a lease by it trusts it too long. */
  | { readonly kind: 'lapse'; readonly slot: number; readonly backMs: number; readonly forMs: number }
  | { readonly kind: 'lock'; readonly node: number; readonly is: 'down' | 'silent' | 'empty' | 'slow' | 'ahead'; readonly forMs: number }
  | { readonly kind: 'device'; readonly is: Partial<DeviceFaults>; readonly forMs: number }
  | { readonly kind: 'amnesia' | 'device-restart' };
export type Kind = Harm['kind'];

/** Every await between an effect and its record, with the edges that matter most named more than once. */
export const points: readonly Point[] = [
  ...(['commit:sent', 'commit:applied', 'commit:applied', 'commit:answered', 'claim:applied', 'claim:answered', 'mark:applied'] as const),
  ...(['run:sent', 'run:applied', 'run:applied', 'run:answered', 'probe:sent', 'probe:answered', 'open:answered'] as const),
  ...(['append:applied', 'append:answered', 'markInbox:applied', 'inbox:answered', 'trim:applied', 'unmark:applied'] as const),
  ...(['unmark:sent', 'unmark:sent', 'mark:sent', 'trim:sent', 'published:sent'] as const),
  ...(['events:sent', 'events:applied', 'events:answered', 'published:applied', 'command:applied', 'deadLetter:applied'] as const),
  ...(['setApplied:applied', 'setApplied:answered', 'offsets:sent', 'offsets:applied', 'offsets:answered'] as const),
  ...(['acquire:answered', 'renew:answered', 'release:applied', 'generation:answered', 'applied:answered', 'recall:answered'] as const),
];

/** What a seed's faults are like: some kinds alone, at a pace of their own, so that each seed looks elsewhere. */
export type Nature = {
  readonly kinds: readonly Kind[];
  readonly gapMs: number;
  readonly device: Partial<DeviceFaults>;
  readonly base: Partial<Weather>;
  readonly log: Partial<LogFaults>;
};

const WEIGHTS: Readonly<Record<Kind, number>> = {
  kill: 6,
  drain: 2,
  freeze: 4,
  replace: 1,
  slow: 2,
  clock: 2,
  join: 1,
  'store-restart': 2,
  'store-cut': 1,
  weather: 5,
  'store-freeze': 2,
  log: 4,
  'log-cut': 2,
  'log-rejoin': 2,
  lock: 2,
  lapse: 1,
  device: 4,
  amnesia: 1,
  'device-restart': 1,
};

export function natureOf(chance: Chance): Nature {
  const kinds = (Object.keys(WEIGHTS) as Kind[]).filter(() => chance.odds(0.6));
  const device = chance.pick<Partial<DeviceFaults>>([{}, {}, {}, { noFence: true }, { noDedupe: true }]);
  // A device that forgets and does not fence is outside the promise.
  const usable = kinds.filter((kind) => device.noFence !== true || kind !== 'amnesia');
  return {
    kinds: usable.length > 0 ? usable.flatMap((kind) => Array<Kind>(WEIGHTS[kind]).fill(kind)) : ['kill'],
    gapMs: chance.pick([2_000, 5_000, 10_000, 30_000]),
    device,
    log: { fetchMs: 5, commitMs: 10, noticeMs: 200, ...(chance.odds(0.4) && { repeatRate: 0.02, lateBatchRate: 0.2, lostAckRate: 0.005 }) },
    base: chance.odds(0.5) ? {} : { loseRequest: 0.0005, loseReply: 0.001, spikes: 0.02, spikeMs: 100 },
  };
}

/** Faults without end, in the order of their times. */
export function* faults(chance: Chance, nature: Nature, replicas: number): Generator<Fault> {
  let atMs = 3_000;
  for (;;) {
    atMs = Math.round(atMs + chance.next() * 2 * nature.gapMs);
    const harm = harmOf(chance, chance.pick(nature.kinds), replicas);
    const pointed = (harm.kind === 'kill' || harm.kind === 'freeze' || harm.kind === 'drain') && chance.odds(0.6);
    yield pointed ? { atMs, point: chance.pick(points), nth: 1 + Math.floor(chance.next() ** 3 * 30), ...harm } : { atMs, ...harm };
  }
}

function harmOf(chance: Chance, kind: Kind, replicas: number): Harm {
  const slot = chance.below(replicas);
  const forMs = Math.round(chance.pick([200, 1_000, 5_000, 15_000, 30_000]) * (0.5 + chance.next()));
  switch (kind) {
    case 'kill':
      return { kind, slot, restartMs: chance.pick([0, 500, 3_000, 15_000]), renamed: chance.odds(0.3) };
    case 'drain':
      return { kind, slot, restartMs: chance.pick([0, 2_000, 10_000]) };
    case 'freeze':
    case 'replace':
    case 'join':
      return { kind, slot, forMs };
    case 'slow':
      return { kind, slot, byMs: chance.pick([2, 20, 200]), forMs };
    case 'clock':
      return { kind, slot, skewMs: chance.pick([-60_000, -3_000, 3_000, 60_000]), forMs };
    case 'store-restart':
    case 'store-cut':
      return { kind, forMs: Math.min(forMs, 10_000) };
    case 'weather':
      return { kind, wire: chance.pick(['store', 'store', 'log', 'leases', 'device']), is: storm(chance), forMs };
    case 'store-freeze':
      return { kind, forMs: Math.min(forMs, 8_000) };
    case 'log':
      return { kind, is: badLog(chance), forMs };
    case 'log-cut':
      return { kind, slot, forMs };
    case 'log-rejoin':
      return { kind, slot };
    case 'lapse':
      return { kind, slot, backMs: chance.pick([10_000, 60_000]), forMs: chance.between(6_000, 20_000) };
    case 'lock':
      return { kind, node: chance.below(3), is: chance.pick(['down', 'silent', 'empty', 'slow', 'ahead']), forMs };
    case 'device':
      return { kind, is: badDevice(chance), forMs };
    case 'amnesia':
    case 'device-restart':
      return { kind };
  }
}

function storm(chance: Chance): Partial<Weather> {
  return chance.pick<Partial<Weather>>([
    { loseRequest: 0.02 },
    { loseReply: 0.02 },
    { loseReply: 0.01, belated: 0.02 },
    { spikes: 0.2, spikeMs: 2_500 },
    { loseRequest: 1 },
    { loseReply: 0.9 },
  ]);
}

function badLog(chance: Chance): Partial<LogFaults> {
  return chance.pick<Partial<LogFaults>>([
    { away: true },
    { lostWriteRate: 0.2, lateWriteMs: 4_000 },
    { lostAckRate: 0.2, duplicateOnLostAck: true, lateWriteMs: 2_000 },
    { fetchMs: 600, repeatRate: 0.3 },
    { lateBatchRate: 0.7, noticeMs: 1_500 },
    { commitMs: 2_500 },
  ]);
}

function badDevice(chance: Chance): Partial<DeviceFaults> {
  return chance.pick<Partial<DeviceFaults>>([
    { lostReplyRate: 0.3 },
    { lostRequestRate: 0.3 },
    { partialRate: 0.3 },
    { jamRate: 0.3 },
    { latencyMinMs: 500, latencyMaxMs: 6_000 },
    { latencyMinMs: 10_000, latencyMaxMs: 40_000 },
    { silent: true },
    { oddRate: 0.2 },
  ]);
}
