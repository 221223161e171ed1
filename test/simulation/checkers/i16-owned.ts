/** I16: without faults every location with work is owned within TTL + session + 1 s. Looked at once, so long after the calm began, when all newcomers have joined. */
import type { LogRecord } from '../../../src/ports.ts';
import { type MakeChecker, type Outside, Violation, type Who, type WorldLimits } from '../happening.ts';
import { Coverage } from './coverage.ts';
import { commandFact, isFinal } from './facts.ts';

const NAME = 'I16';

export const workIsOwned: MakeChecker = (outside) => {
  const { limits, now, leasesLie } = outside;
  if (leasesLie) return { name: NAME };
  const coverage = Coverage.of(outside);
  const owners = new Map<string, Who>();
  const gone = new Set<Who>();
  const full = new Set<Who>();
  let dueMs = Number.POSITIVE_INFINITY;
  /** What waits since before the calm; undefined: it was looked at already. */
  let waiting: readonly Waiting[] | undefined;
  const look = (all: readonly Waiting[]) => {
    // What has become a dead letter since, or was produced again where its key belongs, was no work of its location.
    const left = all.filter(({ record }) => !coverage.isDead(record) && !coverage.wasProducedAgain(record));
    // Behind a location whose inbox is full its whole partition waits: the one exception.
    const paused = new Set(left.filter(({ address }) => isFull(outside, address)).map(({ record }) => record.partition));
    for (const { address, record } of left) {
      const owner = owners.get(address);
      if ((owner !== undefined && !gone.has(owner)) || paused.has(record.partition)) continue;
      throw new Violation(
        NAME,
        `${address} has work and ${owner === undefined ? 'no owner' : `the owner ${owner}, who is gone,`} ${bound(limits)} ms after faults ended`,
      );
    }
  };
  return {
    name: NAME,
    hear(it) {
      coverage.hear(it);
      if (it.kind === 'claimed') owners.set(it.claim.address, it.who);
      if (it.kind === 'killed' || it.kind === 'drained') gone.add(it.who);
      // Whoever has no room for more locations takes them one after the other.
      if (it.kind === 'sized' && it.residents >= limits.residentMax) full.add(it.who);
      if (it.kind === 'calm') {
        waiting = unfinished(coverage);
        full.clear();
        dueMs = now() + bound(limits);
      }
      // What a dead one once sent took effect late: that was the last of the faults, and the living one claims again when it learns of it.
      if (it.kind === 'claimed' && gone.has(it.who)) dueMs = Math.max(dueMs, now() + bound(limits));
      if (waiting === undefined || now() < dueMs) return;
      if (full.size === 0) look(waiting);
      waiting = undefined;
    },
  };
};

const bound = ({ leaseTtlMs, sessionMs }: WorldLimits): number => leaseTtlMs + sessionMs + 1_000;

function isFull({ disk, limits }: Outside, address: string): boolean {
  const inbox = disk.locations.get(address)?.inbox;
  return inbox !== undefined && Math.max(inbox.customer.size, inbox.bulk.size) >= limits.inboxMax;
}

type Waiting = { readonly address: string; readonly record: LogRecord };
/** Commands that have no outcome yet, by their locations. */
function unfinished(coverage: Coverage): readonly Waiting[] {
  const found: Waiting[] = [];
  for (const shelf of coverage.records.values())
    for (const record of shelf) {
      const command = record && commandFact(record);
      if (record === undefined || command === undefined) continue;
      const told = coverage.told(record);
      // First what is so of nearly all of them.
      if ((told !== undefined && isFinal(told.status)) || coverage.isDead(record) || coverage.wasProducedAgain(record)) continue;
      found.push({ address: command.address, record });
    }
  return found;
}
