/** A replica's other wires: the log's writer, leases, the registry, hints, and the log's reader under the replica's own events. */
import { LocusError } from '../../src/errors.ts';
import type { CommandLog, Lease, LeaseStore, LogWriter, Notices, Registry } from '../../src/ports.ts';
import type { Happening, Who } from './happening.ts';
import { carry, latency, type Wire } from './links.ts';

type Voice = { readonly who: Who; readonly say: (happening: Happening) => void };

const WRITE_MS = 2_000;
const REGISTRY_MS = 1_000;

export function writerLink(wire: Wire, twin: LogWriter): LogWriter {
  // As the shipping writer: one at a time of a kind, and what waits behind one that failed is not sent.
  const [events, commands] = [queue(), queue()];
  const send = (name: string, work: () => Promise<void>) => () =>
    carry(wire, {
      name,
      work,
      timeoutMs: WRITE_MS,
      unanswered() {
        throw new LocusError('LOG_UNACKNOWLEDGED', 'no acknowledgement; it may have been appended');
      },
    });
  return {
    start: () => twin.start(),
    stop: () => twin.stop(),
    events: (texts) => events(send('events', () => twin.events(texts))),
    command: (topic, message, partition) => commands(send('command', () => twin.command(topic, message, partition))),
    deadLetter: (message) => commands(send('deadLetter', () => twin.deadLetter(message))),
  };
}

function queue(): (send: () => Promise<void>) => Promise<void> {
  type Waiting = { readonly send: () => Promise<void>; readonly sent: () => void; readonly failed: (error: unknown) => void };
  const waiting: Waiting[] = [];
  let isBusy = false;
  const next = () => {
    const first = isBusy ? undefined : waiting.shift();
    if (first === undefined) return;
    isBusy = true;
    const over = () => {
      isBusy = false;
      next();
    };
    first.send().then(
      () => {
        first.sent();
        over();
      },
      (error: unknown) => {
        first.failed(error);
        for (const { failed } of waiting.splice(0)) failed(new LocusError('LOG_DOWN', 'one before it failed; nothing was sent'));
        over();
      },
    );
  };
  return (send) =>
    new Promise((sent, failed) => {
      waiting.push({ send, sent, failed });
      next();
    });
}

export function leaseLink(wire: Wire, twin: LeaseStore, { who, say }: Voice): LeaseStore {
  const timeout = (ttlMs: number) => Math.min(200, ttlMs / 4);
  const ask = <T>(verb: 'acquire' | 'renew' | 'release', leases: readonly Lease[], timeoutMs: number, work: () => Promise<T>, none: T) => {
    const sentMs = wire.kernel.nowMs;
    let isReleased = false;
    const done = () => {
      isReleased = verb === 'release';
    };
    const unanswered = () => {
      const tookMs = wire.kernel.nowMs - sentMs;
      if (!isReleased) for (const { address } of leases) say({ kind: 'unanswered', who, wire: 'leases', call: verb, address, tookMs });
      return none;
    };
    return carry(wire, { name: verb, work, timeoutMs, done, unanswered }).then((answer) => {
      leases.forEach(({ address, holder }, n) => {
        const its = Array.isArray(answer) ? answer[n] : (answer ?? 'released');
        say({ kind: 'leased', who, address, holder, verb, answer: String(its), sentMs });
      });
      return answer;
    });
  };
  return {
    start: () => twin.start(),
    stop: () => twin.stop(),
    acquire: (lease, ttlMs) =>
      ask<'granted' | 'held' | 'no-quorum'>('acquire', [lease], timeout(ttlMs), () => twin.acquire(lease, ttlMs), 'no-quorum'),
    renew: (leases, ttlMs) => {
      const none = leases.map(() => 'no-quorum' as const);
      return ask('renew', leases, timeout(ttlMs), () => twin.renew(leases, ttlMs), none as Awaited<ReturnType<LeaseStore['renew']>>);
    },
    release: (leases) => ask('release', leases, 200, () => twin.release(leases), undefined),
  };
}

export function registryLink(wire: Wire, twin: Registry): Registry {
  const ask = <T>(name: string, work: () => Promise<T>) =>
    carry(wire, {
      name,
      work,
      timeoutMs: REGISTRY_MS,
      unanswered() {
        throw new LocusError('STORE_DOWN', 'the registry did not answer');
      },
    });
  return {
    start: () => ask('registry.start', () => twin.start()),
    stop: () => twin.stop(),
    register: (replicaId, url) => ask('register', () => twin.register(replicaId, url)),
    beat: (said) => ask('beat', () => twin.beat(said)),
    remove: (replicaId, life) => ask('remove', () => twin.remove(replicaId, life)),
    highestLife: (replicaId) => ask('highestLife', () => twin.highestLife(replicaId)),
    list: () => ask('list', () => twin.list()),
  };
}

/** Hints are lost more easily than anything else: nobody may count on them. */
export function noticesLink(wire: Wire, twin: Notices, lost: () => number): Notices {
  const { kernel, process, chance } = wire;
  return {
    start: () => twin.start(),
    stop: () => twin.stop(),
    send(channel, text) {
      if (process.state === 'running' && !chance.odds(lost())) twin.send(channel, text);
    },
    listen: (channel, heard) => twin.listen(channel, (text) => void kernel.after(process, latency(wire), 'hint', () => heard(text))),
    onGap: (missed) => twin.onGap(() => void kernel.after(process, latency(wire), 'hints missed', missed)),
  };
}

/** The log's twin speaks to its reader in events of the replica, and sends offsets in its own time: here they are only pointed out. */
export function commandLogLink({ process, passes }: Wire, twin: CommandLog): CommandLog {
  const isDead = () => process.state === 'dead';
  return {
    start: (reader) => twin.start(reader),
    hold: () => twin.hold(),
    resume: (at) => twin.resume(at),
    again: (at) => twin.again(at),
    stop: () => (isDead() ? new Promise(() => {}) : twin.stop()),
    partitions: twin.partitions,
    async commit(offsets) {
      if (isDead()) return new Promise(() => {});
      const sent = twin.commit(offsets);
      passes(process, 'offsets:sent');
      await sent;
      passes(process, 'offsets:answered');
    },
  };
}
