/** The picture of a demo: it is drawn from what was seen, plays by itself, and needs nothing from anywhere. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Film, picture } from '../../infra/dev/demo-picture.ts';

const film: Film = {
  frames: [
    { atMs: 0, decided: 0, underWay: { 'replica-a': 4, 'replica-b': 8 } },
    { atMs: 1_000, decided: 50, underWay: { 'replica-b': 2 } },
    { atMs: 2_000, decided: 100, underWay: { 'replica-a': 1, 'replica-b': 0 } },
  ],
  told: [
    { atMs: 900, what: 'kill -9 <replica-a>' },
    { atMs: 2_000, what: 'replica-a is back' },
  ],
  figures: { accepted: 100, delivered: 1_234, booked: 1_234, inDoubt: 0 },
};
/** Tags in the order in which they stand; a tag that ends itself is left out. */
function unclosed(svg: string): readonly string[] {
  const open: string[] = [];
  for (const [, slash, name = '', self] of svg.matchAll(/<(\/?)([a-zA-Z]+)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (self === '/') continue;
    if (slash === '') open.push(name);
    else if (open.at(-1) === name) open.pop();
    else return [...open, `/${name}`];
  }
  return open;
}

describe('a picture of a demo', () => {
  it('shows each replica, when one was not there, what was told, and the books', () => {
    const svg = picture(film);
    expect(svg.match(/class="work"/g)).toHaveLength(2);
    expect(svg.match(/class="gone"/g)).toHaveLength(1);
    // From the look at which it was gone to the one at which it was back: the second half.
    expect(svg).toContain('<rect class="gone" x="438" y="44" width="342" height="46"/>');
    expect(svg).toContain('kill -9 &lt;replica-a>');
    expect(svg).toContain('paid by the device 1,234 = booked 1,234 · in doubt 0');
  });
  it('is one well-formed document without a script or anything from elsewhere', () => {
    const svg = picture(film);
    expect(unclosed(svg)).toEqual([]);
    expect(svg).not.toMatch(/<script|href=|url\((?!#)|@import|<image|<foreignObject/);
  });
  it('of README is one that this program drew, of a run whose books were right', () => {
    const svg = readFileSync(new URL('../../docs/demo.svg', import.meta.url), 'utf8');
    const [, delivered, booked, inDoubt] = /paid by the device ([\d,]+) = booked ([\d,]+) · in doubt (\d+)</.exec(svg) ?? [];
    expect([delivered, inDoubt, unclosed(svg)]).toEqual([booked, '0', []]);
    expect(svg).toMatch(/SIGTERM to replica-.*kill -9 replica-/s);
    expect(svg.length).toBeLessThan(40_000);
  });
});
