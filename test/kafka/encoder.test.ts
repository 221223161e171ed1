/** The quicker encoder writes what kafkajs's own writes, byte for byte. */
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type EncoderClass, quicken } from '../../infra/kafka/encoder.ts';

type Written = EncoderClass & (new (size?: number) => EncoderClass['prototype'] & { readonly buffer: Buffer });
type Produce = (it: object) => { encode(): Promise<{ readonly buffer: Buffer }> };
const require = createRequire(import.meta.url);

/** kafkajs anew, as if nobody had loaded it. */
function fresh(): { readonly Encoder: Written; readonly produce: Produce } {
  for (const name of Object.keys(require.cache)) if (name.includes('/kafkajs/')) delete require.cache[name];
  return {
    Encoder: require('kafkajs/src/protocol/encoder.js'),
    produce: require('kafkajs/src/protocol/requests/produce/v3/request.js'),
  };
}
function both() {
  const plain = fresh();
  const quick = fresh();
  quicken(quick.Encoder);
  return { plain, quick };
}
const { plain, quick } = both();

const integer = fc.oneof(fc.integer(), fc.integer({ min: -70_000, max: 70_000 }), fc.constantFrom(0, -1, 2 ** 30, -(2 ** 30), 2 ** 31 - 1));
const long = fc.oneof(integer, fc.maxSafeInteger(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String));

test('numbers of variable length are written and measured as before', () => {
  expect(quick.Encoder.prototype.writeUVarInt).not.toBe(plain.Encoder.prototype.writeUVarInt);
  fc.assert(
    fc.property(integer, long, (int, wide) => {
      const bytes = ({ Encoder }: typeof plain) =>
        new Encoder()
          .writeVarInt(int)
          .writeVarLong(wide)
          .writeUVarInt(Math.abs(int) | 0);
      expect((bytes(quick) as unknown as { buffer: Buffer }).buffer).toEqual((bytes(plain) as unknown as { buffer: Buffer }).buffer);
      expect(quick.Encoder.sizeOfVarLong(wide)).toBe(plain.Encoder.sizeOfVarLong(wide));
    }),
  );
});

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ minLength: 500, maxLength: 3_000 }));
const message = fc.record({
  key: fc.option(text),
  value: fc.option(fc.oneof(text, fc.uint8Array({ maxLength: 2_000 }).map(Buffer.from))),
  headers: fc.dictionary(fc.string({ maxLength: 20 }), text),
  timestamp: fc.constant('1700000000000'),
});
const partitions = fc.array(
  fc.record({
    partition: fc.nat({ max: 100 }),
    firstSequence: fc.nat({ max: 2 ** 31 - 1 }),
    messages: fc.array(message, { minLength: 1, maxLength: 6 }),
  }),
  { maxLength: 4 },
);

test('a produce request is the same', async () => {
  await fc.assert(
    fc.asyncProperty(partitions, async (it) => {
      const request = { acks: -1, timeout: 30_000, producerId: 7, producerEpoch: 1, topicData: [{ topic: 'events', partitions: it }] };
      const bytes = async ({ produce }: typeof plain) => (await produce(request).encode()).buffer;
      expect(await bytes(quick)).toEqual(await bytes(plain));
    }),
  );
});
