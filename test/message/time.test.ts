/** Which texts are times. */
import { expect, test } from 'vitest';
import { parseTime } from '../../src/message/time.ts';

test.each([
  ['1970-01-01T00:00:00Z', 0],
  ['1970-01-01t00:00:00.250z', 250],
  ['1970-01-01T02:00:00+02:00', 0],
  ['2024-02-29T00:00:00Z', 1_709_164_800_000],
  ['1970-01-01T00:00:00.123456789Z', 123],
])('%s is a time', (text, ms) => expect(parseTime(text)).toBe(ms));

test.each(['', '2024', '2024-01-01', '2024-01-01T00:00:00', '2023-02-29T00:00:00Z', '2024-13-01T00:00:00Z', '2024-01-01T25:00:00Z', 'now'])(
  '%j is not a time',
  (text) => expect(parseTime(text)).toBeUndefined(),
);
