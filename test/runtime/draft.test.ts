import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bind } from '../../src/actor.ts';
import { eventFrame } from '../../src/message/envelope.ts';
import { definitions, type EventData } from '../../src/runtime/definition.ts';
import { Draft } from '../../src/runtime/draft.ts';
import { Till } from './till.ts';

const unknown = async () => ({ status: 'unknown' as const });
const [definition] = [...definitions([bind(Till, { pay: { run: () => Promise.reject(new Error('not here')), probe: unknown } })]).values()];
const cause = { commandId: 'c-1', name: 'add', hash: 'h'.repeat(43), appendedMs: 0 };

/** The events that a draft makes of these. */
function booked(events: readonly EventData[], outcome?: string) {
  if (definition === undefined) throw new Error('no till');
  const still = { ...definition, evolve: (state: unknown) => state };
  const [address, epoch, source] = ['till/T1', 7, '/locus/test'];
  const frame = eventFrame({ address, actor: 'till', version: 1, epoch, source });
  const draft = new Draft({ definition: still, address, id: 'T1', epoch, source, frame }, { state: {}, version: 1, seq: 0, timers: {} }, 0);
  draft.book(cause, events, outcome);
  return draft.events.map(({ text }) => JSON.parse(text));
}

it('an event has all that its author gave it but its type, wherever that stands', () => {
  const name = fc.oneof(fc.string(), fc.constantFrom('type', 'typed', '"'));
  fc.assert(
    fc.property(fc.string(), fc.array(fc.tuple(name, fc.jsonValue())), fc.nat(3), (given, parts, place) => {
      const type = `X${given}`;
      const data = Object.fromEntries(JSON.parse(JSON.stringify(parts)) as [string, unknown][]);
      const event = Object.fromEntries([...parts.slice(0, place), ['type', type], ...parts.slice(place).filter(([it]) => it !== 'type')]);
      const { type: _, ...rest } = { ...data, type };
      const [made] = booked([{ ...event, type }]);
      expect([made.type, made.data]).toEqual([`till.${type}`, rest]);
    }),
  );
});

it('the outcome stands on the last event of a turn', () => {
  const made = booked([{ type: 'A' }, { type: 'B' }], '{"status":"done"}');
  expect(made.map((it) => [it.locusseq, it.data, it.locusreply])).toEqual([
    [1, {}, undefined],
    [2, {}, '{"status":"done"}'],
  ]);
});
