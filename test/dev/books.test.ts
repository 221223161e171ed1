import { describe, expect, test } from 'vitest';
import { booksOf, type History } from '../../infra/dev/books.ts';
import { quantile } from '../../infra/dev/books-gaps.ts';
import { hashOf, type Raw } from '../../infra/dev/books-records.ts';

const ADDRESS = 'cash-location/a';
const START_MS = Date.parse('2026-01-01T00:00:00Z');
type Data = Record<string, unknown>;

/** A history under the pen: one location, USD notes of 2000, everything in order until a test breaks it. */
function setup() {
  const commands: Raw[] = [];
  const events: Raw[] = [];
  const deadLetters: Raw[] = [];
  const journal: string[] = [JSON.stringify({ kind: 'created', journal: 'j', atMs: 0 })];
  let seq = 0;
  const raw = (topic: string, offset: number, value: unknown, headers = {}): Raw => ({
    topic,
    partition: 0,
    offset,
    key: ADDRESS,
    value: typeof value === 'string' ? value : JSON.stringify(value),
    headers,
    appendedMs: START_MS,
  });
  const it = {
    commands,
    events,
    deadLetters,
    journal,
    command(name: string, id: string, data: Data) {
      const type = `cash-location.${name}`;
      commands.push(raw('commands', commands.length, { specversion: '1.0', id, type, source: 't', subject: ADDRESS, data }));
      return hashOf(type, data);
    },
    event(type: string, commandId: string, data: Data, more: { hash?: string; outcome?: Data; epoch?: number; atMs?: number } = {}) {
      seq++;
      const value = {
        ...{ specversion: '1.0', id: `${ADDRESS}:${seq}`, type: `cash-location.${type}`, subject: ADDRESS },
        ...{ locusseq: seq, locusepoch: more.epoch ?? 1, locuscommand: commandId, data },
        time: new Date(START_MS + (more.atMs ?? seq)).toISOString(),
        ...(more.outcome && { locusreply: JSON.stringify(more.outcome), locusinput: more.hash }),
      };
      events.push(raw('events', events.length, value));
    },
    moved(commandId: string, count: number) {
      const fence = { epoch: 1, seq: 1 };
      const rest = { location: 'a', commandId, currency: 'USD', ordered: { 2000: 2 }, retracted: {}, rejected: {}, fence, atMs: 1 };
      journal.push(JSON.stringify({ kind: 'moved', status: 'dispensed', notes: { 2000: count }, ...rest }));
    },
    load(id: string, count: number, cash: number) {
      const hash = it.command('load', id, { currency: 'USD', cassettes: [{ denomination: 2000, count }] });
      const outcome = { status: 'done', reply: { cash } };
      it.event('Loaded', id, { currency: 'USD', notes: { 2000: count } }, { hash, outcome });
    },
    intend(id: string) {
      const hash = it.command('dispense', id, { amount: 4000, currency: 'USD' });
      it.event('DispenseIntended', id, { commandId: id, currency: 'USD', amount: 4000, notes: { 2000: 2 } });
      return hash;
    },
    book(id: string, hash: string, count = 2, epoch = 1, atMs?: number) {
      const outcome = { status: 'done', reply: { amount: 2000 * count, notes: { 2000: count }, partial: count < 2 } };
      const data = { commandId: id, currency: 'USD', amount: 2000 * count, notes: { 2000: count }, partial: count < 2 };
      it.event('Dispensed', id, data, { hash, outcome, epoch, ...(atMs === undefined ? {} : { atMs }) });
    },
    dispense(id: string) {
      const hash = it.intend(id);
      it.moved(id, 2);
      it.book(id, hash);
    },
    books: () => booksOf({ commands, events, deadLetters, journal: `${journal.join('\n')}\n`, redelivered: 3 } satisfies History),
  };
  it.load('l1', 10, 20_000);
  it.dispense('d1');
  return it;
}

const faultsOf = (it: ReturnType<typeof setup>): string => it.books().faults.join('\n');

describe('books of a history in order', () => {
  test('add up', () => {
    const it = setup();
    const hash = it.command('dispense', 'd2', { amount: 30, currency: 'USD' });
    it.event(
      'Refused',
      'd2',
      { commandId: 'd2', code: 'NOT_DISPENSABLE' },
      { hash, outcome: { status: 'refused', code: 'NOT_DISPENSABLE' } },
    );
    expect(it.books()).toMatchObject({
      faults: [],
      accepted: 3,
      done: 2,
      refused: 1,
      inDoubt: 0,
      delivered: 1,
      booked: 1,
      redelivered: 3,
      recovered: 0,
    });
    expect(it.books().cash).toMatchObject({ supplied: { 'USD 2000': 10 }, cassettes: { 'USD 2000': 8 }, taken: { 'USD 2000': 2 } });
  });
  test('count an intent that was booked under a higher epoch as recovered', () => {
    const it = setup();
    const hash = it.intend('d2');
    it.moved('d2', 2);
    it.book('d2', hash, 2, 2);
    expect(it.books()).toMatchObject({ faults: [], recovered: 1 });
  });
  test('count what stays in doubt, with its cash, moved or not', () => {
    const it = setup();
    it.intend('d2');
    it.event('DispenseInDoubt', 'd2', { commandId: 'd2' });
    expect(it.books()).toMatchObject({ faults: [], inDoubt: 1, cash: { inDoubt: { 'USD 2000': 2 } } });
    it.moved('d2', 2);
    expect(it.books()).toMatchObject({ faults: [], inDoubt: 1, delivered: 2, booked: 1 });
  });
  test('take a repeated event, a repeated command and a dead letter for what they are', () => {
    const it = setup();
    it.events.push(it.events[1] as Raw);
    it.commands.push({ ...(it.commands[0] as Raw), offset: 2 });
    it.commands.push({ ...(it.commands[0] as Raw), offset: 3, value: '{' });
    it.deadLetters.push({
      ...(it.commands[0] as Raw),
      headers: { dlq_topic: 'commands', dlq_partition: '0', dlq_offset: '3', dlq_reason: 'JSON_INVALID' },
    });
    expect(it.books()).toMatchObject({ faults: [], accepted: 2, deadLetters: 1 });
  });
  test('measure the longest time in which a location had work and booked nothing', () => {
    const it = setup();
    const hash = it.intend('d2');
    it.moved('d2', 2);
    it.book('d2', hash, 2, 1, 5_000);
    expect(it.books().slowest).toEqual({ address: ADDRESS, outageMs: 4_996, untilMs: START_MS + 5_000 });
  });
  test('measure what each take-over cost whoever waited, and nothing while nobody did', () => {
    const it = setup();
    const first = it.intend('d2');
    it.moved('d2', 2);
    it.book('d2', first, 2, 2, 700);
    expect(it.books().takeOversMs).toEqual([696]);
    const later = it.command('load', 'l2', { currency: 'USD', cassettes: [{ denomination: 2000, count: 1 }] });
    it.commands.push({ ...(it.commands.pop() as Raw), appendedMs: START_MS + 9_000 });
    const outcome = { status: 'done', reply: { cash: 14_000 } };
    it.event('Loaded', 'l2', { currency: 'USD', notes: { 2000: 1 } }, { hash: later, outcome, epoch: 3, atMs: 9_300 });
    expect(it.books()).toMatchObject({ faults: [], takeOversMs: [300, 696] });
  });
  test.each([
    [0.5, 50],
    [0.99, 99],
    [1, 100],
  ])('take the value that a share of %d does not exceed: %i of 1 to 100', (share, value) => {
    const sorted = Array.from({ length: 100 }, (_, n) => n + 1);
    expect([quantile(sorted, share), quantile([], share)]).toEqual([value, 0]);
  });
});

describe('books find', () => {
  test('a dispense that was paid twice', () => {
    const it = setup();
    it.moved('d1', 2);
    expect(faultsOf(it)).toContain('cash-location/a d1 was dispensed twice');
  });
  test('a command that was lost', () => {
    const it = setup();
    it.command('dispense', 'd2', { amount: 4000, currency: 'USD' });
    expect(faultsOf(it)).toContain('d2 is lost');
  });
  test('an intent that was never settled', () => {
    const it = setup();
    it.intend('d2');
    expect(faultsOf(it)).toContain('d2 is lost');
  });
  test('a delivery that nobody booked', () => {
    const it = setup();
    const hash = it.intend('d2');
    it.moved('d2', 2);
    it.event(
      'DispenseFailed',
      'd2',
      { commandId: 'd2', code: 'DEVICE_FAILED' },
      { hash, outcome: { status: 'refused', code: 'DEVICE_FAILED' } },
    );
    expect(faultsOf(it)).toContain('d2 was delivered and is not booked');
    expect(faultsOf(it)).toContain('cash is not conserved');
  });
  test('a booking that the device knows nothing of, and one that differs', () => {
    const unmoved = setup();
    unmoved.book('d2', unmoved.intend('d2'));
    expect(faultsOf(unmoved)).toContain('d2 is booked, but the device moved nothing');
    const other = setup();
    const hash = other.intend('d3');
    other.moved('d3', 1);
    other.book('d3', hash, 2);
    expect(faultsOf(other)).toContain('d3 is booked otherwise');
  });
  test('a delivery without an intent', () => {
    const it = setup();
    it.moved('d9', 2);
    expect(faultsOf(it)).toContain('d9 was ordered from the device without an intent');
  });
  test('a gap in the seqs of a location', () => {
    const it = setup();
    it.events.splice(1, 1);
    expect(faultsOf(it)).toContain('a gap, 3 comes after 1');
  });
  test('two events under one seq', () => {
    const it = setup();
    it.events.push({ ...(it.events[2] as Raw), value: (it.events[2] as Raw).value?.replace('"partial":false', '"partial":true') ?? null });
    expect(faultsOf(it)).toContain('cash-location/a:3 stands there twice and differs');
  });
  test('an epoch that went back', () => {
    const it = setup();
    it.book('d2', it.intend('d2'), 2, 0);
    expect(faultsOf(it)).toContain('a lower epoch');
  });
  test('cash made from nothing', () => {
    const more = setup();
    const hash = more.command('load', 'l2', { currency: 'USD', cassettes: [{ denomination: 2000, count: 1 }] });
    more.event('Loaded', 'l2', { currency: 'USD', notes: { 2000: 5 } }, { hash, outcome: { status: 'done', reply: { cash: 26_000 } } });
    expect(faultsOf(more)).toContain('cash made from nothing: not what the load command brought');
    expect(faultsOf(more)).toContain('cash is not conserved: 11 notes of USD 2000 supplied, 15 found');
    const below = setup();
    for (const id of ['d2', 'd3', 'd4', 'd5', 'd6']) below.dispense(id);
    expect(faultsOf(below)).toContain('cash made from nothing: -2 notes of USD 2000');
  });
  test('a reply that says something else than the books', () => {
    const it = setup();
    it.load('l2', 1, 1);
    expect(faultsOf(it)).toContain('the reply says 1, the cassettes hold 18000');
  });
  test('a second outcome of one command', () => {
    const it = setup();
    it.load('l1', 10, 36_000);
    expect(faultsOf(it)).toContain('cash-location/a l1 has a second outcome');
  });
  test('an outcome that nobody asked for, and one of another payload', () => {
    const stranger = setup();
    stranger.load('l2', 1, 18_000);
    stranger.commands.pop();
    expect(faultsOf(stranger)).toContain('l2 has an outcome, but nobody sent it');
    const other = setup();
    const hash = hashOf('cash-location.open', {});
    other.command('close', 'x', {});
    other.event('Closed', 'x', {}, { hash, outcome: { status: 'done', reply: {} } });
    expect(faultsOf(other)).toContain('x has the outcome of another payload');
  });
  test('a bad record that is no dead letter, and a good one that is', () => {
    const it = setup();
    it.commands.push({ ...(it.commands[0] as Raw), offset: 7, value: '{"specversion":"1.0"}' });
    const headers = { dlq_topic: 'commands', dlq_partition: '0', dlq_offset: '1', dlq_reason: 'INPUT_INVALID' };
    it.deadLetters.push({ ...(it.commands[0] as Raw), headers });
    expect(faultsOf(it)).toContain('commands/0/7 is no command (no id) and no dead letter');
    expect(faultsOf(it)).toContain('commands/0/1 is a good command but a dead letter: INPUT_INVALID');
  });
  test('an original that is reversed twice, or by more than was taken', () => {
    const it = setup();
    for (const id of ['r1', 'r2']) {
      const hash = it.command('reverse', id, { commandId: 'd1' });
      const outcome = { status: 'done', reply: { commandId: 'd1', amount: 9000 } };
      it.event('Reversed', id, { commandId: 'd1', currency: 'USD', amount: 9000 }, { hash, outcome });
    }
    expect(faultsOf(it)).toContain('d1 is reversed a second time');
    expect(faultsOf(it)).toContain('d1 is reversed by more than was taken');
  });
});
