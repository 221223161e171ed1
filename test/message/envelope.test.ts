import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventFrame, eventText } from '../../src/message/envelope.ts';

const text = fc.string({ unit: 'binary' });

test('an event is CloudEvents JSON with every value as it was given, whatever letters it holds', () => {
  fc.assert(
    fc.property(
      text,
      text,
      text,
      fc.option(text),
      fc.option(text),
      fc.jsonValue(),
      (name, commandId, source, traceparent, reply, value) => {
        const frame = eventFrame({ address: 'till/T-1.a_b', actor: 'till', version: 1, epoch: 2 ** 40, source });
        const cause = { commandId, traceparent: traceparent ?? undefined };
        const time = '2026-01-01T00:00:00.000Z';
        const tail = reply === null ? undefined : { reply, input: 'h'.repeat(43) };
        const event = JSON.parse(eventText(frame, cause, time, 7, name, JSON.stringify({ value }), tail));
        expect(event).toEqual({
          specversion: '1.0',
          id: 'till/T-1.a_b:7',
          type: `till.${name}`,
          source,
          subject: 'till/T-1.a_b',
          time,
          datacontenttype: 'application/json',
          locusepoch: 2 ** 40,
          locusseq: 7,
          locuscommand: commandId,
          ...(traceparent !== null && { traceparent }),
          ...(reply !== null && { locusreply: reply, locusinput: 'h'.repeat(43) }),
          data: JSON.parse(JSON.stringify({ value })),
        });
      },
    ),
  );
});
