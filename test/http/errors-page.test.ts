/** docs/errors.md has a section for each code of src/errors.ts, and none for anything else. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { kinds, typeOf } from '../../infra/http/problem.ts';
import { codes, fateOf } from '../../src/errors.ts';
import { OWN_REFUSALS } from '../../src/runtime/catalogue.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/errors.md'), 'utf8');
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((text) => [text.slice(0, text.indexOf('\n')), text.slice(text.indexOf('\n')).split(/^# /m)[0]?.trim() ?? '']),
);

describe('the page of errors', () => {
  it('has a section for each code and no other', () => {
    expect([...sections.keys()].sort()).toEqual([...codes].sort());
    expect(page.match(/^## /gm)).toHaveLength(codes.length);
  });
  it.each(codes)('says of %s what type, status and fate it has, and what to do', (code) => {
    const [facts = '', , ...words] = (sections.get(code) ?? '').split('\n');
    const status = kinds[code]?.status;
    expect(facts).toBe([`\`${typeOf(code)}\``, ...(status === undefined ? [] : [`HTTP ${status}`]), fateOf(code)].join(' · '));
    expect(words.join(' ').length).toBeGreaterThan(40);
  });
  it('gives each type once', () => {
    expect(new Set(codes.map(typeOf)).size).toBe(codes.length);
  });
  it('has the refusals of the runtime', () => {
    for (const code of OWN_REFUSALS) expect(page).toContain(`| \`${code}\` |`);
  });
});
