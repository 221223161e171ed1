import { afterEach, describe, expect, it } from 'vitest';
import { CashLocation } from '../../actors/cash-location/actor.ts';
import { bind } from '../../src/actor.ts';
import { fleet } from './fleet.ts';

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((it) => it.stop()));
});

/** Cash locations over a device that pays whatever it is told, and remembers to whom. */
function setup() {
  const paid: string[] = [];
  const it = fleet(
    bind(CashLocation, {
      dispenseCash: {
        open: async () => 'journal',
        run: async (order, { key }) => {
          paid.push(key);
          return { status: 'confirmed', result: { status: 'dispensed', notes: order.notes } };
        },
        probe: async () => ({ status: 'unknown' }),
      },
    }),
  );
  running.push(it);
  return { ...it, paid };
}

describe('what a command recalls', () => {
  it('holds what earlier commands of the same step have committed: a reversal that waits beside its late original stops it', async () => {
    const { replica, send, outcome, paid } = setup();
    send('L1', 'load', { currency: 'USD', cassettes: [{ denomination: 2000, count: 10 }] }, 'load');
    // Its repeat ends the first commit of the step: the dispense is decided after it, on what it has written.
    send('L1', 'reverse', { commandId: 'late' }, 'reverse');
    send('L1', 'reverse', { commandId: 'late' }, 'reverse');
    send('L1', 'dispense', { amount: 2000, currency: 'USD' }, 'late');
    await replica('a');
    expect(await outcome('L1', 'reverse')).toMatchObject({ status: 'done', reply: { amount: 0 } });
    expect(await outcome('L1', 'late')).toMatchObject({ status: 'refused', code: 'REVERSED_BEFORE_ARRIVAL' });
    expect(paid).toEqual([]);
  });

  it('holds a record that stands under its own id, though nobody reads it before the commit', async () => {
    const { replica, send, outcome, paid } = setup();
    const node = await replica('a');
    const read: string[] = [];
    const { recall } = node.store;
    node.store.recall = (address, ids) => {
      read.push(...ids);
      return recall.call(node.store, address, ids);
    };
    await outcome('L1', send('L1', 'load', { currency: 'USD', cassettes: [{ denomination: 2000, count: 10 }] }, 'load'));
    await outcome('L1', send('L1', 'reverse', { commandId: 'late' }, 'reverse'));
    send('L1', 'dispense', { amount: 2000, currency: 'USD' }, 'first');
    send('L1', 'dispense', { amount: 2000, currency: 'USD' }, 'late');
    send('L1', 'dispense', { amount: 2000, currency: 'USD' }, 'last');
    expect(await outcome('L1', 'late')).toMatchObject({ status: 'refused', code: 'REVERSED_BEFORE_ARRIVAL' });
    expect(await outcome('L1', 'last')).toMatchObject({ status: 'done' });
    expect(paid).toEqual(['first', 'last']);
    expect(read).toEqual(['late']);
  });
});
