/** What the scripts of Redis call is what the list of rights asks for. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LOCKS, STORE } from '../infra/redis/rights.ts';

const called = (folder: string): readonly string[] => {
  const texts = readdirSync(folder).filter((file) => file.endsWith('.lua'));
  const calls = texts.flatMap((file) => [...readFileSync(`${folder}/${file}`, 'utf8').matchAll(/redis\.call\('(\w+)'/g)]);
  return [...new Set(calls.map(([, name = '']) => `+${name.toLowerCase()}`))].sort();
};

describe('the rights that are asked for', () => {
  it.each([
    ['infra/redis/lua', STORE],
    ['infra/redis/lua/locks', LOCKS],
  ])('hold every command that a script of %s calls', (folder, { commands }) => {
    const calls = called(folder);
    expect(calls.length).toBeGreaterThan(1);
    expect(calls.filter((call) => !(call in commands))).toEqual([]);
  });
  it('hold what redlock calls when it releases', () => expect(LOCKS.commands).toHaveProperty('+del'));
});
