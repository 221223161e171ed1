import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Applied, Bounds } from '../../src/ports.ts';
import { OffsetTracker, type Slot, startPosition } from '../../src/runtime/offset-tracker.ts';

describe('the offset tracker', () => {
  it('commits up to the first offset that is not closed, in whatever order they close', () => {
    const tracker = new OffsetTracker(10);
    const [a, b, c] = [10, 12, 15].map((offset) => tracker.open(offset, 0));
    expect(tracker.watermark).toBe(10);
    tracker.close(c as Slot);
    tracker.close(b as Slot);
    expect(tracker.watermark).toBe(10);
    tracker.close(a as Slot);
    expect(tracker.watermark).toBe(16);
    expect(tracker.openCount).toBe(0);
  });

  it('is not touched by a repeat', () => {
    const tracker = new OffsetTracker(0);
    tracker.open(0, 100);
    tracker.open(1, 100);
    expect(tracker.open(0, 900)).toBeUndefined();
    expect(tracker.open(1, 900)).toBeUndefined();
    expect({ watermark: tracker.watermark, open: tracker.openCount, highest: tracker.highest, newestMs: tracker.newestMs }).toEqual({
      watermark: 0,
      open: 2,
      highest: 1,
      newestMs: 100,
    });
  });

  it('covers with one slot a run of offsets that stands for one thing', () => {
    const tracker = new OffsetTracker(0);
    const slot = tracker.open(3, 0, 7);
    expect(tracker.watermark).toBe(3);
    expect(tracker.open(7, 0)).toBeUndefined();
    tracker.close(slot as Slot);
    expect(tracker.watermark).toBe(8);
  });

  it('refuses to close an offset twice and takes back only the latest opening', () => {
    const tracker = new OffsetTracker(0);
    const first = tracker.open(0, 0) as Slot;
    const second = tracker.open(1, 0) as Slot;
    expect(() => tracker.unopen(first, -1)).toThrow('was not the last opened');
    tracker.unopen(second, 0);
    expect(tracker.open(1, 0)).toBeDefined();
    tracker.close(first);
    expect(() => tracker.close(first)).toThrow('closed twice');
  });

  it('never lets the watermark pass an open offset, nor stand below what is closed', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('open' as const), gap: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ kind: fc.constant('repeat' as const), back: fc.nat(20) }),
      fc.record({ kind: fc.constant('close' as const), which: fc.nat(50) }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 50 }), fc.array(step, { maxLength: 200 }), (start, steps) => {
        const tracker = new OffsetTracker(start);
        let highest = start - 1;
        let open: Slot[] = [];
        for (const it of steps) {
          const before = tracker.watermark;
          if (it.kind === 'open') {
            highest += it.gap;
            open.push(tracker.open(highest, 0) as Slot);
          } else if (it.kind === 'repeat') expect(tracker.open(highest - it.back, 0)).toBeUndefined();
          else if (open.length > 0) {
            const slot = open[it.which % open.length] as Slot;
            tracker.close(slot);
            open = open.filter((other) => other !== slot);
          }
          const expected = open.length === 0 ? highest + 1 : Math.min(...open.map(({ offset }) => offset));
          expect(tracker.watermark).toBe(expected);
          if (it.kind === 'repeat') expect(tracker.watermark).toBe(before);
        }
      }),
    );
  });

  it('forgets closed offsets in lots without moving the watermark', () => {
    const tracker = new OffsetTracker(0);
    const slots = Array.from({ length: 5_000 }, (_, offset) => tracker.open(offset, 0) as Slot);
    for (const slot of slots.slice(0, 4_000)) tracker.close(slot);
    expect([tracker.watermark, tracker.openCount]).toEqual([4_000, 1_000]);
    for (const slot of slots.slice(4_000)) tracker.close(slot);
    expect([tracker.watermark, tracker.openCount]).toEqual([5_000, 0]);
  });
});

describe('where a partition begins', () => {
  const bounds = (committed: number | undefined, low = 0, high = 100): Bounds => ({ committed, low, high, fresh: false });
  const applied = (offset: number, life = 'now'): Applied => ({ offset, life, generation: '1:x', newestMs: 0 });
  it.each([
    ['at the committed offset', bounds(40), applied(40), { offset: 40 }],
    ['at the committed offset, though more was applied', bounds(40), applied(45), { offset: 40 }],
    ['where it was applied, when no offset is committed', bounds(undefined), applied(45), { offset: 45 }],
    ['where it was applied, when the committed offset was lost', bounds(-1), applied(45), { offset: 45 }],
    ['at the earliest record, when nothing is known', bounds(undefined, 7), undefined, { offset: 7 }],
    ['where it was applied, when offsets were moved forward from outside', bounds(60), applied(45), { offset: 45, moved: true }],
    ['at an empty log that ends where it was applied', bounds(100, 100), applied(100), { offset: 100 }],
  ])('%s', (_name, at, known, begin) => {
    expect(startPosition(at, known, 'now')).toEqual(begin);
  });
  it.each([
    ['CANARY', 'the store has no trace of a partition with committed offsets', bounds(40), undefined],
    ['CANARY', 'the store has no trace and the committed offset is lost', bounds(-1), undefined],
    ['CANARY', 'the store was restarted and lost what it had applied', bounds(60), applied(45, 'before')],
    ['COMMANDS_EXPIRED', 'the log begins above what is to come next', bounds(40, 50), applied(40)],
    ['COMMANDS_RECREATED', 'the log ends below what was applied', bounds(40, 0, 42), applied(45)],
    ['COMMANDS_RECREATED', 'the log ends below what was committed', bounds(40, 0, 12), applied(40)],
  ])('is refused with %s when %s', (code, _name, at, known) => {
    expect(startPosition(at, known, 'now')).toMatchObject({ refused: code });
  });
});
