import { beforeEach, describe, expect, it } from 'vitest';
import { partitionOf } from '../../src/message/partition.ts';
import type { LogMessage } from '../../src/ports.ts';
import { bent, held, setup, slow } from './bundle.ts';
import { COMMANDS, EVENTS, LETTERS } from './fleet.ts';

type Bundle = ReturnType<typeof setup>;
let it_: Bundle;
beforeEach(() => {
  it_ = setup({ partitions: 1 });
});
const header = (value: Uint8Array | undefined) => Buffer.from(value ?? '').toString();
const letters = ({ log }: Bundle) => log.records(LETTERS).map(({ headers }) => header(headers.dlq_reason));
/** What the events topic holds, by first occurrences. */
const published = ({ log }: Bundle) => new Set(log.records(EVENTS).map(({ value }) => header(value ?? undefined)));
const binary = (value: string | null, headers: Record<string, string>) => ({
  key: 'till/T1',
  value,
  headers: { ce_specversion: '1.0', ce_id: 'b-1', ce_type: 'till.add', ce_subject: 'till/T1', ce_source: 'test', ...headers },
});

describe('a record that nobody can serve', () => {
  it.each([
    ['of an unknown type', 'TYPE_UNKNOWN', { ...binary('{}', { ce_type: 'atm.add', ce_subject: 'atm/T1' }), key: 'atm/T1' }],
    ['with an unknown command', 'COMMAND_UNKNOWN', binary('{}', { ce_type: 'till.fly' })],
    ['named like a property of every object', 'COMMAND_UNKNOWN', binary('{}', { ce_type: 'till.valueOf' })],
    ['with an input that does not fit', 'INPUT_INVALID', binary('{"amount":-5}', {})],
    ['that is no JSON', 'JSON_INVALID', binary('{"amount":', {})],
    ['without a value', 'TOMBSTONE', binary(null, {})],
    ['without an id', 'COMMAND_ID_MISSING', binary('{"amount":1}', { ce_id: '' })],
    ["under one of the runtime's own ids", 'TIMER_NOT_ARMED', binary('{"amount":1}', { ce_id: '~timer/close/7' })],
    ['whose subject is not its key', 'KEY_MISMATCH', binary('{"amount":1}', { ce_subject: 'till/T2' })],
  ])('%s is a dead letter with reason and origin, and its neighbours are untouched', async (_name, reason, message) => {
    const it = it_;
    const node = await it.replica('a');
    const before = it.send('T1', 'add', { amount: 1 });
    it.log.produce(COMMANDS, message);
    const after = it.send('T1', 'add', { amount: 1 });
    await it.outcome('T1', before);
    expect(await it.outcome('T1', after)).toMatchObject({ reply: { cash: 2 } });
    await it.until(() => expect(it.committed()).toBe(3));
    const [letter] = it.log.records(LETTERS);
    expect(letters(it)).toEqual([reason]);
    expect([header(letter?.headers.dlq_topic), header(letter?.headers.dlq_partition), header(letter?.headers.dlq_offset)]).toEqual([
      COMMANDS,
      '0',
      '1',
    ]);
    expect(letter?.value === null ? null : header(letter?.value)).toBe(message.value);
    expect(node.counts.letters).toEqual([reason]);
  });

  it('keeps its offset open until its dead letter is acknowledged', async () => {
    const it = it_;
    await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    await it.until(() => expect(it.committed()).toBe(1));
    it.log.setWriters('down');
    it.log.produce(COMMANDS, binary('{"amount":', {}));
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    await it.clock.advance(10_000);
    expect([it.committed(), letters(it)]).toEqual([1, []]);
    it.log.setWriters('well');
    await it.until(() => expect(it.committed()).toBe(3));
    expect(letters(it)).toEqual(['JSON_INVALID']);
  });

  it('stands in a batch that cannot be unpacked: one dead letter names all its offsets and the codec', async () => {
    const it = it_;
    await it.replica('a');
    it.log.setWriters('down');
    it.log.produceUnreadable({ topic: COMMANDS, partition: 0 }, 5, 'zstd');
    const after = it.send('T1', 'add', { amount: 1 });
    await it.outcome('T1', after);
    await it.clock.advance(2_000);
    expect(it.committed()).toBeUndefined();
    it.log.setWriters('well');
    await it.until(() => expect(it.committed()).toBe(6));
    const [letter] = it.log.records(LETTERS);
    expect([letters(it), header(letter?.headers.dlq_offset)]).toEqual([['CODEC_UNSUPPORTED'], '0']);
    expect(header(letter?.headers.dlq_error)).toMatch(/zstd.*offsets 0 to 4/);
  });
});

describe('a record that is too large to be set aside as it was', () => {
  const large = 'x'.repeat(1_048_500);
  const theLetter = async (it: Bundle, message: LogMessage) => {
    await it.replica('a');
    it.log.produce(COMMANDS, message);
    expect(await it.outcome('T1', it.send('T1', 'add', { amount: 1 }))).toMatchObject({ reply: { cash: 1 } });
    await it.until(() => expect(it.committed()).toBe(2));
    const [letter, ...more] = it.log.records(LETTERS);
    expect(more).toEqual([]);
    const headers = Object.fromEntries(Object.entries(letter?.headers ?? {}).map(([name, value]) => [name, header(value)]));
    return { key: letter?.key, value: letter?.value, headers };
  };

  it('leaves its value behind and says where it stands; its key and headers go along', async () => {
    const { key, value, headers } = await theLetter(it_, binary(large, {}));
    expect([header(key ?? undefined), value]).toEqual(['till/T1', null]);
    expect(headers).toMatchObject({ ce_id: 'b-1', dlq_reason: 'VALUE_TOO_LARGE', dlq_key: 'till/T1', dlq_left_out: 'value' });
    expect(headers).toMatchObject({ dlq_topic: COMMANDS, dlq_partition: '0', dlq_offset: '0' });
    expect(headers.dlq_error).toMatch(
      /^value is "1048500 bytes": must be at most .* left out: value; the record stands at commands\/0\/0$/,
    );
  });

  it('leaves large headers and a large key behind too', async () => {
    const { key, value, headers } = await theLetter(it_, { ...binary('{}', { bulk: large.slice(600_000) }), key: large.slice(400_000) });
    expect([key, value, headers.bulk]).toEqual([null, null, undefined]);
    expect(headers).toMatchObject({ dlq_reason: 'ADDRESS_INVALID', dlq_key: '', dlq_left_out: 'value,key,headers' });
  });

  it('is set aside whole where only the sentence was long', async () => {
    const { value, headers } = await theLetter(it_, binary(`{"amount":1,"${'y'.repeat(250_000)}":1}`, { bulk: large.slice(348_500) }));
    expect(value?.byteLength).toBeGreaterThan(250_000);
    expect(headers).toMatchObject({ dlq_reason: 'INPUT_INVALID' });
    expect(headers.dlq_error?.length).toBeLessThan(1_100);
    expect(headers.dlq_left_out).toBeUndefined();
  });
});

describe('a misplaced record', () => {
  it('is produced once to the partition of its key, with its age, and served there', async () => {
    const it = setup({ partitions: 3 });
    await it.replica('a');
    const wrong = (partitionOf('till/T1', 3) + 1) % 3;
    it.log.produce(COMMANDS, it.record('T1', 'add', { amount: 4 }, 'm-1'), wrong);
    expect(await it.outcome('T1', 'm-1')).toMatchObject({ reply: { cash: 4 } });
    await it.until(() => expect(it.committed(wrong)).toBe(1));
    const again = it.log.records(COMMANDS).find(({ partition }) => partition !== wrong);
    expect(Number(header(again?.headers.locus_appended))).toBeLessThanOrEqual(it.clock.now());
    expect(letters(it)).toEqual([]);
  });

  it('is a dead letter when it was produced again already', async () => {
    const it = setup({ partitions: 3 });
    await it.replica('a');
    const wrong = (partitionOf('till/T1', 3) + 1) % 3;
    const record = it.record('T1', 'add', { amount: 4 }, 'm-1');
    it.log.produce(COMMANDS, { ...record, headers: { ...record.headers, locus_rerouted: '1' } }, wrong);
    await it.until(() => expect(letters(it)).toEqual(['MISPLACED']));
    await it.until(() => expect(it.committed(wrong)).toBe(1));
    expect(await it.entry('T1', 'm-1')).toBeUndefined();
  });

  it('is a dead letter when it is too large to be produced again', async () => {
    const it = setup({ partitions: 3 });
    await it.replica('a');
    const wrong = (partitionOf('till/T1', 3) + 1) % 3;
    const record = it.record('T1', 'add', { amount: 4 }, 'm-1');
    it.log.produce(COMMANDS, { ...record, headers: { ...record.headers, bulk: Buffer.alloc(1_048_500) } }, wrong);
    await it.until(() => expect(letters(it)).toEqual(['MISPLACED']));
    await it.until(() => expect(it.committed(wrong)).toBe(1));
    expect(await it.entry('T1', 'm-1')).toBeUndefined();
  });

  it('closes its offset only once it is where it belongs', async () => {
    const it = setup({ partitions: 3 });
    await it.replica('a');
    const right = partitionOf('till/T1', 3);
    const wrong = (right + 1) % 3;
    it.log.setWriters('down');
    it.log.produce(COMMANDS, it.record('T1', 'add', { amount: 4 }, 'm-1'), wrong);
    await it.clock.advance(5_000);
    expect(it.committed(wrong)).toBeUndefined();
    it.log.setWriters('well');
    await it.until(() => expect(it.committed(wrong)).toBe(1));
    await it.outcome('T1', 'm-1');
  });
});

describe('a record older than what is remembered', () => {
  const options = { partitions: 1, limits: { dedupeWindowMs: 2 * 3_600_000 } };
  const aged = (it: Bundle, commandId: string, ms: number) => {
    const record = it.record('T1', 'add', { amount: 1 }, commandId);
    it.log.produce(COMMANDS, { ...record, headers: { ...record.headers, locus_appended: String(it.clock.now() - ms) } });
  };
  it('is a dead letter on first sight, judged by the newest record of its partition', async () => {
    const it = setup(options);
    await it.replica('a');
    aged(it, 'young', 3_500_000);
    aged(it, 'old', 3_700_000);
    await it.until(() => expect(letters(it)).toEqual(['STALE']));
    expect(await it.outcome('T1', 'young')).toMatchObject({ reply: { cash: 1 } });
    expect(await it.entry('T1', 'old')).toBeUndefined();
    await it.until(() => expect(it.committed()).toBe(2));
  });

  it('is a repeat and closes below what the store knows to be applied', async () => {
    const it = setup(options);
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    await node.drain();
    node.kill();
    it.clock.leap(3 * 3_600_000);
    const later = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    await it.until(() => expect(it.committed()).toBe(2));
    await later.drain();
    later.kill();
    it.log.moveOffset(it.group, { topic: COMMANDS, partition: 0 }, 0);
    const next = await it.replica('a');
    await it.until(() => expect(next.replica.partitions.tracker({ topic: COMMANDS, partition: 0 })?.watermark).toBe(2));
    expect([next.counts.turns, letters(it)]).toEqual([['duplicate'], []]);
  });
});

describe('redelivery', () => {
  it('of everything from offset 0 has no effect', async () => {
    const it = setup({ partitions: 2 });
    const first = await it.replica('a');
    const at = (n: number) => `T${n % 5}`;
    for (let n = 0; n < 5; n++) it.send(at(n), 'add', { amount: 100 });
    const ids = Array.from({ length: 40 }, (_, n) => ({ at: at(n), id: it.send(at(n), n % 3 === 0 ? 'pay' : 'add', { amount: 1 + n }) }));
    const before = [];
    for (const { at, id } of ids) before.push(await it.outcome(at, id));
    await it.until(() => expect((it.committed(0) ?? 0) + (it.committed(1) ?? 0)).toBe(45));
    await first.drain();
    first.kill();
    const events = published(it);
    const paid = it.device.calls.length;
    for (const partition of [0, 1]) it.log.moveOffset(it.group, { topic: COMMANDS, partition }, 0);
    const second = await it.replica('a');
    await it.until(() => expect(second.counts.turns).toHaveLength(45));
    expect(new Set(second.counts.turns)).toEqual(new Set(['duplicate']));
    expect(second.counts.redelivered).toBe(45);
    for (const [n, { at, id }] of ids.entries()) expect(await it.outcome(at, id)).toEqual(before[n]);
    expect([it.device.calls.length, published(it)]).toEqual([paid, events]);
  });

  it('of a record whose first delivery is still open touches neither tracker nor mailbox', async () => {
    const it = it_;
    const commits = held();
    const node = await it.replica('a', slow(commits.gate));
    const id = it.send('T1', 'add', { amount: 1 });
    await it.until(() => expect(node.replica.partitions.tracker({ topic: COMMANDS, partition: 0 })?.openCount).toBe(1));
    const record = it.log.records(COMMANDS)[0];
    if (record === undefined) throw new Error('no record');
    expect(node.replica.delivery.take(record)).toBe(true);
    await it.clock.advance(2_000);
    expect([it.committed(), node.counts.redelivered, node.replica.delivery.inflight]).toEqual([undefined, 1, 1]);
    commits.release();
    await it.outcome('T1', id);
    await it.until(() => expect(it.committed()).toBe(1));
    expect(node.counts.turns).toEqual(['done']);
  });

  it('within one batch takes effect once, and another payload under its id is a dead letter', async () => {
    const it = it_;
    const claims = held();
    const node = await it.replica(
      'a',
      bent((store) => ({ claim: async (...given) => claims.gate.then(() => store.claim(...given)) })),
    );
    for (const amount of [5, 5, 6]) it.send('T1', 'add', { amount }, 'x');
    const last = it.send('T1', 'look', {});
    claims.release();
    expect(await it.outcome('T1', last)).toMatchObject({ reply: { cash: 5 } });
    await it.until(() => expect(it.committed()).toBe(4));
    expect(node.counts.turns.sort()).toEqual(['done', 'done', 'duplicate', 'id-reused']);
    expect(letters(it)).toEqual(['ID_REUSED']);
  });
});

describe('a condition on a command', () => {
  it('of a deadline is judged when it is decided', async () => {
    const it = it_;
    await it.replica('a');
    const late = it.send('T1', 'add', { amount: 1 }, 'late', { deadlineMs: it.clock.now() - 1 });
    const early = it.send('T1', 'add', { amount: 1 }, 'early', { deadlineMs: it.clock.now() + 60_000 });
    expect(await it.outcome('T1', late)).toMatchObject({ status: 'refused', code: 'DEADLINE_EXCEEDED' });
    expect(await it.outcome('T1', early)).toMatchObject({ status: 'done' });
  });

  it('of a deadline is judged again before the intent, when the device took its time to answer', async () => {
    const it = it_;
    await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 9 }));
    it.device.before = (kind) => (kind === 'open' ? new Promise((resolve) => void it.clock.after(150, resolve)) : Promise.resolve());
    const id = it.send('T1', 'pay', { amount: 1 }, 'pay', { deadlineMs: it.clock.now() + 100 });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'refused', code: 'DEADLINE_EXCEEDED' });
    expect(it.device.calls).toEqual([]);
  });

  it('of a seq is judged at its turn, after what is known of its id', async () => {
    const it = it_;
    await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    const first = await it.outcome('T1', it.send('T1', 'add', { amount: 1 }, 'if', { ifSeq: 1 }));
    expect(first).toMatchObject({ status: 'done', seq: 2 });
    it.send('T1', 'add', { amount: 1 }, 'if', { ifSeq: 1 });
    expect(await it.outcome('T1', it.send('T1', 'add', { amount: 1 }, 'other', { ifSeq: 1 }))).toEqual({
      status: 'refused',
      code: 'PRECONDITION_FAILED',
      detail: { seq: 2 },
      seq: 3,
    });
    expect(await it.outcome('T1', 'if')).toEqual(first);
  });
});

it('lets no partition take what others need to have work under way', async () => {
  const it = setup({ partitions: 2, limits: { inflightMax: 10 } });
  const commits = held();
  const node = await it.replica('a', slow(commits.gate));
  const place = (n: number) => partitionOf(`till/T${n}`, 2);
  const many = Array.from({ length: 200 }, (_, n) => n);
  const [behind, ahead] = [0, 1].map((partition) => many.filter((n) => place(n) === partition));
  const ids = (ahead ?? []).slice(0, 30).map((n) => [n, it.send(`T${n}`, 'add', { amount: 1 })] as const);
  await it.clock.advance(200);
  expect(node.replica.delivery.inflight).toBe(5);
  const others = (behind ?? []).slice(0, 30).map((n) => [n, it.send(`T${n}`, 'add', { amount: 1 })] as const);
  await it.clock.advance(200);
  expect(node.replica.delivery.inflight).toBe(10);
  commits.release();
  for (const [n, id] of [...ids, ...others]) await it.outcome(`T${n}`, id);
  await it.until(() => expect(it.committed(0)).toBe(30));
  expect(node.replica.delivery.inflight).toBe(0);
});

it('pauses intake when as much is under way as may be, and goes on when room is made', async () => {
  const it = setup({ partitions: 1, limits: { inflightMax: 10 } });
  const commits = held();
  const node = await it.replica('a', slow(commits.gate));
  const ids = Array.from({ length: 50 }, (_, n) => it.send(`T${n}`, 'add', { amount: 1 }));
  await it.clock.advance(200);
  expect(node.replica.delivery.inflight).toBe(10);
  commits.release();
  for (const [n, id] of ids.entries()) await it.outcome(`T${n}`, id);
  await it.until(() => expect(it.committed()).toBe(50));
  expect(node.replica.delivery.inflight).toBe(0);
});
