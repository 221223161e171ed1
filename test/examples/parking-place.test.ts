import { afterEach, describe, expect, it } from 'vitest';
import { bind } from '../../src/actor.ts';
import { given } from '../kit/given.ts';
import { fleet } from '../runtime/fleet.ts';
import { ParkingPlace } from './parking-place.ts';

const MINUTE_MS = 60_000;
const untilMs = 1_700_000_600_000;
const reserved = { type: 'Reserved', plate: 'AB-1', untilMs } as const;
const atMs = untilMs - 10 * MINUTE_MS;

describe('a parking place', () => {
  it('is reserved for a while, and free again when nobody came', () => {
    given(ParkingPlace)
      .when('reserve', { plate: 'AB-1', minutes: 10 }, { now: atMs })
      .gives({
        events: [reserved],
        reply: { untilMs },
        timers: [{ name: 'reservation', at: untilMs, command: 'expire', input: { plate: 'AB-1' } }],
      })
      .when('park', { plate: 'CD-2' })
      .gives({ refused: 'RESERVED', detail: { untilMs } })
      .whenDue('reservation')
      .gives({ events: [{ type: 'Expired', plate: 'AB-1' }], reply: {} })
      .when('park', { plate: 'CD-2' })
      .gives({ events: [{ type: 'Arrived', plate: 'CD-2' }], reply: {} });
  });

  it('does not end a reservation that was prolonged before its time, or used', () => {
    const story = given(ParkingPlace).when('reserve', { plate: 'AB-1', minutes: 10 }, { now: atMs }).gives({ reply: { untilMs } });
    story
      .when('reserve', { plate: 'AB-1', minutes: 20 }, { now: atMs })
      .gives({ reply: { untilMs: atMs + 20 * MINUTE_MS } })
      .when('expire', { plate: 'AB-1' }, { now: untilMs })
      .gives({ refused: 'NOT_DUE' })
      .whenDue('reservation', { now: atMs + 21 * MINUTE_MS })
      .gives({ events: [{ type: 'Expired', plate: 'AB-1' }], reply: {} })
      .whenDue('reservation')
      .breaks(/no timer reservation is armed/);
    story
      .when('park', { plate: 'AB-1' })
      .gives({ reply: {} })
      .whenDue('reservation')
      .breaks(/no timer reservation is armed/);
  });

  it('is left by who has parked there', () => {
    given(ParkingPlace, [{ type: 'Arrived', plate: 'AB-1' }])
      .when('reserve', { plate: 'CD-2', minutes: 5 })
      .gives({ refused: 'TAKEN' })
      .when('leave', {})
      .gives({ events: [{ type: 'Left', plate: 'AB-1' }], reply: { plate: 'AB-1' } })
      .when('leave', {})
      .gives({ refused: 'EMPTY' });
  });
});

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const it of running.splice(0)) await it.stop();
});

it('frees its reserved places by itself on a fleet, those of replicas that died as well', async () => {
  const it = fleet(bind(ParkingPlace, {}), { partitions: 2, limits: { idleMs: 2_000 } });
  running.push(it);
  const first = await it.replica('a');
  await it.replica('b');
  const places = Array.from({ length: 20 }, (_, n) => `P-${n}`);
  for (const place of places) await it.outcome(place, it.send(place, 'reserve', { plate: 'AB-1', minutes: 30 }));
  await it.until(() => expect(first.replica.router.size).toBe(0));
  first.kill();
  await it.outcome('P-0', it.send('P-0', 'park', { plate: 'AB-1' }));
  await it.clock.advance(31 * MINUTE_MS);
  const types = (place: string) => it.events(place).map(({ type }) => type.slice('parking-place.'.length));
  for (const place of places.slice(1)) expect(types(place)).toEqual(['TimersSet', 'Reserved', 'Expired']);
  expect(types('P-0')).toEqual(['TimersSet', 'Reserved', 'TimersSet', 'Arrived']);
});
