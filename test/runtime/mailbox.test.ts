import { expect, it } from 'vitest';
import type { Lane } from '../../src/message/envelope.ts';
import { Mailbox, type Waiting } from '../../src/runtime/mailbox.ts';

const waiting = (offset: number, lane: Lane = 'customer'): Waiting =>
  ({ command: { lane }, origin: { topic: lane, partition: 0 }, offset, sinceMs: offset, conclude: () => {} }) as unknown as Waiting;
const offsets = (items: readonly Waiting[]) => items.map(({ offset }) => offset);

it('gives each lane its own, oldest first', () => {
  const mailbox = new Mailbox();
  for (const it of [waiting(1), waiting(2, 'bulk'), waiting(3), waiting(4, 'bulk')]) mailbox.push(it);
  expect(mailbox.length).toBe(4);
  expect(offsets(mailbox.take('bulk', 1))).toEqual([2]);
  expect(offsets(mailbox.take('customer', 9))).toEqual([1, 3]);
  expect(offsets(mailbox.take('customer', 9))).toEqual([]);
  expect([mailbox.depth('customer'), mailbox.depth('bulk')]).toEqual([0, 1]);
});

it('takes back to the front what was not decided, before what came since', () => {
  const mailbox = new Mailbox();
  for (const offset of [1, 2, 3]) mailbox.push(waiting(offset));
  const taken = mailbox.take('customer', 3);
  mailbox.push(waiting(4));
  mailbox.putBack([...taken.slice(1), waiting(0, 'bulk')]);
  expect(mailbox.oldestMs('customer')).toBe(2);
  expect(offsets(mailbox.take('customer', 9))).toEqual([2, 3, 4]);
  expect(offsets(mailbox.take('bulk', 9))).toEqual([0]);
});

it('holds nothing before its first message and after everything was taken', () => {
  const mailbox = new Mailbox();
  expect([mailbox.length, mailbox.oldestMs('customer')]).toEqual([0, undefined]);
  mailbox.push(waiting(1));
  mailbox.push(waiting(2, 'bulk'));
  expect(offsets(mailbox.takeAll())).toEqual([1, 2]);
  expect([mailbox.length, mailbox.oldestMs('bulk')]).toEqual([0, undefined]);
});
