/** What callers over HTTP get of a replica: one outcome for one id, 404 that promises nothing, and nobody served after they left. */
import { expect, it } from 'vitest';
import type { Submission } from '../../src/desk.ts';
import { LocusError } from '../../src/errors.ts';
import { bent, setup as bundle, held } from './bundle.ts';
import { COMMANDS } from './fleet.ts';
import { frontOf } from './front.ts';

async function setup(wrap?: Parameters<ReturnType<typeof bundle>['replica']>[1]) {
  const it = bundle();
  const { replica } = await it.replica('a', wrap);
  const { front, waiters } = await frontOf(it, replica);
  const submit = (name: string, input: unknown, more: Partial<Submission> = {}) =>
    it.clock.run(front.submit({ address: 'till/T1', name, commandId: 'c1', input, waitMs: 10_000, ...more }));
  /** The deadline that the last command took into the log. */
  const deadline = () => {
    const record = it.log.records(COMMANDS).at(-1);
    const { locusdeadline } = JSON.parse(Buffer.from(record?.value ?? '').toString()) as { locusdeadline?: string };
    return locusdeadline === undefined ? undefined : Date.parse(locusdeadline);
  };
  return { ...it, front, submit, deadline, waiters, node: replica };
}

it('answers with the stored outcome, and a repeat with the same bytes and no second record', async () => {
  const { submit, log, front, clock } = await setup();
  const told = await submit('add', { amount: 5 });
  expect(told).toMatchObject({
    kind: 'final',
    status: 'done',
    text: expect.stringMatching(/^\{"status":"done","reply":\{"cash":5\},"seq":1,/),
  });
  expect(await submit('add', { amount: 5 })).toEqual(told);
  expect(await clock.run(front.outcome('till/T1', 'c1'))).toEqual(told);
  expect(log.records(COMMANDS)).toHaveLength(1);
});

it('says that an id belongs to another body', async () => {
  const { submit } = await setup();
  await submit('add', { amount: 5 });
  expect(await submit('add', { amount: 6 })).toEqual({ kind: 'id-reused' });
});

it('refuses what no record could repair, without producing it', async () => {
  const { submit, log } = await setup();
  expect(await submit('add', { amount: -5 })).toMatchObject({
    kind: 'invalid',
    faults: [{ code: 'INPUT_INVALID', field: 'input.amount' }],
  });
  expect(await submit('constructor', {})).toMatchObject({ kind: 'invalid', faults: [{ code: 'COMMAND_UNKNOWN' }] });
  expect(await submit('add', {}, { address: 'shop/T1' })).toMatchObject({ kind: 'invalid', faults: [{ code: 'TYPE_UNKNOWN' }] });
  expect(log.records(COMMANDS)).toEqual([]);
});

it('says pending while nothing is known in time, and the outcome later', async () => {
  const { submit, front, device, clock, until } = await setup();
  await submit('add', { amount: 50 }, { commandId: 'c0' });
  const { gate, release } = held();
  device.before = () => gate;
  expect(await submit('pay', { amount: 20 }, { waitMs: 500 })).toEqual({ kind: 'waiting', status: 'pending' });
  release();
  await until(async () => expect(await front.outcome('till/T1', 'c1')).toMatchObject({ kind: 'final', status: 'done' }));
  expect(await clock.run(front.outcome('till/T1', 'c9'))).toEqual({ kind: 'unknown' });
});

it('gives a command for which somebody is present a deadline, as long as the wait', async () => {
  const { submit, deadline, clock } = await setup();
  const fromMs = clock.now();
  await submit('pay', { amount: 5 }, { waitMs: 3_000 });
  expect(deadline()).toBe(fromMs + 3_000);
});

it('takes a person to stay ten seconds when the client does not wait itself', async () => {
  const { submit, deadline, clock, outcome } = await setup();
  await submit('add', { amount: 50 }, { commandId: 'c0' });
  const fromMs = clock.now();
  expect(await submit('pay', { amount: 5 }, { waitMs: 0 })).toEqual({ kind: 'waiting', status: 'pending' });
  expect(deadline()).toBe(fromMs + 10_000);
  expect(await outcome('T1', 'c1')).toMatchObject({ status: 'done' });
});

it('says pending once the log has the command, even when the store goes away', async () => {
  let away = false;
  const { submit, log } = await setup(
    bent((store) => ({
      recall: (address, ids) => (away ? Promise.reject(new LocusError('STORE_DOWN', 'no connection')) : store.recall(address, ids)),
    })),
  );
  away = true;
  await expect(submit('add', { amount: 5 })).rejects.toThrow('no connection');
  expect(log.records(COMMANDS)).toEqual([]);
  away = false;
  const told = submit('add', { amount: 5 }, { waitMs: 3_000 });
  away = true;
  expect(await told).toEqual({ kind: 'waiting', status: 'pending' });
  expect(log.records(COMMANDS)).toHaveLength(1);
});

it('lets only so many callers wait, and takes those that do not', async () => {
  const { submit, waiters, log } = await setup();
  for (let n = 0; n < 10_000; n++) void waiters.next('till/T1', `w-${n}`, 60_000);
  await expect(submit('add', { amount: 5 })).rejects.toMatchObject({ code: 'BUSY' });
  expect(log.records(COMMANDS)).toEqual([]);
  expect(await submit('add', { amount: 5 }, { waitMs: 0 })).toEqual({ kind: 'waiting', status: 'pending' });
  expect(log.records(COMMANDS)).toHaveLength(1);
});

it('leaves the deadline to the client that gives one, and sets none where nobody is present', async () => {
  const { submit, deadline, clock } = await setup();
  const deadlineMs = clock.now() + 77_000;
  await submit('pay', { amount: 5 }, { deadlineMs });
  expect(deadline()).toBe(deadlineMs);
  await submit('add', { amount: 5 }, { commandId: 'c2' });
  expect(deadline()).toBeUndefined();
});

it('reads committed state through a query, and knows no query of Object', async () => {
  const { submit, front, clock } = await setup();
  expect(await clock.run(front.query('till/T1', 'cash'))).toBeUndefined();
  await submit('add', { amount: 5 });
  expect(await clock.run(front.query('till/T1', 'cash'))).toEqual({ seq: 1, body: { cash: 5 } });
  expect(await clock.run(front.query('till/T1', undefined))).toEqual({ seq: 1, body: { cash: 5, paying: 0 } });
  expect(await clock.run(front.query('till/T1', 'toString'))).toBe('no-such-query');
});

it('takes no command while it drains, and is not ready', async () => {
  const { submit, front, node, clock, until } = await setup();
  await until(() => expect(front.health()).toEqual({ live: undefined, started: undefined, ready: undefined, told: [] }));
  await clock.run(node.drain());
  await expect(submit('add', { amount: 5 }, { commandId: 'c2' })).rejects.toThrow(LocusError);
  expect(front.health().ready).toBe('draining');
});
