import { beforeEach, describe, expect, it } from 'vitest';
import { type Definition, definitions } from '../../src/runtime/definition.ts';
import { entryParts } from '../../src/runtime/ground.ts';
import { inspectLocation } from '../../src/runtime/inspection.ts';
import { withTimers } from '../../src/runtime/timers.ts';
import { held, setup } from './bundle.ts';
import { COMMANDS, LETTERS } from './fleet.ts';
import { mood, TillDevice } from './till.ts';

type Bundle = ReturnType<typeof setup>;
let it_: Bundle;
beforeEach(() => {
  it_ = setup({ partitions: 1, limits: { idleMs: 2_000 } });
});
type Set = { readonly name: string; readonly at: unknown; readonly command?: string; readonly input?: unknown };
const later = (it: Bundle, ...timers: readonly Set[]) =>
  it.send('T1', 'later', { timers: timers.map((timer) => ({ command: 'add', input: { amount: 1 }, ...timer })) });
/** Arms one timer, due in `inMs`; the commandId under which it will fire. */
async function arm(it: Bundle, name: string, inMs: number, more: Partial<Set> = {}) {
  const at = it.clock.now() + inMs;
  const { seq } = (await it.outcome('T1', later(it, { name, at, ...more }))) as { seq: number };
  return { at, id: `~timer/${name}/${seq - 1}` };
}
const letters = (it: Bundle) => it.log.records(LETTERS).map(({ headers }) => Buffer.from(headers.dlq_reason ?? '').toString());
const sent = (it: Bundle, id: string) =>
  it.log.records(COMMANDS).filter(({ value }) => JSON.parse(Buffer.from(value ?? '').toString()).id === id).length;
const header = async (it: Bundle) => (await it.view.read('till/T1'))?.header.timers;
const cash = async (it: Bundle) => (await it.outcome('T1', it.send('T1', 'look', {}))).reply;

describe('a timer', () => {
  it('fires once, at its time and not before, by a record of its own id, and is cleared with the outcome', async () => {
    const it = it_;
    await it.replica('a');
    const { id } = await arm(it, 'close', 5_000, { command: 'add', input: { amount: 7 } });
    await it.clock.advance(4_900);
    expect([await cash(it), sent(it, id)]).toEqual([{ cash: 0 }, 0]);
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done', reply: { cash: 7 } });
    await it.clock.advance(3_600_000);
    expect([await cash(it), sent(it, id), await header(it), letters(it)]).toEqual([{ cash: 7 }, 1, undefined, []]);
    expect(it.types('T1').slice(0, 2)).toEqual(['TimersSet', 'Accepted']);
    expect(it.events('T1')[0]?.data).toEqual({ timers: [{ name: 'close', at: expect.any(Number), command: 'add', input: { amount: 7 } }] });
  });

  it('that is due already fires at once, with a turn no earlier than what was asked for', async () => {
    const it = it_;
    await it.replica('a');
    const past = await arm(it, 'past', -60_000, { command: 'note', input: {} });
    expect(await it.outcome('T1', past.id)).toMatchObject({ status: 'done' });
    // Whoever decides may have a clock that is behind the one that sent it.
    const { at, id } = await arm(it, 'ahead', 50_000, { command: 'note', input: {} });
    it.send('T1', 'note', {}, id);
    expect(await it.outcome('T1', id)).toMatchObject({ reply: { now: at } });
  });

  it('is replaced by one of its name and cancelled by null; what was under way of it is a dead letter', async () => {
    const it = it_;
    await it.replica('a');
    const first = await arm(it, 'close', 5_000);
    const second = await arm(it, 'close', 8_000);
    it.send('T1', 'add', { amount: 1 }, first.id);
    await it.until(() => expect(letters(it)).toEqual(['TIMER_NOT_ARMED']));
    await it.outcome('T1', second.id);
    await arm(it, 'other', 5_000);
    await it.outcome('T1', later(it, { name: 'other', at: null }, { name: 'never-armed', at: null }));
    await it.clock.advance(20_000);
    expect([await cash(it), await header(it), letters(it)]).toEqual([{ cash: 1 }, undefined, ['TIMER_NOT_ARMED']]);
  });

  it('may arm itself again, under a new id', async () => {
    const it = it_;
    await it.replica('a');
    const again = { name: 'tick', at: it.clock.now() + 6_000, command: 'add', input: { amount: 5 } };
    const { id } = await arm(it, 'tick', 3_000, { command: 'later', input: { timers: [again] } });
    const { seq } = (await it.outcome('T1', id)) as { seq: number };
    expect(await it.outcome('T1', `~timer/tick/${seq - 1}`)).toMatchObject({ reply: { cash: 5 } });
    expect(await header(it)).toBeUndefined();
  });

  it('may perform: its intent takes its place', async () => {
    const it = it_;
    await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 9 }));
    const { id } = await arm(it, 'pay-out', 1_000, { command: 'pay', input: { amount: 2 } });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done', reply: { amount: 2 } });
    expect([await header(it), it.device.paid.size]).toEqual([undefined, 1]);
  });

  it('is shown with its location', async () => {
    const it = it_;
    const node = await it.replica('a');
    const b = await arm(it, 'b', 9_000);
    const a = await arm(it, 'a', 12_000);
    const timers = (await inspectLocation(node.replica, 'till/T1')) as { timers: unknown };
    expect(timers.timers).toEqual([
      { name: 'b', at: new Date(b.at).toISOString(), command: 'add', input: { amount: 1 }, commandId: b.id },
      { name: 'a', at: new Date(a.at).toISOString(), command: 'add', input: { amount: 1 }, commandId: a.id },
    ]);
  });
});

describe('a location that is not in memory', () => {
  it('has its timer fire all the same, and stays in the index until then', async () => {
    const it = it_;
    const node = await it.replica('a');
    const { id } = await arm(it, 'close', 30_000);
    await it.until(() => expect(node.replica.router.size).toBe(0));
    expect(await it.view.marked(0)).toEqual(['till/T1']);
    await it.outcome('T1', id);
    await it.until(() => expect(node.replica.router.size).toBe(0));
    expect(await it.view.marked(0)).toEqual([]);
  });

  it('has timers that were missed while nobody was there fire once, those to come at their time', async () => {
    const it = it_;
    const first = await it.replica('a');
    const missed = await arm(it, 'missed', 10_000);
    const coming = await arm(it, 'coming', 7_200_000);
    await it.until(() => expect(first.replica.router.size).toBe(0));
    first.kill();
    it.clock.leap(3_600_000);
    const second = await it.replica('b');
    await it.outcome('T1', missed.id);
    await it.until(() => expect(second.replica.router.size).toBe(0));
    second.kill();
    const third = await it.replica('c');
    await it.clock.advance(10_000);
    expect([third.replica.router.size, third.replica.partitions.heldPartitions, sent(it, missed.id)]).toEqual([0, [0], 1]);
    await it.clock.advance(coming.at - it.clock.now() - 1_000);
    expect(sent(it, coming.id)).toBe(0);
    await it.outcome('T1', coming.id);
    expect([await cash(it), letters(it)]).toEqual([{ cash: 2 }, []]);
  });
});

describe('the record of a timer', () => {
  it('is a repeat when it comes again, whoever sends it', async () => {
    const it = it_;
    const node = await it.replica('a');
    const { id } = await arm(it, 'close', 1_000);
    const first = await it.outcome('T1', id);
    it.send('T1', 'add', { amount: 1 }, id);
    await it.until(() => expect(it.committed()).toBe(3));
    expect([await it.outcome('T1', id), node.counts.turns, letters(it)]).toEqual([first, ['done', 'done', 'duplicate'], []]);
  });

  it.each([
    ['another input', 'add', { amount: 2 }, (id: string) => id],
    ['another command', 'look', {}, (id: string) => id],
    ['another seq', 'add', { amount: 1 }, (id: string) => id.replace(/\d+$/, '99')],
    ['another name', 'add', { amount: 1 }, (id: string) => id.replace('close', 'open')],
    ['a name of every object', 'add', { amount: 1 }, (id: string) => id.replace('close', 'constructor')],
  ])('with %s than what is armed is a dead letter and takes nothing from it', async (_name, command, input, bend) => {
    const it = it_;
    await it.replica('a');
    const { id } = await arm(it, 'close', 5_000);
    const before = it.send('T1', 'add', { amount: 10 });
    it.send('T1', command, input, bend(id));
    const behind = it.send('T1', 'add', { amount: 20 });
    await it.until(() => expect(letters(it)).toEqual(['TIMER_NOT_ARMED']));
    for (const each of [before, behind]) await it.outcome('T1', each);
    expect(await it.outcome('T1', id)).toMatchObject({ reply: { cash: 31 } });
  });

  it('with another payload than the one that has taken effect is a dead letter', async () => {
    const it = it_;
    await it.replica('a');
    const { id } = await arm(it, 'close', 1_000);
    await it.outcome('T1', id);
    it.send('T1', 'add', { amount: 2 }, id);
    await it.until(() => expect(letters(it)).toEqual(['TIMER_NOT_ARMED']));
  });

  it('is sent again until the log has it', async () => {
    const it = it_;
    await it.replica('a');
    const { id } = await arm(it, 'close', 1_000);
    it.log.setWriters('down');
    await it.clock.advance(20_000);
    expect(sent(it, id)).toBe(0);
    it.log.setWriters('well');
    await it.outcome('T1', id);
    expect(sent(it, id)).toBe(1);
  });

  it('is sent again when it was lost with its topic', async () => {
    const it = it_;
    const { replica } = await it.replica('a');
    const { id } = await arm(it, 'close', 1_000);
    const take = replica.delivery.take.bind(replica.delivery);
    let lost = 0;
    replica.delivery.take = (record) => (lost++ === 0 ? true : take(record));
    await it.until(() => expect(lost).toBe(1));
    expect(await it.outcome('T1', id).catch(() => 'nothing')).toBe('nothing');
    expect(await it.clock.until(() => it.outcome('T1', id), 1_200_000)).toMatchObject({ status: 'done' });
    expect(sent(it, id)).toBe(2);
  });
});

describe('a location that is stuck', () => {
  /** Its device holds a payment on the wire; what is due meanwhile waits in the inbox. */
  async function stuck(it: Bundle) {
    const wire = held();
    await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    const { id } = await arm(it, 'close', 1_000);
    it.device.before = (kind) => (kind === 'run' ? wire.gate : Promise.resolve());
    it.send('T1', 'pay', { amount: 1 });
    return { id, wire };
  }
  const inboxed = async (it: Bundle) => (await it.view.read('till/T1'))?.inbox.customer;

  it('has what is due wait in its inbox, so that its partition goes on', async () => {
    const it = it_;
    const { id, wire } = await stuck(it);
    await it.until(async () => expect(await inboxed(it)).toBe(1));
    await it.until(() => expect(it.committed()).toBe(4));
    wire.release();
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done', reply: { cash: 100 } });
    expect(await header(it)).toBeUndefined();
  });

  it('keeps nothing there that is not armed', async () => {
    const it = it_;
    const { wire } = await stuck(it);
    it.send('T1', 'add', { amount: 5 }, '~timer/close/99');
    await it.until(() => expect(letters(it)).toEqual(['TIMER_NOT_ARMED']));
    expect(await it.entry('T1', '~timer/close/99')).toBeUndefined();
    wire.release();
  });

  it('refuses what was cancelled before its turn', async () => {
    const it = it_;
    const { id, wire } = await stuck(it);
    const cancel = later(it, { name: 'close', at: null });
    await it.until(async () => expect(await inboxed(it)).toBe(2));
    wire.release();
    await it.outcome('T1', cancel);
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'refused', code: 'TIMER_NOT_ARMED' });
    expect([await cash(it), await inboxed(it)]).toEqual([{ cash: 99 }, 0]);
  });
});

describe('what an author asks for that could never fire', () => {
  const amount = { amount: 1 };
  it.each([
    ['a name that is none', { name: 'a/b', at: 1 }, /timer "a\/b": its name must match/],
    ['no whole time', { name: 'a', at: 1.5 }, /timer "a": at is 1.5: must be whole ms/],
    [
      'an unknown command',
      { name: 'a', at: 1, command: 'fly' },
      /timer "a": its command "fly": command is "fly": till has the commands add, /,
    ],
    ['an input that does not fit', { name: 'a', at: 1, input: { amount: -1 } }, /timer "a": its command "add": input.amount is -1/],
  ])('such as %s, parks its command by that name and arms nothing', async (_name, timer, text) => {
    const it = it_;
    await it.replica('a');
    const id = later(it, { command: 'add', input: amount, name: 'good', at: 1 }, timer);
    const parked = await it.until(async () => {
      const found = (await it.view.read('till/T1'))?.header.parked;
      if (found === undefined) throw new Error('not parked');
      return JSON.parse(found);
    });
    expect([parked.command.commandId, parked.error, await header(it)]).toEqual([id, expect.stringMatching(text), undefined]);
  });

  it('such as one name twice in a turn, or more of them than may be', async () => {
    const it = it_;
    const node = await it.replica('a');
    const many = Array.from({ length: 257 }, (_, n) => ({ name: `n${n}`, at: 9e12 }));
    for (const [timers, text] of [
      [
        [
          { name: 'a', at: 1 },
          { name: 'a', at: 2 },
        ],
        /stands twice in one turn/,
      ],
      [many, /257 timers are armed: a location may have 256/],
    ] as const) {
      const id = later(it, ...timers);
      await it.until(async () => expect((await it.entry('T1', id))?.status).toBe('parked'));
      expect(JSON.parse((await it.view.read('till/T1'))?.header.parked ?? '').error).toMatch(text);
      await node.act('T1', { verb: 'drop', commandId: id });
    }
  });
});

it('refuses to arm what no record could carry, and more than a location may keep', () => {
  const whose = { definition: definitions([new TillDevice().bound()]).get('till') as Definition, address: 'till/T1', source: 'test' };
  const asked = (name: string, input: unknown) => [{ name, at: 1, command: 'later', input }];
  const filled = (size: number) => ({ timers: ['x'.repeat(size)] });
  expect(() => withTimers(whose, {}, asked('a', undefined), 1)).toThrow(/timer "a": its record cannot be sent: data is undefined/);
  expect(() => withTimers(whose, {}, asked('a', filled(262_144)), 1)).toThrow(
    /timer "a": its record cannot be sent: value is "262\d+ bytes"/,
  );
  const { timers } = withTimers(whose, {}, asked('a', filled(150_000)), 1);
  expect(() => withTimers(whose, timers, asked('b', filled(150_000)), 2)).toThrow(
    /the timers armed take 300\d+ characters: all of a location/,
  );
  expect(withTimers(whose, timers, asked('a', filled(150_000)), 2).timers).toMatchObject({ a: { seq: 2 } });
});

describe('a timer whose command is parked', () => {
  it('runs when it is replayed, and is gone when it is dropped', async () => {
    const it = it_;
    const node = await it.replica('a');
    for (const verb of ['replay', 'drop'] as const) {
      const { id } = await arm(it, 'bad', 500, { command: 'fail', input: {} });
      mood.throws = 5;
      await it.until(async () => expect((await it.entry('T1', id))?.status).toBe('parked'));
      await it.clock.advance(1_300_000);
      expect((await node.act('T1', { verb, commandId: id })).kind).toBe('acted');
      const entry = await it.entry('T1', id);
      expect([entry?.status, await header(it)]).toEqual([verb === 'replay' ? 'done' : 'refused', undefined]);
      expect(entryParts(entry?.text ?? '').facts.c).toBe('fail');
    }
    expect(letters(it)).toEqual([]);
  });
});
