/** I16: without faults every location with work is owned within TTL + session + 1 s, and the wait of a newcomer. Looked at once, so long after the calm began. */
import { type MakeChecker, type Outside, Violation, type Who, type WorldLimits } from '../happening.ts';
import { Coverage } from './coverage.ts';
import { commandFact, isFinal } from './facts.ts';

const NAME = 'I16';

export const workIsOwned: MakeChecker = (outside) => {
  const { limits, now } = outside;
  const coverage = Coverage.of(outside);
  const owners = new Map<string, Who>();
  const gone = new Set<Who>();
  const full = new Set<Who>();
  let dueMs = Number.POSITIVE_INFINITY;
  /** What waits since before the calm; undefined: it was looked at already. */
  let waiting: Set<string> | undefined;
  const look = () => {
    for (const address of waiting ?? []) {
      const owner = owners.get(address);
      if (owner !== undefined && !gone.has(owner)) continue;
      throw new Violation(
        NAME,
        `${address} has work and ${owner === undefined ? 'no owner' : `the owner ${owner}, who is gone,`} ${bound(limits)} ms after faults ended`,
      );
    }
    waiting = undefined;
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
        dueMs = now() + bound(limits);
      }
      if (waiting === undefined || now() < dueMs) return;
      // Behind a location whose inbox is full its whole partition waits: the one exception.
      if (full.size === 0 && !isPaused(outside)) look();
      waiting = undefined;
    },
  };
};

/** Whoever is new in the group waits until those that fell silent have been silent for a session and 2 s more, before it joins. */
const bound = ({ leaseTtlMs, sessionMs }: WorldLimits): number => leaseTtlMs + 2 * sessionMs + 3_000;

const isPaused = ({ disk, limits }: Outside): boolean =>
  [...disk.locations.values()].some(({ inbox }) => Math.max(inbox.customer.size, inbox.bulk.size) >= limits.inboxMax);

/** Locations with commands that have no outcome yet. */
function unfinished(coverage: Coverage): Set<string> {
  const found = new Set<string>();
  for (const shelf of coverage.records.values())
    for (const record of shelf) {
      const command = record && commandFact(record);
      if (record === undefined || command === undefined || coverage.isDead(record) || coverage.wasProducedAgain(record)) continue;
      const told = coverage.told(record);
      if (told === undefined || !isFinal(told.status)) found.add(command.address);
    }
  return found;
}
