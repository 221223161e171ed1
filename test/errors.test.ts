/** What is told of an error that somebody else threw. */
import { expect, test } from 'vitest';
import { why } from '../src/errors.ts';

test('an error is told with its causes, and one of several that says nothing itself with each of them', () => {
  expect(why(new Error('no answer', { cause: new Error('reset') }))).toBe('no answer: reset');
  expect(why(new Error('no answer: reset', { cause: new Error('reset') }))).toBe('no answer: reset');
  const refused = ['::1', '127.0.0.1'].map((host) => new Error(`connect ECONNREFUSED ${host}:1`));
  expect(why(new AggregateError(refused))).toBe('connect ECONNREFUSED ::1:1; connect ECONNREFUSED 127.0.0.1:1');
});
