/** The wires between a replica and what it stands on: they take time, lose what they carry, and are where it can be stopped between an effect and its record. */
import type { Chance } from './chance.ts';
import type { Kernel, Process } from './kernel.ts';

/** About to leave: frozen here it leaves after the thaw, killed here never · executed, the answer on its way · the answer arrives. */
export type Edge = 'sent' | 'applied' | 'answered';
/** `commit:applied`: which call, and where on its way. Every await between an effect and a record is one of them. */
export type Point = `${string}:${Edge}`;

/** How wires fare now: latencies in ms, the rest in shares of the calls. */
export type Weather = {
  meanMs: number;
  /** This share of the calls takes up to `spikeMs`. */
  spikes: number;
  spikeMs: number;
  loseRequest: number;
  loseReply: number;
  /** Executed long after its sender gave it up. */
  belated: number;
};
export const calm = (): Weather => ({ meanMs: 0.6, spikes: 0, spikeMs: 0, loseRequest: 0, loseReply: 0, belated: 0 });

export type Wire = {
  readonly kernel: Kernel;
  readonly process: Process;
  readonly chance: Chance;
  readonly weather: Weather;
  /** Told when the process passes a point: it may be killed or frozen by it. */
  readonly passes: (process: Process, point: Point) => void;
};
export type Call<T> = {
  readonly name: string;
  /** Executed where it arrives. A throw or a rejection travels back like an answer. */
  readonly work: () => Promise<T> | T;
  /** What the caller is told when no answer came within `timeoutMs`. */
  readonly unanswered: () => T;
  readonly timeoutMs: number;
  /** Heard where it was executed, whether or not the answer arrives. */
  readonly done?: (answer: T) => void;
  /** How long whoever executes it keeps it waiting, ms, asked when it arrives. */
  readonly waitMs?: () => number;
  /** What must arrive before it: calls of one connection. */
  readonly order?: Order;
};
/**
 * One connection: requests arrive in the order in which they were sent, and so do the answers. What is lost is lost with all that comes after
 * it, for the other side has never more than a first part of what was said.
 */
export type Order = {
  isDeaf: boolean;
  isMute: boolean;
  requestMs: number;
  replyMs: number;
  /** What was asked over it and has no answer yet: gives it up. */
  readonly waiting: Set<() => void>;
};
export const order = (): Order => ({ isDeaf: false, isMute: false, requestMs: 0, replyMs: 0, waiting: new Set() });
/** Of one call: nobody cuts it. */
const alone = (): Order => ({ isDeaf: false, isMute: false, requestMs: 0, replyMs: 0, waiting: NOBODY });
const NOBODY = new Set<() => void>();
/** The connection is gone, and with it every answer: what was sent over it may be executed all the same. */
export function cut({ waiting }: Order): void {
  for (const giveUp of [...waiting]) giveUp();
}

const LATE_MS = 4_000;

/** What the points and events of a call are called: put together once for each name, not for each of a hundred thousand calls. */
type Said = {
  readonly sent: Point;
  readonly applied: Point;
  readonly answered: Point;
  readonly back: string;
  readonly late: string;
  readonly waits: string;
  readonly held: string;
};
const names = new Map<string, Said>();
function saidOf(name: string): Said {
  const known = names.get(name);
  if (known !== undefined) return known;
  const said: Said = {
    sent: `${name}:sent`,
    applied: `${name}:applied`,
    answered: `${name}:answered`,
    back: `${name} answered`,
    late: `${name} unanswered`,
    waits: `${name} waits`,
    held: `${name} held`,
  };
  names.set(name, said);
  return said;
}

/** One request and its answer. Nothing of a dead process is sent, and what a frozen one says leaves it when it thaws. */
export function carry<T>(wire: Wire, call: Call<T>): Promise<T> {
  const { kernel, process, chance, weather } = wire;
  const said = saidOf(call.name);
  wire.passes(process, said.sent);
  if (process.state === 'dead') return new Promise(() => {});
  return new Promise<T>((resolve, reject) => {
    const send = () => {
      let settled = false;
      const settle = (how: () => void) => {
        if (settled) return;
        settled = true;
        alarm.cancel();
        call.order?.waiting.delete(giveUp);
        how();
        // What the answer brings about begins after this point.
        wire.passes(process, said.answered);
      };
      const giveUp = () =>
        settle(() => {
          try {
            resolve(call.unanswered());
          } catch (error) {
            reject(error);
          }
        });
      const alarm = kernel.after(process, call.timeoutMs, said.late, giveUp);
      call.order?.waiting.add(giveUp);
      const fate = chance.next();
      const sendMs = kernel.nowMs + latency(wire);
      const backMs = latency(wire);
      const connection = call.order ?? alone();
      connection.isDeaf ||= fate < weather.loseRequest;
      if (connection.isDeaf) return;
      const isBelated = fate < weather.loseRequest + weather.belated;
      connection.isMute ||= isBelated || fate < weather.loseRequest + weather.belated + weather.loseReply;
      const arriveMs = inOrder(connection, 'requestMs', isBelated ? sendMs + call.timeoutMs + chance.next() * LATE_MS : sendMs);
      const back = (how: () => void) => {
        if (connection.isMute) return;
        const atMs = inOrder(connection, 'replyMs', kernel.nowMs + backMs);
        kernel.after(process, atMs - kernel.nowMs, said.back, () => settle(how));
      };
      const arrive = () => {
        const waitMs = call.waitMs?.() ?? 0;
        if (waitMs > 0) return void kernel.after(kernel.world, waitMs, said.waits, arrive);
        const applied = (answer: T) => {
          call.done?.(answer);
          wire.passes(process, said.applied);
          back(() => resolve(answer));
        };
        executed(kernel, call.work, applied, (error) => back(() => reject(error)));
      };
      kernel.after(kernel.world, arriveMs - kernel.nowMs, call.name, arrive);
    };
    if (process.state === 'frozen') kernel.soon(process, said.held, send);
    else send();
  });
}

/** A violation heard in `done` ends the run; it is no answer. */
function executed<T>(kernel: Kernel, work: () => Promise<T> | T, applied: (answer: T) => void, failed: (error: unknown) => void): void {
  const heard = (answer: T) => {
    try {
      applied(answer);
    } catch (error) {
      kernel.fail(error);
    }
  };
  try {
    const answer = work();
    if (answer instanceof Promise) answer.then(heard, failed);
    else heard(answer);
  } catch (error) {
    failed(error);
  }
}

function inOrder(connection: Order, way: 'requestMs' | 'replyMs', atMs: number): number {
  connection[way] = Math.max(connection[way], atMs);
  return connection[way];
}
export function latency({ chance, weather }: Pick<Wire, 'chance' | 'weather'>): number {
  const ms = weather.meanMs * (0.25 + 1.5 * chance.next());
  return weather.spikes > 0 && chance.odds(weather.spikes) ? ms + chance.next() * weather.spikeMs : ms;
}
