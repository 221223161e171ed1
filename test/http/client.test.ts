/** `at()` over HTTP answers what became of a command, with the types of the actor, and never leaves a caller without its commandId. */
import { afterEach, describe, expect, it } from 'vitest';
import type { RuntimeRefusal } from '../../src/actor.ts';
import { connect, Unanswered } from '../../src/client.ts';
import { LocusError } from '../../src/errors.ts';
import { held } from '../runtime/bundle.ts';
import { mood, Till, TillDevice } from '../runtime/till.ts';
import { type TownOptions, town } from './town.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  mood.throws = 0;
  for (const end of ends.splice(0)) await end();
});

async function setup(options: TownOptions = {}) {
  const device = new TillDevice();
  const it = await town(device.bound(), options);
  ends.push(() => it.stop());
  const till = (id = 'T1', call = it.fetch) => connect('http://locus/', { fetch: call, clock: it.clock })(Till, id);
  return { ...it, device, till };
}

describe('a client', () => {
  it('gets replies and refusals with their types', async () => {
    const { till } = await setup();
    const added = await till().add({ amount: 50 });
    expect(added).toEqual({ status: 'done', reply: { cash: 50 }, seq: 1 });
    if (added.status === 'done') added.reply.cash satisfies number;
    // @ts-expect-error an amount is a number
    const paid = till().pay({ amount: '20' });
    await expect(paid).rejects.toMatchObject({ code: 'INPUT_INVALID', faults: [{ code: 'INPUT_INVALID', field: 'input.amount' }] });
    const refused = await till().pay({ amount: 51 });
    expect(refused).toEqual({ status: 'refused', code: 'TOO_LITTLE', detail: { cash: 50 }, seq: 2 });
    if (refused.status === 'refused') refused.code satisfies 'TOO_LITTLE' | 'NOT_PAID' | RuntimeRefusal;
  });

  it('takes a fresh commandId for each command, or the one that is given', async () => {
    const { till } = await setup();
    await till().add({ amount: 1 });
    expect(await till().add({ amount: 1 })).toMatchObject({ reply: { cash: 2 } });
    const first = await till().add({ amount: 1 }, { commandId: 'mine' });
    expect(await till().add({ amount: 1 }, { commandId: 'mine' })).toEqual(first);
    expect(await till().add({ amount: 2 }, { commandId: 'mine' })).toEqual({ status: 'id-reused' });
  });

  it('hears that a command is in doubt or parked, and under which id', async () => {
    const { till, device } = await setup();
    await till().add({ amount: 50 });
    device.before = (kind) => (kind === 'open' ? Promise.resolve() : Promise.reject(new Error('the line is cut')));
    expect(await till().pay({ amount: 20 }, { commandId: 'p1' })).toEqual({ status: 'in-doubt', commandId: 'p1' });
    mood.throws = 1_000;
    expect(await till('T2').fail({}, { commandId: 'f1' })).toMatchObject({ status: 'busy', commandId: 'f1' });
    expect(await settled(() => till('T2').fail({}, { commandId: 'f1' }))).toEqual({ status: 'parked', commandId: 'f1' });
  });

  it('is told to come back with the same id while there is no outcome, and gets the one outcome then', async () => {
    const { till, device, clock } = await setup();
    await till().add({ amount: 50 });
    const { gate, release } = held();
    device.before = (kind) => (kind === 'open' ? gate : Promise.resolve());
    const waits = await till().pay({ amount: 20 });
    if (waits.status !== 'busy') throw new Error(`is ${waits.status}`);
    expect(waits).toEqual({ status: 'busy', retryAfterMs: 1_000, commandId: expect.stringMatching(/^[0-9a-f]{32}$/) });
    await clock.advance(1_000);
    release();
    expect(await till().pay({ amount: 20 }, waits)).toMatchObject({ status: 'refused', code: 'DEADLINE_EXCEEDED' });
    expect([...device.paid.keys()]).toEqual([]);
  });

  it('is busy when the port is: 429 and 503 say when to come back', async () => {
    const { till, drain } = await setup({ rateMax: 3 });
    let answer = await till().add({ amount: 1 });
    for (let n = 0; n < 100 && answer.status === 'done'; n++) answer = await till().add({ amount: 1 });
    expect(answer).toMatchObject({ status: 'busy', retryAfterMs: 1_000 });
    const other = await setup();
    await other.drain();
    expect(await other.till().add({ amount: 1 })).toMatchObject({ status: 'busy', retryAfterMs: 1_000 });
    await drain();
  });

  it('throws with the commandId when no answer comes; the repeat gets the outcome, once', async () => {
    const { till, fetch } = await setup();
    const deaf: typeof fetch = async (...asked) => {
      await fetch(...asked);
      throw new TypeError('socket hang up');
    };
    const error = await till('T1', deaf)
      .add({ amount: 5 })
      .catch((it: unknown) => it);
    if (!(error instanceof Unanswered)) throw new Error('expected Unanswered');
    expect(error.message).toContain(error.commandId);
    expect(await till().add({ amount: 5 }, { commandId: error.commandId })).toMatchObject({ status: 'done', reply: { cash: 5 } });
    const babbling: typeof fetch = async () => new Response('<html>', { status: 502 });
    await expect(till('T1', babbling).add({ amount: 5 })).rejects.toBeInstanceOf(Unanswered);
  });

  it.each(['..', 'a/b', ''])('refuses the id %j before it goes astray', async (id) => {
    const { till } = await setup();
    await expect(till(id).add({ amount: 5 })).rejects.toBeInstanceOf(LocusError);
  });
});

/** Asks again until it is no longer busy. */
async function settled<T extends { readonly status: string }>(ask: () => Promise<T>): Promise<T> {
  for (let n = 0; n < 50; n++) {
    const answer = await ask();
    if (answer.status !== 'busy') return answer;
  }
  throw new Error('still busy');
}
