/** Commands of one location and lane are decided in the order in which the log has them. */
import { type MakeChecker, Violation } from '../happening.ts';
import { commandFact } from './facts.ts';

const NAME = 'order';
/** The runtime's own ids come from elsewhere; a timer's record may be sent several times. */
const isOwn = (commandId: string) => commandId.startsWith('~');

export const orderIsKept: MakeChecker = ({ topics }) => {
  /** Where each commandId stood first, of those that stand where their key belongs. */
  const places = new Map<string, { readonly topic: string; readonly partition: number; readonly offset: number }>();
  const decided = new Map<string, { readonly offset: number; readonly commandId: string }>();
  const began = new Set<string>();
  return {
    name: NAME,
    hear(it) {
      if (it.kind === 'produced' && (it.record.topic === topics.commands || it.record.topic === topics.bulk)) {
        const command = commandFact(it.record);
        if (command === undefined || isOwn(command.commandId)) return;
        const name = command.key;
        const { topic, partition, offset } = it.record;
        // A repeat in another lane, or put where it does not belong, may come by either way: its order is nobody's promise.
        const first = places.get(name);
        const elsewhere = first !== undefined && (first.topic !== topic || first.partition !== partition);
        if (first === undefined) places.set(name, { topic, partition, offset });
        else if (elsewhere) places.set(name, { ...first, offset: -1 });
      }
      if (it.kind !== 'committed') return;
      const { address } = it.claim;
      for (const { commandId, hash, status } of it.change.entries) {
        if (status === 'inboxed') continue;
        const name = `${address} ${commandId} ${hash}`;
        const place = places.get(name);
        if (place === undefined || place.offset < 0 || began.has(name)) continue;
        began.add(name);
        const lane = `${address} ${place.topic}/${place.partition}`;
        const before = decided.get(lane);
        if (before !== undefined && before.offset > place.offset)
          throw new Violation(
            NAME,
            `${address}: ${commandId} at ${place.topic}/${place.partition}/${place.offset} was decided after ${before.commandId} at ${before.offset}`,
          );
        decided.set(lane, { offset: place.offset, commandId });
      }
    },
  };
};
