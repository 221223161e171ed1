import { afterEach, describe, expect, it } from 'vitest';
import { bind } from '../../src/actor.ts';
import { inMemory } from '../kit/at.ts';
import { given, givenState } from '../kit/given.ts';
import { fleet } from '../runtime/fleet.ts';
import { PayStation } from './pay-station.ts';
import { Terminal } from './terminal.ts';

const pays = { plate: 'AB-1', hours: 2 };
const order = { plate: 'AB-1', cents: 400 };

describe('a pay station', () => {
  it('is paid when the terminal says so', () => {
    given(PayStation)
      .when('pay', pays, { commandId: 'p-1' })
      .gives({ events: [{ type: 'ChargeIntended', ...order }], performs: 'charge', order })
      .whenOutside({ status: 'confirmed', result: { receipt: 'R-1' } })
      .gives({ events: [{ type: 'Paid', commandId: 'p-1', cents: 400 }], reply: { cents: 400, receipt: 'R-1' } });
  });

  it('stays in doubt while nobody knows, and takes no other card meanwhile', () => {
    given(PayStation)
      .when('pay', pays)
      .gives({ performs: 'charge' })
      .whenOutside({ status: 'unknown' })
      .gives({ inDoubt: true })
      .when('pay', { plate: 'CD-2', hours: 1 })
      .gives({ refused: 'IN_DOUBT_OPEN' })
      .whenOutside({ status: 'failed', code: 'NEVER_CHARGED' })
      .gives({ refused: 'DECLINED', detail: { why: 'NEVER_CHARGED' } });
  });

  it('refunds a payment once, and none that it does not know', () => {
    given(PayStation, [{ type: 'Paid', commandId: 'p-1', cents: 400 }])
      .when('refund', { commandId: 'p-1' })
      .gives({ reply: { cents: 400 } })
      .when('refund', { commandId: 'p-1' })
      .gives({ refused: 'ALREADY_REFUNDED' })
      .when('refund', { commandId: 'p-2' })
      .gives({ refused: 'UNKNOWN_PAYMENT' })
      .state((state) => expect(PayStation.queries.till(state)).toEqual({ cents: 0 }));
  });

  it('would freeze rather than refund what it never took', () => {
    const state = { centsPerHour: 200, takenCents: 0, refundedCents: 0 };
    givenState(PayStation, state)
      .when('tariff', { centsPerHour: 300 })
      .gives({ events: [{ type: 'TariffSet', centsPerHour: 300 }], reply: {} })
      .when('pay', pays)
      .gives({ performs: 'charge', order: { plate: 'AB-1', cents: 600 } });
    givenState(PayStation, { ...state, refundedCents: 1 })
      .when('tariff', { centsPerHour: 300 })
      .breaks(/no more is refunded than was taken/);
  });

  it('is called as a client of a fleet would call it', async () => {
    const terminal = new Terminal();
    const { at } = inMemory(bind(PayStation, terminal.handlers));
    const station = at(PayStation, 'S-1');
    const paid = await station.pay({ plate: 'AB-1', hours: 2 }, { commandId: 'p-1' });
    expect(paid).toMatchObject({ status: 'done', reply: { cents: 400, receipt: 'R-p-1' } });
    expect(await station.pay({ plate: 'AB-1', hours: 2 }, { commandId: 'p-1' })).toEqual(paid);
    terminal.declines = true;
    expect(await station.pay({ plate: 'AB-1', hours: 2 })).toMatchObject({ status: 'refused', code: 'DECLINED' });
    expect(terminal.charged).toEqual(['p-1 400']);
  });
});

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const it of running.splice(0)) await it.stop();
});

it('charges once when the answer was lost: the terminal is asked, not told again', async () => {
  const terminal = new Terminal();
  const it = fleet(bind(PayStation, terminal.handlers), { partitions: 1 });
  running.push(it);
  await it.replica('a');
  terminal.losesAnswer = true;
  const paid = await it.outcome('S-1', it.send('S-1', 'pay', pays, 'p-1'));
  expect([paid, terminal.charged]).toMatchObject([{ status: 'done', reply: { cents: 400 } }, ['p-1 400']]);
  const types = () => it.events('S-1').map(({ type }) => type.slice('pay-station.'.length));
  await it.until(() => expect(types()).toEqual(['ChargeIntended', 'InDoubt', 'Paid']));
});
