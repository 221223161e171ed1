/** The simulated dispenser itself: what it remembers, whom it obeys, and what becomes of the notes. */
import type { Random } from '../../src/ports.ts';
import type { Fence, Journal, Line, Moved, Notes } from './journal.ts';

export type Switches = {
  /** A dispense takes between these, ms: half before the cash moves, half after. */
  readonly latencyMinMs: number;
  readonly latencyMaxMs: number;
  /** Shares of the dispenses, 0 to 1. Lost: the cash moves, then the connection is cut. Jam: nothing moves. */
  readonly lostReplyRate: number;
  readonly partialRate: number;
  readonly jamRate: number;
  /** Forgets every commandId at start, and takes a new identity. */
  readonly amnesia: boolean;
  /** Obeys any fence and remembers none. */
  readonly noFence: boolean;
  /** Moves cash again for a commandId that it has seen, or voided. */
  readonly noDedupe: boolean;
};
export const honest: Switches = {
  latencyMinMs: 0,
  latencyMaxMs: 0,
  lostReplyRate: 0,
  partialRate: 0,
  jamRate: 0,
  amnesia: false,
  noFence: false,
  noDedupe: false,
};

export type Order = { readonly commandId: string; readonly currency: string; readonly notes: Notes };
export type Report = {
  readonly status: 'dispensed' | 'partial' | 'failed' | 'none';
  readonly notes: Notes;
  readonly retracted?: Notes;
  readonly rejected?: Notes;
};
/** `highest` is the fence before the request. */
export type Reply = { readonly fenced: Fence } | (Report & { readonly journal: string; readonly highest: Fence });

export type Device = {
  dispense(location: string, order: Order, fence: Fence): Promise<Reply>;
  /** Without a commandId it asks for the device's identity and raises the fence. */
  probe(location: string, commandId: string | undefined, fence: Fence): Promise<Reply>;
  forget(): Promise<void>;
};
type Surroundings = {
  readonly journal: Journal;
  readonly random: Random;
  readonly now: () => number;
  readonly switches: () => Switches;
};

const NO_FENCE: Fence = { epoch: 0, seq: 0 };
type Seen = { readonly report: Report; readonly onDisk: Promise<void> };
type Memory = {
  identity: string;
  readonly fences: Map<string, Fence>;
  /** By location and commandId. Grows with every dispense: a simulator, not a device for years. */
  readonly seen: Map<string, Seen>;
};

function remember(memory: Memory, line: Line, onDisk: Promise<void>): void {
  if (line.kind === 'created' || line.kind === 'amnesia') {
    memory.identity = line.journal;
    memory.seen.clear();
    return;
  }
  if (compare(line.fence, memory.fences.get(line.location) ?? NO_FENCE) > 0) memory.fences.set(line.location, line.fence);
  if (line.kind === 'moved') memory.seen.set(nameOf(line.location, line.commandId), { report: reportOf(line), onDisk });
  if (line.kind === 'void') memory.seen.set(nameOf(line.location, line.commandId), { report: { status: 'none', notes: {} }, onDisk });
}

export async function startDevice({ journal, random, now, switches }: Surroundings): Promise<Device> {
  const memory: Memory = { identity: '', fences: new Map(), seen: new Map() };
  const { fences, seen } = memory;
  const record = (line: Line): Promise<void> => {
    const onDisk = journal.append(line);
    remember(memory, line, onDisk);
    return onDisk;
  };
  const forget = () => record({ kind: 'amnesia', journal: random.hex(8), atMs: now() });
  const kept = (fence: Fence) => (switches().noFence ? NO_FENCE : fence);

  for (const line of journal.before) remember(memory, line, Promise.resolve());
  if (memory.identity === '') await record({ kind: 'created', journal: random.hex(8), atMs: now() });
  if (switches().amnesia) await forget();

  return {
    forget,
    async dispense(location, order, fence) {
      const { commandId, currency, notes: ordered } = order;
      const highest = fences.get(location) ?? NO_FENCE;
      if (!switches().noFence && compare(fence, highest) < 0) return { fenced: highest };
      const known = switches().noDedupe ? undefined : seen.get(nameOf(location, commandId));
      if (known) {
        await Promise.all([known.onDisk, raise(location, fence, highest)]);
        const report: Report = known.report.status === 'none' ? { status: 'failed', notes: {} } : known.report;
        return { ...report, journal: memory.identity, highest };
      }
      const moved = {
        kind: 'moved',
        location,
        commandId,
        currency,
        ordered,
        ...fate(ordered, switches(), random),
        fence: kept(fence),
        atMs: now(),
      } as const;
      await record(moved);
      return { ...reportOf(moved), journal: memory.identity, highest };
    },

    async probe(location, commandId, fence) {
      const highest = fences.get(location) ?? NO_FENCE;
      if (!switches().noFence && compare(fence, highest) < 0) return { fenced: highest };
      const known = commandId === undefined ? undefined : seen.get(nameOf(location, commandId));
      if (commandId === undefined || known) {
        await Promise.all([known?.onDisk, raise(location, fence, highest)]);
        return { ...(known?.report ?? { status: 'none', notes: {} }), journal: memory.identity, highest };
      }
      await record({ kind: 'void', location, commandId, fence: kept(fence), atMs: now() });
      return { status: 'none', notes: {}, journal: memory.identity, highest };
    },
  };

  async function raise(location: string, fence: Fence, highest: Fence): Promise<void> {
    if (!switches().noFence && compare(fence, highest) > 0) await record({ kind: 'fence', location, fence, atMs: now() });
  }
}

/** What becomes of the notes: in a partial dispense one of them, chosen by chance, is retracted, rejected or stays. */
function fate(
  ordered: Notes,
  { jamRate, partialRate }: Switches,
  random: Random,
): Pick<Moved, 'status' | 'notes' | 'retracted' | 'rejected'> {
  if (random.next() < jamRate) return { status: 'failed', notes: {}, retracted: {}, rejected: {} };
  const denominations = Object.keys(ordered).filter((it) => (ordered[it] ?? 0) > 0);
  const missing = denominations[Math.floor(random.next() * denominations.length)];
  if (missing === undefined || random.next() >= partialRate) return { status: 'dispensed', notes: ordered, retracted: {}, rejected: {} };
  const where = Math.floor(random.next() * 3);
  return {
    status: 'partial',
    notes: { ...ordered, [missing]: (ordered[missing] ?? 0) - 1 },
    retracted: where === 0 ? { [missing]: 1 } : {},
    rejected: where === 1 ? { [missing]: 1 } : {},
  };
}

const reportOf = ({ status, notes, retracted, rejected }: Moved): Report => ({ status, notes, retracted, rejected });
const nameOf = (location: string, commandId: string): string => `${location} ${commandId}`;
const compare = (a: Fence, b: Fence): number => a.epoch - b.epoch || a.seq - b.seq;
