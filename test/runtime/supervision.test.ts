import { expect, it } from 'vitest';
import { backOffMs, remedy } from '../../src/runtime/supervision.ts';

it('waits a second, then twice as long each time, never more than thirty', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 40].map(backOffMs)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

it('tries again until the attempts are used up, then parks', () => {
  expect([1, 2, 3].map((attempt) => remedy(attempt, 3))).toEqual([
    { kind: 'again', inMs: 1_000 },
    { kind: 'again', inMs: 2_000 },
    { kind: 'park' },
  ]);
});
