/** What `locus dead-letters` makes of the topic: which letters, what is shown of them, and what goes back as which record. */
import { expect, it } from 'vitest';
import type { Reader } from '../../src/cli/events.ts';
import { type Asked, listLetters, replayLetters, showLetter } from '../../src/cli/letters.ts';
import type { LogMessage, LogRecord } from '../../src/ports.ts';

type Given = {
  readonly partition?: number;
  readonly reason?: string;
  readonly from?: string;
  readonly key?: string | null;
  readonly value?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
};
/** In the order of the list, a second apart. */
function topic(given: readonly Given[]): Reader {
  const next = new Map<number, number>();
  const records = given.map(({ partition = 0, reason = 'INPUT_INVALID', from = 'locus.commands', key = 'cash-location/a', ...it }, at) => {
    const offset = next.get(partition) ?? 0;
    next.set(partition, offset + 1);
    const headers = {
      ...it.headers,
      dlq_reason: reason,
      dlq_error: `input.amount is ${at}: must not be`,
      dlq_attempts: '1',
      dlq_topic: from,
      dlq_partition: '3',
      dlq_offset: String(70 + at),
      dlq_timestamp: `2026-01-31T12:00:0${at}.000Z`,
      dlq_failed_at: `2026-01-31T12:01:0${at}.000Z`,
    };
    const record: LogRecord = {
      topic: 'locus.dead-letters',
      partition,
      offset,
      key: key === null ? null : Buffer.from(key),
      value: it.value === null ? null : Buffer.from(it.value ?? '{"amount":1}'),
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)])),
      appendedMs: 1_000 * at,
    };
    return record;
  });
  // Partition after partition, as a fetch may answer.
  return async ({ among, take }) => {
    const asked = among?.(4) ?? [0, 1, 2, 3];
    for (const partition of [...asked].sort().reverse()) records.filter((it) => it.partition === partition).forEach(take);
  };
}
const asked = (read: Reader, more: Partial<Asked> = {}): Asked => ({
  read,
  topic: 'locus.dead-letters',
  format: 'text',
  ids: [],
  where: [],
  max: 100,
  ...more,
});
async function replayed(it: Asked, more: { readonly dryRun?: boolean; readonly neverRan?: boolean } = {}) {
  const sent: (readonly [topic: string, message: LogMessage])[] = [];
  const send = async (to: string, message: LogMessage) => void sent.push([to, message]);
  const said = await replayLetters(it, { lanes: ['locus.commands'], dryRun: false, neverRan: false, send, ...more });
  return { ...said, sent, keys: sent.map(([, { key }]) => String(key)) };
}
const textOf = (headers: LogMessage['headers']) =>
  Object.fromEntries(Object.entries(headers ?? {}).map(([name, it]) => [name, String(it)]));

it('lists them, the oldest first over all partitions', async () => {
  const read = topic([{ partition: 1 }, { partition: 0, reason: 'STALE', key: null }]);
  expect((await listLetters(asked(read))).text).toBe(
    [
      'ID   REASON         KEY              FROM                 FAILED',
      '1:0  INPUT_INVALID  cash-location/a  locus.commands/3@70  2026-01-31T12:01:00.000Z',
      '0:0  STALE          -                locus.commands/3@71  2026-01-31T12:01:01.000Z',
    ].join('\n'),
  );
  const json = JSON.parse((await listLetters(asked(read, { format: 'json' }))).text);
  expect(json.letters[0]).toMatchObject({ id: '1:0', reason: 'INPUT_INVALID', error: 'input.amount is 0: must not be' });
});

it('lists those that every condition allows, and says when there are more', async () => {
  const read = topic([{ key: 'cash-location/a' }, { key: 'cash-location/b' }, { key: 'cash-location/b', reason: 'STALE' }]);
  const where = ['key=cash-location/b', 'reason=STALE'];
  expect(JSON.parse((await listLetters(asked(read, { where, format: 'json' }))).text).letters).toMatchObject([{ id: '0:2' }]);
  const some = await listLetters(asked(read, { max: 2 }));
  expect([some.text.split('\n').length, some.note]).toEqual([3, 'only the first 2: see --max']);
  expect((await listLetters(asked(topic([]), { where }))).text).toBe(
    'no dead letter of key=cash-location/b and reason=STALE is on locus.dead-letters',
  );
});

it.each([
  [{ where: ['colour=red'] }, '--where is "colour=red": must be one of reason=…, key=…, topic=…'],
  [{ where: ['reason'] }, '--where is "reason"'],
  [{ ids: ['7'] }, 'ID is "7": must be partition:offset'],
])('refuses %j', async (more, told) => {
  await expect(listLetters(asked(topic([]), more))).rejects.toThrow(told);
});

it('shows one with its value and its own headers', async () => {
  const read = topic([{}, { value: 'no JSON', headers: { ce_id: 'c1' } }]);
  const said = await showLetter(asked(read, { ids: ['0:1'], max: 1, format: 'json' }));
  expect(JSON.parse(said.text)).toMatchObject({ id: '0:1', offset: '71', headers: { ce_id: 'c1' }, value: 'no JSON' });
  await expect(showLetter(asked(read, { ids: ['3:9'], max: 1 }))).rejects.toThrow('there is no dead letter 3:9 on locus.dead-letters');
});

it('sends the original value, key and headers again to where they came from, with the age they had', async () => {
  const read = topic([{ value: ' {"amount" :1}', headers: { ce_id: 'c1', 'content-type': 'application/json' } }]);
  const { exit, text, sent } = await replayed(asked(read, { ids: ['0:0'], max: 1 }));
  expect([exit, text.split('\n')[1]]).toEqual([0, '0:0  INPUT_INVALID  cash-location/a  sent']);
  const [[to, message]] = sent as [(typeof sent)[0]];
  expect([to, String(message.key), String(message.value)]).toEqual(['locus.commands', 'cash-location/a', ' {"amount" :1}']);
  // Replayed once more after its id was forgotten it must not run twice: its age is what makes it STALE then.
  expect(textOf(message.headers)).toEqual({
    ce_id: 'c1',
    'content-type': 'application/json',
    locus_appended: '2026-01-31T12:00:00.000Z',
  });
});

it('keeps an older age that it had already', async () => {
  const { sent } = await replayed(asked(topic([{ headers: { locus_appended: '5' } }]), { ids: ['0:0'], max: 1 }));
  expect(textOf(sent[0]?.[1].headers)).toEqual({ locus_appended: '5' });
});

it('sends those of one location in the order in which they came, at most so many', async () => {
  const read = topic([
    { partition: 2, key: 'x/1' },
    { partition: 2, key: 'x/2' },
    { partition: 1, key: 'x/3' },
    { partition: 2, key: 'x/4' },
  ]);
  const { keys, note, exit } = await replayed(asked(read, { where: ['reason=INPUT_INVALID'], max: 3 }));
  expect([keys, note, exit]).toEqual([['x/1', 'x/2', 'x/3'], 'only the first 3: see --max', 0]);
});

it('sends nothing in a dry run', async () => {
  const { text, sent, exit } = await replayed(asked(topic([{}]), { where: ['reason=INPUT_INVALID'] }), { dryRun: true });
  expect([sent, exit]).toEqual([[], 0]);
  expect(text).toContain('would be sent');
});

it('sends what is STALE only when it is stated that it never ran, and then with a new age', async () => {
  const it = asked(topic([{ reason: 'STALE', headers: { locus_appended: '5' } }]), { ids: ['0:0'], max: 1 });
  const refused = await replayed(it);
  expect([refused.exit, refused.sent]).toEqual([1, []]);
  expect(refused.text).toContain('--never-ran states that it did not');
  const { exit, sent } = await replayed(it, { neverRan: true });
  expect([exit, textOf(sent[0]?.[1].headers)]).toEqual([0, {}]);
});

it.each<readonly [Given, string]>([
  [{ from: 'payments' }, 'it came from payments, and commands are read from locus.commands'],
  [{ from: '' }, 'it does not say which topic it came from'],
  [{ reason: 'CODEC_UNSUPPORTED', value: null }, 'nobody could read it'],
])('does not send %j', async (given, told) => {
  const { exit, sent, text } = await replayed(asked(topic([given]), { ids: ['0:0'], max: 1 }));
  expect([exit, sent]).toEqual([1, []]);
  expect(text).toContain(told);
});

it('wants to be told which, and says when there is none', async () => {
  await expect(replayed(asked(topic([{}])))).rejects.toThrow('name letters by their ID, or by --where');
  expect(await replayed(asked(topic([]), { ids: ['0:0'], max: 1 }))).toMatchObject({ exit: 1, text: 'nothing to replay' });
});
