import canonicalizeModule from 'canonicalize';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalOf } from '../../src/message/canonical.ts';

const canonicalize = canonicalizeModule as unknown as (value: unknown) => string;

it('is what the library makes of it, for any JSON', () => {
  fc.assert(
    fc.property(fc.string(), fc.jsonValue(), (type, input) => {
      expect(canonicalOf(type, input)).toBe(canonicalize({ input, type }));
    }),
  );
});

it('is what the library makes of it, for names in any order and values of one level', () => {
  const name = fc.oneof(fc.string({ unit: 'binary', maxLength: 3 }), fc.integer({ min: 0, max: 20_000 }).map(String));
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 20 }), (parts) => {
      // As JSON.parse makes it: `__proto__` is a name like others.
      const input = JSON.parse(JSON.stringify(Object.fromEntries(parts)));
      expect(canonicalOf('till.add', input)).toBe(canonicalize({ input, type: 'till.add' }));
    }),
    { numRuns: 2_000 },
  );
});

it('leaves to the library what is no JSON', () => {
  for (const input of [undefined, { a: undefined }, { a: 1n }, [1], 'text', { a: { b: 1 } }]) {
    let expected: string | undefined;
    try {
      expected = canonicalize({ input, type: 't.a' });
    } catch {
      expect(() => canonicalOf('t.a', input)).toThrow();
      continue;
    }
    expect(canonicalOf('t.a', input)).toBe(expected);
  }
});
