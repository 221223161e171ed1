/** Happenings by hand: what tests of checkers stand on. */
import { MemoryDisk } from '../../../infra/memory/disk.ts';
import { memoryLog } from '../../../infra/memory/log.ts';
import type { Clock, EntryStatus, Header, LogRecord } from '../../../src/ports.ts';
import type { Happening, MakeChecker, Outside } from '../happening.ts';
import { hashOf } from './facts.ts';

export const ATM = 'cash-location/ATM-1';
export const LIFE = 'memory-1';
const GENERATION = '1:token';
const START_MS = Date.parse('2026-01-01T00:00:00Z');
const topics = { commands: 'commands', bulk: 'bulk', events: 'events', letters: 'letters' };
const bytes = (text: string) => new Uint8Array(Buffer.from(text));

export type Stage = { readonly outside: Outside; readonly disk: MemoryDisk; pass(ms: number): void };
export function stage(): Stage {
  let nowMs = START_MS;
  const clock: Clock = { now: () => nowMs, monotonic: () => nowMs, after: () => ({ cancel: () => {} }), soon: () => {} };
  const disk = new MemoryDisk(clock);
  disk.generation = GENERATION;
  const limits = {
    leaseTtlMs: 10_000,
    sessionMs: 10_000,
    mailboxMax: 4,
    inboxMax: 2,
    residentMax: 3,
    inflightMax: 5,
    dedupeWindowMs: 60_000,
    longestEffectMs: 20_000,
  };
  const log = memoryLog({ topics: Object.values(topics), partitions: 1, clock });
  const outside = { disk, log, device: [], topics, group: 'locus', partitions: 1, limits, leasesLie: false, now: () => nowMs };
  return { outside, disk, pass: (ms) => (nowMs += ms) };
}

/** What happens, each perhaps with something done to the world just before. */
export type Scene = readonly (Happening | ((stage: Stage) => Happening | undefined))[];
/** Plays it to its end; throws what the checker throws. */
export function play(make: MakeChecker, scene: Scene): void {
  const its = stage();
  const checker = make(its.outside);
  for (const it of scene) {
    const happening = typeof it === 'function' ? it(its) : it;
    if (happening !== undefined) checker.hear?.(happening);
  }
  checker.end?.();
}

export const claimed = (epoch: number, who = 'a/1'): Happening => ({ kind: 'claimed', who, claim: claim(epoch) });
const claim = (epoch: number, life = LIFE) => ({ address: ATM, epoch, generation: GENERATION, life });

export type Event = {
  readonly type: string;
  readonly data?: object;
  readonly of?: string;
  readonly reply?: object;
  readonly input?: string;
};
type Entry = { readonly id: string; readonly status: EntryStatus; readonly hash?: string; readonly outcome?: object; readonly t?: number };
export type Commit = {
  readonly who?: string;
  readonly epoch?: number;
  readonly life?: string;
  /** Before it. */
  readonly seq?: number;
  readonly events?: readonly Event[];
  readonly entries?: readonly Entry[];
  readonly header?: Header;
  readonly published?: number;
  /** ms since the stage was set. */
  readonly sentMs?: number;
};
export function committed(it: Commit): Happening {
  const { who = 'a/1', epoch = 1, seq = 0, events = [], entries = [], header = {}, published, sentMs = 0 } = it;
  return {
    kind: 'committed',
    who,
    claim: claim(epoch, it.life),
    sentMs,
    change: {
      seq,
      unrecorded: [],
      events: events.map((event, n) => ({ address: ATM, seq: seq + n + 1, text: textOf(event, seq + n + 1, epoch) })),
      entries: entries.map((entry) => ({ commandId: entry.id, status: entry.status, hash: entry.hash ?? 'h', text: entryText(entry) })),
      records: [],
      header,
      ...(published !== undefined && { published }),
    },
  };
}
export const textOf = ({ type, data = {}, of = 'c', reply, input }: Event, seq: number, epoch = 1): string =>
  JSON.stringify({
    id: `${ATM}:${seq}`,
    type: `cash-location.${type}`,
    subject: ATM,
    time: new Date(START_MS).toISOString(),
    locusepoch: epoch,
    locusseq: seq,
    locuscommand: of,
    ...(reply && { locusreply: JSON.stringify(reply), locusinput: input ?? 'h' }),
    data,
  });
const entryText = ({ t = START_MS, outcome = {} }: Entry): string => `${JSON.stringify({ c: 'x', t })}\n${JSON.stringify(outcome)}`;

export type Command = {
  readonly id: string;
  readonly name?: string;
  readonly input?: object;
  readonly offset?: number;
  readonly topic?: string;
  readonly deadline?: number;
};
export const hash = ({ name = 'open', input = {} }: Pick<Command, 'name' | 'input'>): string => hashOf(`cash-location.${name}`, input);
export const sent = (it: Command): Happening => {
  const { id, name = 'open', input = {}, deadline } = it;
  const value = {
    specversion: '1.0',
    id,
    type: `cash-location.${name}`,
    subject: ATM,
    data: input,
    ...(deadline !== undefined && { locusdeadline: new Date(START_MS + deadline).toISOString() }),
  };
  return raw({ ...it, key: ATM, value: JSON.stringify(value) });
};
type Raw = {
  readonly topic?: string;
  readonly offset?: number;
  readonly key?: string | null;
  readonly value?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
};
export function raw({ topic = topics.commands, offset = 0, key = null, value = null, headers = {} }: Raw): Happening {
  const record: LogRecord = {
    topic,
    partition: 0,
    offset,
    key: key === null ? null : bytes(key),
    value: value === null ? null : bytes(value),
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, bytes(text)])),
    appendedMs: START_MS,
  };
  return { kind: 'produced', who: 'client', record };
}
export const letter = (offset: number, reason = 'JSON_INVALID'): Happening =>
  raw({
    topic: topics.letters,
    offset,
    headers: { dlq_topic: topics.commands, dlq_partition: '0', dlq_offset: String(offset), dlq_reason: reason },
  });
export const published = (event: Event, seq: number): Happening =>
  raw({ topic: topics.events, offset: seq, key: ATM, value: textOf(event, seq) });
export const offset = (upTo: number): Happening => ({
  kind: 'offset-committed',
  who: 'a/1',
  at: { topic: topics.commands, partition: 0 },
  offset: upTo,
});
export const moved = (more: object = {}): Happening => ({
  kind: 'device',
  line: {
    kind: 'moved',
    location: 'ATM-1',
    commandId: 'c',
    currency: 'USD',
    ordered: { 2000: 1 },
    status: 'dispensed',
    notes: { 2000: 1 },
    retracted: {},
    rejected: {},
    fence: { epoch: 1, seq: 2 },
    atMs: START_MS,
    ...more,
  } as never,
});
export const promised = (fence = { epoch: 1, seq: 2 }): Happening => ({
  kind: 'device',
  line: { kind: 'void', location: 'ATM-1', commandId: 'c', fence, atMs: START_MS },
});
export const asked = (verb: 'run' | 'probe', seq: number, more: object = {}): Happening => ({
  kind: 'asked',
  who: 'a/1',
  address: ATM,
  verb,
  key: 'c',
  order: { notes: 1 },
  fence: { epoch: 1, seq },
  ...more,
});
export const intent = (more: object = {}): string =>
  JSON.stringify({ commandId: 'c', order: { notes: 1 }, fence: { epoch: 1, seq: 2 }, ...more });
