import { describe, expect, it } from 'vitest';
import { held, setup } from './bundle.ts';
import { COMMANDS, LETTERS } from './fleet.ts';

describe('the road of one command', () => {
  it('leads from a record through one actor to a committed outcome and a published event', async () => {
    const { replica, send, outcome, events, until } = setup();
    await replica('a');
    const id = send('T1', 'add', { amount: 5 });
    expect(await outcome('T1', id)).toEqual({ status: 'done', reply: { cash: 5 }, seq: 1, epoch: expect.any(Number) });
    await until(() => expect(events('T1').map((event) => event.type)).toEqual(['till.Added']));
  });

  it('commits the offset once every record below it is final', async () => {
    const { replica, send, outcome, log, group, until } = setup({ partitions: 1 });
    await replica('a');
    const ids = Array.from({ length: 50 }, (_, n) => send(`T${n % 7}`, 'add', { amount: 1 }));
    for (const [n, id] of ids.entries()) await outcome(`T${n % 7}`, id);
    await until(() => expect(log.committed(group, { topic: COMMANDS, partition: 0 })).toBe(50));
  });

  it('answers a repeat with the first outcome and another payload under the same id with a dead letter', async () => {
    const { replica, send, outcome, log, until } = setup();
    const { counts } = await replica('a');
    send('T1', 'add', { amount: 5 }, 'x');
    const first = await outcome('T1', 'x');
    send('T1', 'add', { amount: 5 }, 'x');
    send('T1', 'add', { amount: 6 }, 'x');
    await until(() => expect(counts.letters).toEqual(['ID_REUSED']));
    expect(counts.turns).toContain('duplicate');
    expect(await outcome('T1', 'x')).toEqual(first);
    expect(log.records(LETTERS)).toHaveLength(1);
  });

  it('runs an effect between a durable intent and its settled outcome', async () => {
    const { replica, send, outcome, events, device, until } = setup();
    await replica('a');
    send('T1', 'add', { amount: 10 });
    const id = send('T1', 'pay', { amount: 4 });
    expect(await outcome('T1', id)).toMatchObject({ status: 'done', reply: { amount: 4 } });
    expect(device.paid.get(id)).toBe(4);
    await until(() => expect(events('T1').map((event) => event.type)).toEqual(['till.Added', 'till.PayIntended', 'till.Paid']));
  });

  it('commits a refusal with an event of its own', async () => {
    const { replica, send, outcome, events, until } = setup();
    await replica('a');
    const id = send('T1', 'pay', { amount: 4 });
    expect(await outcome('T1', id)).toEqual({ status: 'refused', code: 'TOO_LITTLE', detail: { cash: 0 }, seq: 1 });
    await until(() => expect(events('T1').map((event) => event.type)).toEqual(['till.Refused']));
  });

  it('lets others go on while a location waits for its device, and moves what waits there to its inbox', async () => {
    const { replica, send, outcome, entry, device, log, group, until } = setup({ partitions: 1 });
    const { gate, release } = held();
    device.before = async (kind) => (kind === 'run' ? gate : undefined);
    await replica('a');
    send('T1', 'add', { amount: 10 });
    const stuck = send('T1', 'pay', { amount: 1 });
    const waits = send('T1', 'add', { amount: 1 });
    const other = send('T2', 'add', { amount: 1 });
    await outcome('T2', other);
    await until(async () => expect((await entry('T1', waits))?.status).toBe('inboxed'));
    await until(() => expect(log.committed(group, { topic: COMMANDS, partition: 0 })).toBe(4));
    release();
    await outcome('T1', stuck);
    expect(await outcome('T1', waits)).toMatchObject({ status: 'done' });
  });

  it('records doubt before it asks, asks under a higher fence, and books the answer', async () => {
    const { replica, send, outcome, events, device, until } = setup();
    const { gate, release } = held();
    device.after = () => gate;
    await replica('a');
    send('T1', 'add', { amount: 10 });
    const id = send('T1', 'pay', { amount: 3 });
    expect(await outcome('T1', id)).toMatchObject({ status: 'done', reply: { amount: 3 } });
    release();
    await until(() =>
      expect(events('T1').map((event) => event.type)).toEqual(['till.Added', 'till.PayIntended', 'till.PayInDoubt', 'till.Paid']),
    );
    const [intended] = events('T1').filter((event) => event.type === 'till.PayIntended');
    const probed = device.calls.find((call) => call.startsWith('probe'));
    expect(probed).toBe(`probe ${id} ${intended?.locusepoch}/3`);
  });

  it('settles the open intent of a replica that vanished exactly once', async () => {
    const { replica, send, outcome, device, events, until } = setup({ partitions: 1 });
    const { gate, release } = held();
    device.after = () => gate;
    const first = await replica('a');
    send('T1', 'add', { amount: 10 });
    const id = send('T1', 'pay', { amount: 3 });
    await until(() => expect(device.paid.get(id)).toBe(3));
    first.kill();
    const second = await replica('b');
    expect(await outcome('T1', id)).toMatchObject({ status: 'done', reply: { amount: 3 } });
    release();
    expect(second.counts.recovered).toBe(1);
    await until(() => expect(events('T1').filter((event) => event.type === 'till.Paid')).toHaveLength(1));
  });

  it('parks a command that would break an invariant', async () => {
    const { replica, send, entry, until } = setup();
    await replica('a');
    const id = send('T1', 'overdraw', {});
    await until(async () => expect((await entry('T1', id))?.status).toBe('parked'));
  });

  it('hands its locations over on a drain, and what was not done is done by the next', async () => {
    const { replica, send, outcome } = setup({ partitions: 2 });
    const a = await replica('a');
    const ids = Array.from({ length: 200 }, (_, n) => ({ at: `T${n % 20}`, id: send(`T${n % 20}`, 'add', { amount: 1 }) }));
    const b = await replica('b');
    await a.drain();
    for (const { at, id } of ids) await outcome(at, id);
    expect(b.replica.router.size).toBeGreaterThan(0);
  });
});
