/** What `locus dead-letters` makes of the topic, as a replica looks into it: which letters, what is shown of them, and what goes back as which record. */
import { afterEach, expect, it } from 'vitest';
import { type Asked, listLetters, type Replaying, replayLetters, showLetter } from '../../src/cli/letters.ts';
import { type Over, over } from './over.ts';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

type Given = {
  readonly partition?: number;
  readonly reason?: string;
  readonly from?: string;
  readonly key?: string | null;
  readonly value?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
};
/** In the order of the list, a second apart. */
async function topic(given: readonly Given[]): Promise<Over> {
  const it = await over(
    'letters',
    given.map(({ partition = 0, reason = 'INPUT_INVALID', from = 'locus.commands', key = 'cash-location/a', value, headers }, at) => ({
      partition,
      key,
      value: value === undefined ? '{"amount":1}' : value,
      headers: {
        ...headers,
        dlq_reason: reason,
        dlq_error: `input.amount is ${at}: must not be`,
        dlq_attempts: '1',
        dlq_topic: from,
        dlq_partition: '3',
        dlq_offset: String(70 + at),
        dlq_timestamp: `2026-01-31T12:00:${String(at % 60).padStart(2, '0')}.000Z`,
        dlq_failed_at: `2026-01-31T12:01:${String(at % 60).padStart(2, '0')}.000Z`,
      },
    })),
  );
  ends.push(it.stop);
  return it;
}
const asked = (more: Partial<Asked> = {}): Asked => ({ format: 'text', where: [], max: 100, ...more });
async function replayed(it: Over, how: Partial<Replaying>, more: Partial<Asked> = {}) {
  const said = await replayLetters(it.replica, asked(more), { ids: [], because: 'mended in 1.2', dryRun: false, neverRan: false, ...how });
  return { ...said, sent: it.sent() };
}

it('lists them, the oldest first over all partitions', async () => {
  const { replica } = await topic([{ partition: 1 }, { partition: 0, reason: 'STALE', key: null }]);
  expect((await listLetters(replica, asked())).text).toBe(
    [
      'ID   REASON         KEY              FROM                 FAILED',
      '1:0  INPUT_INVALID  cash-location/a  locus.commands/3@70  2026-01-31T12:01:00.000Z',
      '0:0  STALE          -                locus.commands/3@71  2026-01-31T12:01:01.000Z',
    ].join('\n'),
  );
  const json = JSON.parse((await listLetters(replica, asked({ format: 'json' }))).text);
  expect(json.letters[0]).toMatchObject({ id: '1:0', reason: 'INPUT_INVALID', error: 'input.amount is 0: must not be' });
});

it('lists those that every condition allows, and says when there are more', async () => {
  const { replica } = await topic([{ key: 'cash-location/a' }, { key: 'cash-location/b' }, { key: 'cash-location/b', reason: 'STALE' }]);
  const where = ['key=cash-location/b', 'reason=STALE'];
  expect(JSON.parse((await listLetters(replica, asked({ where, format: 'json' }))).text).letters).toMatchObject([{ id: '0:2' }]);
  const some = await listLetters(replica, asked({ max: 2 }));
  expect([some.text.split('\n').length, some.note]).toEqual([3, 'only the first 2: see --max']);
  expect((await listLetters((await topic([])).replica, asked({ where }))).text).toBe(
    'no dead letter of key=cash-location/b and reason=STALE is on locus.dead-letters',
  );
});

it('finds all of a long topic, part by part, and the oldest of each partition when there are too many', async () => {
  const { replica } = await topic(Array.from({ length: 2_600 }, (_, n) => ({ partition: n % 2 === 0 ? 3 : 1, key: `x/${n}` })));
  const keysOf = async (max: number) =>
    (JSON.parse((await listLetters(replica, asked({ max, format: 'json' }))).text).letters as { key: string }[]).map(({ key }) => key);
  expect(await keysOf(10_000)).toEqual(Array.from({ length: 2_600 }, (_, n) => `x/${n}`));
  expect(await keysOf(5)).toEqual(['x/0', 'x/1', 'x/2', 'x/3', 'x/4']);
});

it.each([
  ['colour=red', '--where is "colour=red": must be one of reason=…, key=…, topic=…'],
  ['reason', '--where is "reason"'],
])('refuses --where %s', async (where, told) => {
  await expect(listLetters((await topic([])).replica, asked({ where: [where] }))).rejects.toThrow(told);
});

it('refuses what is no ID, and a condition that stands twice', async () => {
  const { replica } = await topic([{}]);
  await expect(showLetter(replica, '7', 'text')).rejects.toThrow('ID is "7": must be partition:offset');
  await expect(listLetters(replica, asked({ where: ['key=a', 'key=b'] }))).rejects.toThrow('--where is "key=b": names key a second time');
});

it('shows one with its value and its own headers', async () => {
  const { replica } = await topic([{}, { value: 'no JSON', headers: { ce_id: 'c1' } }]);
  const said = await showLetter(replica, '0:1', 'json');
  expect(JSON.parse(said.text)).toMatchObject({ id: '0:1', offset: '71', headers: { ce_id: 'c1' }, value: 'no JSON' });
  await expect(showLetter(replica, '3:9', 'text')).rejects.toThrow('NOT_FOUND: there is no such dead letter');
  await expect(showLetter(replica, '9:0', 'text')).rejects.toThrow('NOT_FOUND');
});

it('sends the original value, key and headers again to where they came from, with the age they had, and keeps the reason', async () => {
  const it = await topic([{ value: ' {"amount" :1}', headers: { ce_id: 'c1', 'content-type': 'application/json' } }]);
  const { exit, text, sent } = await replayed(it, { ids: ['0:0'] });
  expect([exit, text.split('\n')[1]]).toEqual([0, '0:0  INPUT_INVALID  cash-location/a  sent']);
  // Replayed once more after its id was forgotten it must not run twice: its age is what makes it STALE then.
  const headers = { ce_id: 'c1', 'content-type': 'application/json', locus_appended: '2026-01-31T12:00:00.000Z' };
  expect(sent).toEqual([{ key: 'cash-location/a', value: ' {"amount" :1}', headers }]);
  expect(it.lines).toMatchObject([{ message: 'an operator replayed a dead letter', fields: { letter: '0:0', because: 'mended in 1.2' } }]);
});

it('keeps an older age that it had already', async () => {
  const { sent } = await replayed(await topic([{ headers: { locus_appended: '5' } }]), { ids: ['0:0'] });
  expect(sent).toMatchObject([{ headers: { locus_appended: '5' } }]);
});

it('sends those of one location in the order in which they came, at most so many', async () => {
  const it = await topic([
    { partition: 2, key: 'x/1' },
    { partition: 2, key: 'x/2' },
    { partition: 1, key: 'x/3' },
    { partition: 2, key: 'x/4' },
  ]);
  const { note, exit, text } = await replayed(it, {}, { where: ['reason=INPUT_INVALID'], max: 3 });
  expect([note, exit]).toEqual(['only the first 3: see --max', 0]);
  expect([...text.matchAll(/x\/\d/g)].map(([key]) => key)).toEqual(['x/1', 'x/2', 'x/3']);
});

it('sends nothing in a dry run', async () => {
  const { text, sent, exit } = await replayed(await topic([{}]), { dryRun: true }, { where: ['reason=INPUT_INVALID'] });
  expect([sent, exit]).toEqual([[], 0]);
  expect(text).toContain('would be sent');
});

it('sends what is STALE only when it is stated that it never ran, and then with a new age', async () => {
  const it = await topic([{ reason: 'STALE', headers: { locus_appended: '5' } }, {}]);
  const refused = await replayed(it, { ids: ['0:0', '0:1'] });
  // What is refused keeps none of the others.
  expect([refused.exit, refused.sent.length]).toEqual([1, 1]);
  expect(refused.text).toContain('refused: it may have run before its id was forgotten');
  const { exit, sent } = await replayed(it, { ids: ['0:0'], neverRan: true });
  expect([exit, sent.length]).toEqual([0, 2]);
  expect(sent.map(({ headers }) => headers.locus_appended)).toContain(undefined);
});

it.each<readonly [Given, string]>([
  [{ from: 'payments' }, 'it came from payments, and commands are read from locus.commands'],
  [{ from: '' }, 'it does not say which topic it came from'],
  [{ reason: 'CODEC_UNSUPPORTED', value: null }, 'nobody could read it'],
  [
    { reason: 'VALUE_TOO_LARGE', value: null, headers: { dlq_left_out: 'value' } },
    'too large to be set aside whole: the record itself stands at locus.commands/3/70',
  ],
])('does not send %j', async (given, told) => {
  const { exit, sent, text } = await replayed(await topic([given]), { ids: ['0:0'] });
  expect([exit, sent]).toEqual([1, []]);
  expect(text).toContain(told);
});

it('wants to be told which, and says when there is none', async () => {
  await expect(replayed(await topic([{}]), {})).rejects.toThrow('name letters by their ID, or by --where');
  const where = ['reason=STALE'];
  expect(await replayed(await topic([{}]), {}, { where })).toMatchObject({ exit: 1, text: 'nothing to replay' });
  await expect(replayed(await topic([{}]), { ids: ['0:0'] }, { where })).rejects.toThrow('not by both');
  expect(await replayed(await topic([]), { ids: ['0:7'] })).toMatchObject({
    exit: 1,
    text: expect.stringContaining('there is no dead letter'),
  });
});
