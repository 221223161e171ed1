/** What leaves for a script is what ioredis itself would have written, byte for byte. */
import { Command, type Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { evaluate } from '../infra/redis/scripts.ts';

const LIFE = { life: 'one', shas: new Map([['commit', 'f'.repeat(40)]]) };

function written(keys: readonly string[], values: readonly string[]): { ours: Buffer; theirs: Buffer } {
  const sent: Command[] = [];
  const client = { sendCommand: (command: Command) => sent.push(command) } as unknown as Redis;
  void evaluate(client, LIFE, 'commit', keys, values);
  const theirs = new Command('evalsha', ['f'.repeat(40), '2', ...keys, ...values], { replyEncoding: 'utf8' });
  // Not copied: it must stay what it is until the socket has sent it.
  const bytes = (command: Command | undefined) => {
    const it = command?.toWritable({}) ?? '';
    return typeof it === 'string' ? Buffer.from(it) : it;
  };
  return { ours: bytes(sent[0]), theirs: bytes(theirs) };
}

test.each<readonly [string, readonly string[]]>([
  ['no values', []],
  ['an empty value', ['']],
  ['letters and digits', ['1', 'abc', '{"a":1}', '\r\n$3\r\n']],
  ['characters of two, three and four bytes', ['é', '✓', '😀', 'plain']],
  ['one character of two bytes at the very end', ['x'.repeat(1_000), 'é']],
  ['half of a pair', ['\ud83d', '\ude00']],
  ['characters whose low byte is a letter', ['\u0141\u0142']],
  ['more than a slab', ['x'.repeat(70_000), 'y'.repeat(70_000)]],
  ['more than a slab, and not ASCII', ['é'.repeat(70_000)]],
])('%s', (_, values) => {
  const { ours, theirs } = written(['{cash-location/atm-1}', 'generation'], values);
  expect(ours.equals(theirs)).toBe(true);
});

test('what was written stays as it was when much more is written behind it', () => {
  const kept = Array.from({ length: 500 }, (_, n) => written(['a', 'b'], [`${n}`.repeat(300 + n), n % 7 === 0 ? 'é' : 'e']));
  expect(kept.filter(({ ours, theirs }) => !ours.equals(theirs))).toEqual([]);
});
