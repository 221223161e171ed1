/** I8: every offset below a committed one has a durable outcome, an intent, waits in an inbox or parked, or is a dead letter or was produced again. */
import { type MakeChecker, Violation } from '../happening.ts';
import { Coverage } from './coverage.ts';
import { commandFact, placeOf } from './facts.ts';

const NAME = 'I8';

export const offsetsAreFinal: MakeChecker = (outside) => {
  const coverage = Coverage.of(outside);
  const looked = new Map<string, number>();
  return {
    name: NAME,
    hear(it) {
      coverage.hear(it);
      if (it.kind !== 'offset-committed') return;
      const name = `${it.at.topic}/${it.at.partition}`;
      const shelf = coverage.at(it.at);
      const from = looked.get(name) ?? 0;
      for (let offset = from; offset < it.offset; offset++) {
        const record = shelf[offset];
        if (record === undefined || coverage.isFinal(record)) continue;
        const command = commandFact(record);
        const what =
          command === undefined
            ? 'no command, and no dead letter'
            : `${command.name} ${command.commandId} of ${command.address}, which is nowhere`;
        throw new Violation(NAME, `${it.who} committed ${name} up to ${it.offset}: ${placeOf(record)} holds ${what}`);
      }
      looked.set(name, Math.max(from, it.offset));
    },
  };
};
