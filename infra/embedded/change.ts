/** What a caller of the embedded store must have promised about a change: the same as in infra/redis. */
import { CHANGE_MAX, type Change, type Entry } from '../../src/ports.ts';

export function assertHash({ hash }: Entry): void {
  if (hash.length !== 43) throw new RangeError(`the hash of an entry has ${hash.length} characters: it is SHA-256 in base64url, 43`);
}

export function assertChange(change: Change): void {
  const size = change.unrecorded.length + change.events.length + change.entries.length + change.records.length;
  if (size > CHANGE_MAX) throw new RangeError(`a change of ${size} ids, events and records: at most ${CHANGE_MAX}, split it`);
  change.entries.forEach(assertHash);
  change.events.forEach((event, i) => {
    if (event.seq !== change.seq + i + 1) throw new RangeError(`event ${i} of a change at seq ${change.seq} has seq ${event.seq}`);
  });
  if (new Set(change.entries.map((it) => it.commandId)).size !== change.entries.length) throw new RangeError('a commandId stands twice');
}
