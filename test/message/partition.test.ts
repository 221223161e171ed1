/** Keys land where every Kafka client that follows Java puts them. */
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { murmur2, partitionOf } from '../../src/message/partition.ts';

// The vectors of Kafka's own UtilsTest.testMurmur2.
test.each([
  ['21', -973_932_308],
  ['foobar', -790_332_482],
  ['a-little-bit-long-string', -985_981_536],
  ['a-little-bit-longer-string', -1_486_304_829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
  ['abc', 479_470_107],
])('murmur2 of %s is what Java says', (key, hash) => expect(murmur2(Buffer.from(key))).toBe(hash));

test('murmur2 agrees with the one in kafkajs on any bytes', () => {
  const theirs = createRequire(import.meta.url)('kafkajs/src/producer/partitioners/default/murmur2.js') as (key: Buffer) => number;
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (key) => murmur2(key) === theirs(Buffer.from(key))));
});

test('a partition is within the count and the same each time', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.integer({ min: 1, max: 500 }), (key, count) => {
      const partition = partitionOf(key, count);
      expect(partition).toBe(partitionOf(key, count));
      expect(Number.isInteger(partition) && partition >= 0 && partition < count).toBe(true);
    }),
  );
});
