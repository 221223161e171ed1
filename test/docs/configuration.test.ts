/** docs/configuration.md says what the table of variables says, of each variable once. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Variable, variables } from '../../src/variables.ts';
import { filesBelow } from '../tidy/source.ts';
import { configurationPage, groups, ruleOf, told } from './configuration-page.ts';

const root = join(import.meta.dirname, '../..');
const names = Object.keys(variables) as readonly (keyof typeof variables)[];

describe('the page of the configuration', () => {
  it('is what src/variables.ts says: after a change write it anew with `npx vitest run --project unit test/docs -u`', async () => {
    await expect(configurationPage()).toMatchFileSnapshot('../../docs/configuration.md');
  });

  it('has each variable in one group', () => {
    expect(groups.flatMap((it) => it.names).sort()).toEqual([...names].sort());
  });

  it('tells the unit of each number that is no port', () => {
    const numbers = names.filter((name) => /whole number/.test(ruleOf(variables[name])) && !/_PORT$/.test(variables[name].name));
    const rows = configurationPage().split('\n');
    const unitless = numbers.filter((name) => rows.some((row) => row.startsWith(`| \`${variables[name].name}\``) && /\| {2}\|/.test(row)));
    expect([numbers.length > 10, unitless]).toEqual([true, []]);
  });

  it('gives defaults that keep their own rules, alone and together', () => {
    const broken = names.filter((name) => {
      const it: Variable<unknown> = variables[name];
      return it.fallback !== undefined && told({ [it.name]: it.fallback }).length > 0;
    });
    expect([broken, told({})]).toEqual([[], []]);
  });

  it('names the variables of the command line, and no other that nobody reads', () => {
    const sources = filesBelow(root, 'src').filter((path) => path.endsWith('.ts'));
    const read = sources.flatMap((path) => readFileSync(join(root, path), 'utf8').match(/\bLOCUS_[A-Z_]+/g) ?? []);
    expect(
      configurationPage()
        .match(/\bLOCUS_[A-Z_]+/g)
        ?.filter((name) => !read.includes(name)),
    ).toEqual([]);
    expect(read.filter((name) => /URL$/.test(name) && !configurationPage().includes(name))).toEqual([]);
  });
});
