import { expect, test } from 'vitest';
import type { Line } from '../../infra/device/journal.ts';
import type { Random } from '../../src/ports.ts';
import { quiet } from '../contract/quiet.ts';
import { TestClock } from '../runtime/test-clock.ts';
import { type DeviceFaults, simulatedDevice } from './device.ts';

const order = { currency: 'USD', notes: { 2000: 3 } };
const never = new AbortController().signal;

/** 0.5 for ever: a share of 1 always happens, a share of 0 never. */
const even: Random = { next: () => 0.5, hex: (bytes) => 'ab'.repeat(bytes) };

async function setup(faults: Partial<DeviceFaults> = {}) {
  const clock = new TestClock();
  const heard: Line[] = [];
  let identities = 0;
  const random = { ...even, hex: () => `journal-${++identities}` };
  const device = await simulatedDevice({ clock, random, heard: (line) => heard.push(line) });
  device.setFault(faults);
  const { open, run, probe } = device.handlers({ clock, log: quiet });
  const context = (key: string, seq: number, signal = never) => ({
    address: 'cash-location/ATM-1',
    key,
    fence: { epoch: 1, seq },
    witness: 'journal-1',
    signal,
  });
  return {
    clock,
    device,
    heard,
    open: (seq: number) => clock.run(open(context('', seq))),
    run: (key: string, seq: number, signal?: AbortSignal) => run(order, context(key, seq, signal)),
    probe: (key: string, seq: number) => probe(order, context(key, seq)),
    moved: () => device.lines.filter((line) => line.kind === 'moved').length,
  };
}

test('an order is confirmed, and each line is told as it takes effect', async () => {
  const { clock, open, run, heard, device } = await setup();
  expect(await open(1)).toBe('journal-1');
  expect(await clock.run(run('c-1', 2))).toMatchObject({ status: 'confirmed', result: { status: 'dispensed', notes: { 2000: 3 } } });
  expect(heard.map((line) => line.kind)).toEqual(['created', 'fence', 'moved']);
  expect(device.lines).toEqual(heard);
});

test('a repeated key pays once, unless the device does not remember', async () => {
  const { clock, run, moved, device } = await setup();
  await clock.run(run('c-1', 1));
  await clock.run(run('c-1', 2));
  expect(moved()).toBe(1);
  device.setFault({ noDedupe: true });
  await clock.run(run('c-1', 3));
  expect(moved()).toBe(2);
});

test('a lower fence is refused, unless the device obeys any', async () => {
  const { clock, open, run, moved, device } = await setup();
  await open(5);
  expect(await clock.run(run('c-1', 4))).toEqual({ status: 'fenced', highest: { epoch: 1, seq: 5 } });
  device.setFault({ noFence: true });
  await clock.run(run('c-1', 4));
  expect(moved()).toBe(1);
});

test('it acts after its caller is gone', async () => {
  const { clock, run, moved } = await setup({ latencyMinMs: 1_000, latencyMaxMs: 1_000 });
  const caller = new AbortController();
  const asked = run('c-1', 1, caller.signal);
  await clock.advance(100);
  caller.abort(new Error('gone'));
  await expect(asked).rejects.toThrow('gone');
  expect(moved()).toBe(0);
  await clock.advance(1_000);
  expect(moved()).toBe(1);
});

test('a lost answer is no evidence: the cash moved, and the device says so when it is asked', async () => {
  const { clock, run, probe, moved, device } = await setup({ lostReplyRate: 1 });
  await expect(clock.run(run('c-1', 1))).rejects.toThrow('cut');
  expect(moved()).toBe(1);
  device.setFault({ lostReplyRate: 0 });
  expect(await clock.run(probe('c-1', 2))).toMatchObject({ status: 'confirmed' });
});

test('a lost request moves nothing, and a probe above it settles that for ever', async () => {
  const { clock, run, probe, moved, device } = await setup({ lostRequestRate: 1 });
  const caller = new AbortController();
  const asked = run('c-1', 1, caller.signal);
  await clock.advance(60_000);
  caller.abort(new Error('no answer'));
  await expect(asked).rejects.toThrow('no answer');
  device.setFault({ lostRequestRate: 0 });
  expect(await clock.run(probe('c-1', 2))).toEqual({ status: 'failed', code: 'NEVER_DISPENSED' });
  expect(moved()).toBe(0);
});

test('a device that forgot promises nothing that is believed', async () => {
  const { clock, run, probe, device } = await setup();
  await clock.run(run('c-1', 1));
  await device.forget();
  expect(await clock.run(probe('c-1', 2))).toEqual({ status: 'unknown' });
});

test('a silent device acts once it is back', async () => {
  const { clock, run, moved, device } = await setup({ silent: true });
  const asked = run('c-1', 1);
  await clock.advance(60_000);
  expect(moved()).toBe(0);
  device.setFault({ silent: false });
  expect(await clock.run(asked)).toMatchObject({ status: 'confirmed' });
});

test('a device that begins again knows what its journal holds, and does nothing of what it was asked before', async () => {
  const { clock, run, probe, moved, device } = await setup();
  await clock.run(run('c-1', 1));
  device.setFault({ latencyMinMs: 1_000, latencyMaxMs: 1_000 });
  const asked = run('c-2', 2);
  const refused = expect(asked).rejects.toThrow('began again');
  await clock.advance(100);
  await device.restart();
  await clock.advance(1_000);
  await refused;
  expect(moved()).toBe(1);
  expect(await clock.run(probe('c-1', 3))).toMatchObject({ status: 'confirmed' });
});

test.each([
  [{ jamRate: 1 }, { status: 'failed', code: 'DISPENSE_FAILED' }],
  [{ partialRate: 1 }, { status: 'confirmed', result: { status: 'partial', notes: { 2000: 2 }, rejected: { 2000: 1 } } }],
])('%o is answered as it is', async (faults, answer) => {
  const { clock, run } = await setup(faults);
  expect(await clock.run(run('c-1', 1))).toMatchObject(answer);
});
