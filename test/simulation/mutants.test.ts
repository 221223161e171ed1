import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseSimMutant, patched, simMutants } from './mutants.ts';

const root = join(import.meta.dirname, '..', '..');
const mutants = simMutants(root);

describe('the seeded bugs of the simulator', () => {
  test('are those of the list, and those that were real', () => expect(mutants.length).toBeGreaterThanOrEqual(33));
  test.each(mutants.map((mutant) => [mutant.name, mutant] as const))('%s still applies to the sources', (_, mutant) =>
    expect(patched(root, mutant).size).toBeGreaterThan(0),
  );
  test('say what they are', () => {
    expect(() => parseSimMutant('x', '# only words')).toThrow('lacks');
    expect(new Set(mutants.map(({ about }) => about)).size).toBe(mutants.length);
  });
});
