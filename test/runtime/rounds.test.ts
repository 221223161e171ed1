/** Steps of many locations, begun round by round. */
import { expect, it } from 'vitest';
import { Rounds } from '../../src/runtime/rounds.ts';
import { TestClock } from './test-clock.ts';

/** A clock whose rounds come when the test says so. */
class Stepwise extends TestClock {
  readonly queued: (() => void)[] = [];
  override soon(wake: () => void): void {
    this.queued.push(wake);
  }
  round(): void {
    for (const wake of this.queued.splice(0)) wake();
  }
}

it('begins a few at once and the others in their order, a round at a time', () => {
  const clock = new Stepwise();
  const rounds = new Rounds(clock);
  const begun: number[] = [];
  for (let n = 0; n < 70; n++) rounds.begin(() => begun.push(n));
  expect(begun.length).toBe(32);
  clock.round();
  expect(begun.length).toBe(64);
  // Whoever comes later stands behind those that wait.
  for (let n = 70; n < 100; n++) rounds.begin(() => begun.push(n));
  expect(begun.length).toBe(64);
  clock.round();
  expect(begun.length).toBe(96);
  clock.round();
  expect(begun).toEqual(Array.from({ length: 100 }, (_, n) => n));
  clock.round();
  expect(clock.queued).toEqual([]);
});

it('begins at once what comes when nothing waits', () => {
  const clock = new Stepwise();
  const rounds = new Rounds(clock);
  const begun: string[] = [];
  rounds.begin(() => begun.push('a'));
  clock.round();
  rounds.begin(() => begun.push('b'));
  expect(begun).toEqual(['a', 'b']);
});
