/** I10: once faults have stopped, every accepted command has exactly one outcome. */
import type { LogRecord } from '../../../src/ports.ts';
import { type MakeChecker, Violation } from '../happening.ts';
import { Coverage } from './coverage.ts';
import { commandFact, isFinal, placeOf } from './facts.ts';

const NAME = 'I10';

export const everyCommandEnds: MakeChecker = (outside) => {
  const coverage = Coverage.of(outside);
  const mustEnd = (record: LogRecord) => {
    const told = coverage.told(record);
    // First what is so of nearly all of them.
    if ((told !== undefined && isFinal(told.status)) || coverage.isDead(record) || coverage.wasProducedAgain(record)) return;
    const command = commandFact(record);
    if (command === undefined) throw new Violation(NAME, `${placeOf(record)} is no command, and has no dead letter`);
    throw new Violation(
      NAME,
      `${placeOf(record)}, ${command.name} ${command.commandId} of ${command.address}, is ${told?.status ?? 'nowhere'} at the end`,
    );
  };
  return {
    name: NAME,
    hear: (it) => coverage.hear(it),
    end() {
      for (const shelf of coverage.records.values()) for (const record of shelf) if (record !== undefined) mustEnd(record);
      for (const [address, id, { status }] of coverage.entries.all())
        if (!isFinal(status)) throw new Violation(NAME, `${address} ${id} is ${status} at the end`);
    },
  };
};
