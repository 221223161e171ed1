/** I14: no limit is exceeded: of inboxes, of timers, and of the time by which a person wants to be served. */
import { type MakeChecker, Violation } from '../happening.ts';
import { commandFact, eventFacts } from './facts.ts';

const NAME = 'I14';
const TIMERS_MAX = 256;

export const limitsHold: MakeChecker = ({ disk, limits, topics }) => {
  const deadlines = new Map<string, number>();
  return {
    name: NAME,
    hear(it) {
      if (it.kind === 'produced' && (it.record.topic === topics.commands || it.record.topic === topics.bulk)) {
        const command = commandFact(it.record);
        if (command === undefined) return;
        // Sent again it may be served by the later of its deadlines; one copy without any is enough.
        deadlines.set(command.key, Math.max(command.deadlineMs ?? Number.POSITIVE_INFINITY, deadlines.get(command.key) ?? 0));
      }
      if (it.kind === 'appended') {
        const { lane } = it.item;
        const waiting = disk.locations.get(it.address)?.inbox[lane].size ?? 0;
        if (waiting > limits.inboxMax)
          throw new Violation(NAME, `${it.address} has ${waiting} commands in its inbox of ${lane}: at most ${limits.inboxMax}`);
      }
      if (it.kind !== 'committed') return;
      const { intent, timers } = it.change.header;
      if (timers) {
        const armed = Object.keys(JSON.parse(timers) as object).length;
        if (armed > TIMERS_MAX) throw new Violation(NAME, `${it.claim.address} has ${armed} timers: at most ${TIMERS_MAX}`);
      }
      for (const { commandId, hash, status } of intent ? it.change.entries : []) {
        const deadlineMs = status === 'open' ? deadlines.get(`${it.claim.address} ${commandId} ${hash}`) : undefined;
        const begun = eventFacts(it.change.events).find((event) => event.commandId === commandId && event.type.endsWith('Intended'));
        if (deadlineMs !== undefined && begun !== undefined && begun.timeMs > deadlineMs)
          throw new Violation(NAME, `${it.claim.address} ${commandId} was begun ${begun.timeMs - deadlineMs} ms after its deadline`);
      }
    },
  };
};
