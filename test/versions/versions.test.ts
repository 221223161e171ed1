import { afterEach, describe, expect, it } from 'vitest';
import { CashLocation } from '../../actors/cash-location/actor.ts';
import { bind } from '../../src/actor.ts';
import { LocusError } from '../../src/errors.ts';
import { type Definition, definitions } from '../../src/runtime/definition.ts';
import { desk } from '../../src/runtime/desk.ts';
import { stateOf } from '../../src/runtime/ground.ts';
import { stateAfter } from '../../src/runtime/history.ts';
import { inspectLocation } from '../../src/runtime/inspection.ts';
import { Waiters } from '../../src/runtime/waiters.ts';
import { fleet } from '../runtime/fleet.ts';
import { golden, kept, lay } from './golden.ts';
import { first, second } from './shelf.ts';

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const it of running.splice(0)) await it.stop();
});
function setup(bound: Parameters<typeof fleet>[0], options: Parameters<typeof fleet>[1] = { partitions: 1 }) {
  const it = fleet(bound, options);
  running.push(it);
  return it;
}
type Bundle = ReturnType<typeof setup>;
const same = (store: Parameters<NonNullable<Parameters<Bundle['replica']>[1]>>[0]) => store;
const header = async (it: Bundle, address: string) => (await it.view.read(address))?.header;
/** Without what the store knows as published, which is a matter of when the relay last sent. */
const untimed = (it: unknown) => JSON.parse(JSON.stringify(it, (name, value) => (name === 'published' ? undefined : value)));
/** What they say, but for the version that wrote them. */
const eventsIn = (it: unknown) =>
  (it as readonly { readonly events: readonly (readonly [number, string])[] }[]).flatMap(({ events }) =>
    events.map(([, text]) => ({ ...JSON.parse(text), locusversion: undefined })),
  );
const definitionOf = (bound: typeof second) => definitions([bound]).get('shelf') as Definition;

describe('a store that version 1 of an actor wrote', () => {
  it('is what it was: version 1 writes it today as it did then', async () => {
    const it = setup(first);
    await it.replica('a');
    for (const pieces of [3, 4]) await it.outcome('S1', it.send('S1', 'put', { pieces }));
    await it.outcome('S1', it.send('S1', 'later', { at: it.clock.now() + 30_000 }));
    expect(kept(it.disk)).toEqual(golden('shelf-1', kept(it.disk)));
  });

  it('is read by version 2: its state, its outcomes, its timers, and its events as the same state', async () => {
    const it = setup(second);
    lay(it.disk, golden('shelf-1'));
    await it.replica('a');
    expect(await it.outcome('S1', it.send('S1', 'put', { pieces: 1, size: 'large' }, 'n-1'))).toMatchObject({
      reply: { small: 7, large: 1 },
    });
    expect(await it.outcome('S1', it.send('S1', 'put', { pieces: 3 }, 'c-1'))).toMatchObject({ reply: { pieces: 3 } });
    expect(await it.outcome('S1', '~timer/put/3')).toMatchObject({ reply: { small: 107, large: 1 } });
    expect(JSON.parse((await header(it, 'shelf/S1'))?.state ?? '')).toEqual({ v: 2, s: { small: 107, large: 1 } });
    const texts = [...(it.disk.locations.get('shelf/S1')?.events.values() ?? [])];
    expect(stateAfter(definitionOf(second), 'S1', texts)).toEqual({ small: 107, large: 1 });
    expect(texts.map((text) => JSON.parse(text).locusversion)).toEqual([undefined, undefined, undefined, undefined, 2, 2]);
  });

  it('says so from the first commit of version 2 on, though no event came of it', async () => {
    const it = setup(second);
    lay(it.disk, golden('shelf-1'));
    await it.replica('a');
    await it.outcome('S1', it.send('S1', 'later', { at: it.clock.now() + 3_600_000 }, 'n-1'));
    expect(JSON.parse((await header(it, 'shelf/S1'))?.state ?? '')).toEqual({ v: 2, s: { small: 7, large: 0 } });
  });

  it('of cash locations is read by version 2, which writes the same events', async () => {
    const run = async (order: { readonly notes: Readonly<Record<string, number>> }) =>
      ({ status: 'confirmed', result: { status: 'dispensed', notes: order.notes } }) as const;
    const bound = bind(CashLocation, { dispenseCash: { run, probe: async () => ({ status: 'unknown' }) } });
    const then = setup(bound);
    await then.replica('a');
    const cassettes = [{ denomination: 2000, count: 10 }];
    await then.outcome('ATM-1', then.send('ATM-1', 'load', { currency: 'USD', cassettes }));
    await then.outcome('ATM-1', then.send('ATM-1', 'dispense', { amount: 4000, currency: 'USD' }, 'd-1'));
    await then.outcome('ATM-1', then.send('ATM-1', 'reverse', { commandId: 'd-1' }));
    expect(untimed(kept(then.disk))).toEqual(untimed(golden('cash-location-2', kept(then.disk))));

    const now = setup(bound);
    lay(now.disk, golden('cash-location-1'));
    expect(eventsIn(golden('cash-location-2'))).toEqual(eventsIn(golden('cash-location-1')));
    await now.replica('a');
    const [before, after] = await Promise.all([then, now].map((it) => it.view.read('cash-location/ATM-1')));
    const written = definitions([bound]).get('cash-location') as Definition;
    expect(stateOf(written, 'ATM-1', after?.header ?? {})).toMatchObject({ writtenBy: 1, state: JSON.parse(before?.header.state ?? '').s });
    expect(
      await now.outcome('ATM-1', now.send('ATM-1', 'count', { currency: 'USD', cassettes: [{ denomination: 2000, count: 8 }] }, 'n-1')),
    ).toMatchObject({
      status: 'done',
      reply: { difference: {} },
    });
    expect(await now.outcome('ATM-1', now.send('ATM-1', 'reverse', { commandId: 'd-1' }, 'again'))).toMatchObject({
      code: 'ALREADY_REVERSED',
    });
  });
});

describe('a state newer than the code', () => {
  /** Version 2 has written, and only version 1 is left. */
  async function behind(it: Bundle) {
    const newer = await it.replica('b', same, second);
    await it.outcome('S1', it.send('S1', 'put', { pieces: 5, size: 'large' }));
    await it.until(() => expect(it.committed()).toBe(1));
    await newer.drain();
    newer.kill();
    return it.replica('a');
  }

  it('holds its location with a reason; its commands wait in the inbox and run after the upgrade', async () => {
    const it = setup(first);
    const older = await behind(it);
    const ids = [1, 2, 3].map((pieces) => it.send('S1', 'put', { pieces }));
    const other = it.send('S2', 'put', { pieces: 1 });
    expect(await it.outcome('S2', other)).toMatchObject({ reply: { pieces: 1 } });
    await it.until(() => expect(it.committed()).toBe(5));
    const reason = 'its state was written by version 2 of shelf, this program has version 1';
    expect(await inspectLocation(older.replica, 'shelf/S1')).toMatchObject({ heldBy: reason, unreadable: reason, inbox: { customer: 3 } });
    expect(await older.act('S1', { verb: 'pause' })).toMatchObject({ kind: 'acted' });
    expect(await older.act('S1', { verb: 'resume' })).toMatchObject({ kind: 'acted' });
    await older.drain();
    older.kill();
    await it.replica('c', same, second);
    for (const id of ids) await it.outcome('S1', id);
    expect(JSON.parse((await header(it, 'shelf/S1'))?.state ?? '').s).toEqual({ small: 6, large: 5 });
    expect(older.counts.letters).toEqual([]);
  });

  it('is not shown as something else over HTTP', async () => {
    const it = setup(first);
    const { replica } = await behind(it);
    const waiters = new Waiters(it.clock, 'notify:test');
    const front = desk({
      replica,
      waiters,
      peers: { act: async () => ({ kind: 'acted', text: '' }) },
      registry: {} as never,
      archive: it.log.archive(),
      topics: { lanes: [], events: '', deadLetters: '' },
      sessionMs: 1,
      metrics: async () => ({ type: '', text: '' }),
    });
    const refused = await front.query('shelf/S1', undefined).catch((error: unknown) => error);
    expect([refused instanceof LocusError && refused.code, String(refused)]).toEqual([
      'BUSY',
      expect.stringMatching(/written by version 2/),
    ]);
  });

  it('may also be one that migrate cannot bring along: it is held, and nothing of it changes', async () => {
    const broken = {
      ...second,
      actor: {
        ...second.actor,
        migrate: {
          1: () => {
            throw new Error('a hole in it');
          },
        },
      },
    };
    const it = setup(broken);
    const laid = golden('shelf-1');
    lay(it.disk, laid);
    const { replica } = await it.replica('a');
    const id = it.send('S1', 'put', { pieces: 1 }, 'n-1');
    await it.until(() => expect(it.committed()).toBe(1));
    const reason = 'its state cannot be brought from version 1 of shelf to 2: a hole in it';
    expect(await inspectLocation(replica, 'shelf/S1')).toMatchObject({ heldBy: reason, seq: 4 });
    expect((await it.entry('S1', id))?.status).toBe('inboxed');
  });
});

describe('a command newer than the code', () => {
  it('waits in the inbox with a reason, and those behind it in their order, until there is an owner that knows it', async () => {
    const it = setup(first);
    const older = await it.replica('a');
    await it.outcome('S1', it.send('S1', 'put', { pieces: 10 }));
    const ids = [
      it.send('S1', 'put', { pieces: 1 }),
      it.send('S1', 'writeOff', { pieces: 5 }, 'off', { version: 2 }),
      it.send('S1', 'put', { pieces: 2, size: 'large' }, 'large', { version: 2 }),
      it.send('S1', 'put', { pieces: 3 }),
    ];
    await it.outcome('S1', ids[0] ?? '');
    await it.until(() => expect(it.committed()).toBe(5));
    expect(await inspectLocation(older.replica, 'shelf/S1')).toMatchObject({
      heldBy: 'off was sent under version 2 of shelf, this program has version 1',
      mailbox: { customer: { inbox: 3 } },
    });
    await older.drain();
    older.kill();
    await it.replica('b', same, second);
    for (const id of ids) await it.outcome('S1', id);
    expect([JSON.parse((await header(it, 'shelf/S1'))?.state ?? '').s, older.counts.letters]).toEqual([{ small: 9, large: 2 }, []]);
    await it.until(() => expect([...new Set(it.events('S1').map(({ locuscommand }) => locuscommand))].slice(1)).toEqual(ids));
  });

  it('that says no version is what it always was: a dead letter', async () => {
    const it = setup(first);
    const older = await it.replica('a');
    it.send('S1', 'writeOff', { pieces: 5 });
    await it.until(() => expect(older.counts.letters).toEqual(['COMMAND_UNKNOWN']));
  });
});

it('two versions serve side by side while one takes the place of the other, under load: nothing is lost, parked or a dead letter', async () => {
  const it = setup(first, { partitions: 6 });
  const older = [await it.replica('a'), await it.replica('b')];
  const shelves = Array.from({ length: 30 }, (_, n) => `S${n}`);
  const sent: { at: string; id: string }[] = [];
  const load = (newer: boolean) => {
    for (const at of shelves) {
      sent.push({ at, id: it.send(at, 'put', { pieces: 4 }) });
      if (newer) sent.push({ at, id: it.send(at, 'writeOff', { pieces: 1 }, `off-${sent.length}`, { version: 2 }) });
    }
  };
  load(false);
  const newer = [await it.replica('c', same, second)];
  for (let round = 0; round < 10; round++) {
    load(true);
    await it.clock.advance(150);
    if (round === 3) {
      // A newer one dies and the older take over what it has written.
      newer[0]?.kill();
      await it.clock.advance(2_500);
    }
    if (round === 5) newer.push(await it.replica('d', same, second));
  }
  // Long enough for whatever the older ones would do with what they do not know.
  await it.clock.advance(30_000);
  for (const node of older) {
    await node.drain();
    node.kill();
  }
  load(true);
  for (const { at, id } of sent) expect(await it.outcome(at, id)).toMatchObject({ status: 'done' });
  for (const at of shelves)
    expect(JSON.parse((await header(it, `shelf/${at}`))?.state ?? '')).toEqual({ v: 2, s: { small: 12 * 4 - 11, large: 0 } });
  expect([...older, ...newer].flatMap(({ counts }) => counts.letters)).toEqual([]);
});
