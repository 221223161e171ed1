/** Inputs from an actor's own JSON Schemas: ones that fit, and ones with something broken in them. */
import fc from 'fast-check';
import type { JsonSchema } from '../../src/desk.ts';

/** What makes many commands succeed; schemas alone would make amounts that no cassette holds. */
const likely: Readonly<Record<string, readonly unknown[]>> = {
  currency: ['USD', 'EUR'],
  denomination: [500, 1_000, 2_000, 5_000],
  count: [0, 10, 200, 1_000],
  amount: [500, 2_000, 3_500, 6_000],
};

/** How often each command is sent; others twice. Locations that are closed or empty would refuse all the rest. */
const often: Readonly<Record<string, number>> = { load: 4, dispense: 12, open: 6, close: 1, count: 1 };
export const command = <T extends { readonly name: string }>(commands: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof(...commands.map((it) => ({ arbitrary: fc.constant(it), weight: often[it.name] ?? 2 })));

/** Absent but for one in so many. */
export const rarely = <T>(it: fc.Arbitrary<T>, oneIn: number): fc.Arbitrary<T | undefined> =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: oneIn - 1 }, { arbitrary: it, weight: 1 });

type Shape = {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
};

export const fitting = (schema: JsonSchema): fc.Arbitrary<unknown> => inputOf(schema as Shape, '');

function inputOf(shape: Shape, name: string): fc.Arbitrary<unknown> {
  const hints = likely[name];
  const any = anyOf(shape);
  return hints === undefined ? any : fc.oneof({ arbitrary: fc.constantFrom(...hints), weight: 12 }, { arbitrary: any, weight: 1 });
}

function anyOf(shape: Shape): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], items = {}, minItems = 0, maxItems = 3, minLength = 0, maxLength = 8, pattern } = shape;
  const { minimum = Number.MIN_SAFE_INTEGER, exclusiveMinimum = minimum - 1, maximum = Number.MAX_SAFE_INTEGER } = shape;
  switch (shape.type) {
    case 'object': {
      const fields = Object.entries(properties).map(([key, value]) => [key, inputOf(value, key)]);
      return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: [...required] });
    }
    case 'array':
      return fc.array(inputOf(items, ''), { minLength: minItems, maxLength: Math.min(maxItems, 3) });
    case 'integer':
      return fc.integer({ min: Math.max(minimum, exclusiveMinimum + 1), max: maximum });
    case 'boolean':
      return fc.boolean();
    case 'string':
      return pattern === undefined ? fc.string({ minLength, maxLength: Math.min(maxLength, 8) }) : fc.stringMatching(new RegExp(pattern));
    default:
      throw new Error(`no generator for the schema ${JSON.stringify(shape)}`);
  }
}

const odd = fc.oneof(
  fc.constantFrom<unknown>(null, true, '', -1, 0, 1.5, 2 ** 53, 1e308, [], {}, 'USD', '\u0000', '\ud800', [[[]]], { a: { a: {} } }),
  fc.jsonValue({ maxDepth: 3 }),
);

/** One place of it dropped, replaced or added; what comes out may happen to fit all the same. */
export const bent = (value: unknown): fc.Arbitrary<unknown> => {
  const places = placesIn(value);
  return fc.tuple(fc.nat(places.length - 1), fc.constantFrom('drop', 'replace', 'add'), odd).map(([at, how, other]) => {
    const copy = { root: structuredClone(value) as unknown };
    const path = ['root', ...(places[at] ?? [])];
    const key = path.pop() as string;
    const parent = path.reduce<Record<string, unknown>>((node, step) => node[step] as Record<string, unknown>, copy);
    const target = parent[key];
    if (how === 'drop' && path.length > 0) delete parent[key];
    else if (how === 'add' && typeof target === 'object' && target !== null) Object.assign(target, { stranger: other });
    else parent[key] = other;
    return copy.root;
  });
};

function placesIn(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, it]) => placesIn(it, [...path, key]))];
}

/** What is no JSON, or JSON that must not be let in; none of it fits any schema. */
export const brokenBytes: fc.Arbitrary<Buffer> = fc.oneof(
  fc
    .constantFrom('{', '[1,', '{"a":1e999}', '{"__proto__":{}}', '{"a":{"constructor":1}}', 'undefined', '{"a":01}', '﻿{}', "{'a':1}")
    .map((text) => Buffer.from(text)),
  fc.nat(2_000).map((depth) => Buffer.from(`${'{"a":'.repeat(depth + 33)}1${'}'.repeat(depth + 33)}`)),
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from([0xff, ...bytes])),
);
