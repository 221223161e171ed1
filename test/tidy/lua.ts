/** The form of a script that runs inside the store: what it is given is written at its top, and it writes once. */
import { basename } from 'node:path';
import { linesOf } from './shape.ts';

const LINES_MAX = 80;
const WRITES =
  /redis\.p?call\(\s*['"](SET|MSET|DEL|UNLINK|HSET|HSETNX|HMSET|HDEL|HINCRBY|ZADD|ZREM|ZREMRANGEBY\w+|ZINCRBY|SADD|SREM|LPUSH|RPUSH|LPOP|RPOP|LTRIM|INCR|INCRBY|DECR|EXPIRE|PEXPIRE|PERSIST|RENAME|APPEND|XADD|XTRIM|GETDEL|GETSET)['"]/gi;
/** What ends a path, or starts another branch, between two writes. */
const ENDS_PATH = /\b(return|else|elseif)\b/;
const BLOCKS = /\b(for|while|if|function|repeat|end|until)\b/g;

export function luaFaults(path: string, text: string): readonly string[] {
  const found: string[] = [];
  if (linesOf(text) > LINES_MAX) found.push(`${path} has ${linesOf(text)} lines, more than ${LINES_MAX}`);
  const header = text.split(/\n(?!--)/)[0] ?? '';
  if (!header.startsWith('--')) found.push(`${path} does not open with a comment`);
  for (const word of ['KEYS', 'ARGV']) {
    if (text.includes(`${word}[`) && !header.includes(word)) found.push(`${path} does not say at its top what ${word} holds`);
  }
  const keys = /-(\d+)\.lua$/.exec(basename(path));
  if (keys === null) found.push(`${path} does not name the number of its keys: <name>-<keys>.lua`);
  return [...found, ...severalWrites(path, text)];
}

/** A second write must say in a comment, on its line or the one above, why it is one: the word "write" stands in it. */
function severalWrites(path: string, text: string): readonly string[] {
  const lines = text.split('\n');
  const code = lines.map((line) => line.replace(/--.*$/, ''));
  const isExplained = (at: number) => [lines[at], lines[at - 1]].some((line) => /--.*\bwrite/i.test(line ?? ''));
  const found: string[] = [];
  const open: string[] = [];
  let written = false;
  code.forEach((line, at) => {
    const writes = [...line.matchAll(WRITES)].length;
    const isRepeated =
      writes > 1 || (writes > 0 && (written || open.some((block) => block === 'for' || block === 'while' || block === 'repeat')));
    if (isRepeated && !isExplained(at)) found.push(`${path}:${at + 1} writes a second time on one path`);
    if (writes > 0) written = true;
    if (ENDS_PATH.test(line)) written = false;
    for (const [word] of line.matchAll(BLOCKS)) {
      if (word === 'end' || word === 'until') open.pop();
      else open.push(word);
    }
  });
  return found;
}
