import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { given } from '../kit/given.ts';
import { Counter } from './counter.ts';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');

describe('the counter of the README', () => {
  it('stands there as it runs here', () => {
    const [, source] = /^\/\*\*.*\n([\s\S]*)$/.exec(read('./counter.ts')) ?? [];
    expect(read('../../README.md')).toContain(source);
  });

  it('counts up to its limit and refuses what would pass it', () => {
    given(Counter)
      .when('count', { by: 8 })
      .gives({ events: [{ type: 'Counted', by: 8 }], reply: { count: 8 } });
    given(Counter, [{ type: 'Counted', by: 8 }])
      .when('count', { by: 3 })
      .gives({ refused: 'FULL', detail: { left: 2 } });
  });
});
