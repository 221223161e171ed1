import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { applied, complaint, parseMutant, verdictOn } from './mutant.ts';

const root = join(import.meta.dirname, '..', '..');
const TEXT = `# adds instead of taking away
test: test/a.test.ts > sums > add up
file: src/a.ts
<<<<
  return a - b;
====
  return a + b;
>>>>
`;

describe('a mutant', () => {
  const mutant = parseMutant('sign', TEXT);
  test('is read with its bug, its test and its edits', () => {
    expect(mutant).toEqual({
      name: 'sign',
      about: 'adds instead of taking away',
      testFile: 'test/a.test.ts',
      testName: 'sums > add up',
      edits: [{ file: 'src/a.ts', search: '  return a - b;\n', replace: '  return a + b;\n' }],
    });
    expect(() => parseMutant('x', '# only words')).toThrow('lacks');
  });
  test('applies exactly once or not at all', () => {
    const [edit] = mutant.edits;
    if (edit === undefined) throw new Error('no edit');
    expect(applied(edit, 'f() {\n  return a - b;\n}')).toBe('f() {\n  return a + b;\n}');
    expect(() => applied(edit, 'f() {}')).toThrow('0 times');
    expect(() => applied(edit, '  return a - b;\n  return a - b;\n')).toThrow('2 times');
  });
  test('is found only by its own test, green before and red after', () => {
    const report = (status: string, fullName = 'sums > add up') => ({
      testResults: [{ name: '/somewhere/test/a.test.ts', assertionResults: [{ fullName, status }] }],
    });
    expect(verdictOn(mutant, report('failed'))).toBe('failed');
    expect(verdictOn(mutant, report('failed', 'another'))).toBe('not run');
    expect(verdictOn(mutant, { testResults: [] })).toBe('not run');
    expect(complaint('passed', 'failed')).toBeUndefined();
    expect(complaint('passed', 'passed')).toContain('SURVIVED');
    expect(complaint('passed', 'not run')).toContain('does not even load');
    expect(complaint('failed', 'failed')).toContain('red without it');
    expect(complaint('not run', 'failed')).toContain('no test of this name');
  });
});

describe('the mutants of the house', () => {
  const folder = join(root, 'test', 'mutants');
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.mutant')) : [];
  test('are there', () => expect(files.length).toBeGreaterThanOrEqual(7));
  test.each(files)('%s still applies to the sources', (file) => {
    for (const edit of parseMutant(file, readFileSync(join(folder, file), 'utf8')).edits) {
      const text = readFileSync(join(root, edit.file), 'utf8');
      expect(applied(edit, text)).not.toBe(text);
    }
  });
});
