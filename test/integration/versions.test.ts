/** Two versions of an actor side by side on real processes, as in a rollout that is taken back and begun again, under load. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeCommand } from '../../src/message/codec.ts';
import { type ReplicaProcess, type Town, town } from './town.ts';
import { until } from './until.ts';

let it: Town;
beforeAll(async () => {
  it = await town();
});
afterAll(() => it.stop());

const PIECES = 4;
/** Those of the first kind are sent what both versions know, those of the second also what only version 2 does. */
const plain = Array.from({ length: 20 }, (_, n) => `shelf/P${n}`);
const mixed = Array.from({ length: 20 }, (_, n) => `shelf/M${n}`);
type Sent = { readonly address: string; readonly commandId: string; readonly name: string };

/** Rounds of commands over all shelves, each once something of the one before it is done, until it is stopped. */
function load() {
  const sent: Sent[] = [];
  let over = false;
  const message = (address: string, name: string, input: object, version: number) => {
    const commandId = `c-${sent.length}`;
    sent.push({ address, commandId, name });
    return encodeCommand({ address, name, commandId, input, version, source: 'test', time: new Date().toISOString() });
  };
  async function round(): Promise<void> {
    const from = sent.length;
    const messages = [
      ...[...plain, ...mixed].map((address) => message(address, 'put', { pieces: PIECES }, 1)),
      ...mixed.map((address) => message(address, 'writeOff', { pieces: 1 }, 2)),
    ];
    await it.producer.send({ topic: it.topics.commands, acks: -1, messages: messages.map((one) => ({ ...one })) });
    const events = await it.book();
    const these = sent.slice(from);
    await until('something of a round is done', async () => events.missing(these).length < these.length, 30_000);
  }
  const running = (async () => {
    while (!over) await round();
  })();
  // Told by whoever stops it.
  running.catch(() => {});
  return {
    sent,
    async stop() {
      over = true;
      await running;
      await round();
    },
  };
}

const shelves = (id: string, version: 1 | 2) => it.replica(id, true, ['dist/test/integration/replica-of-shelves.js', String(version)]);

/** Why shelves stand still at a replica, as an operator is told, by address. */
async function held(at: ReplicaProcess): Promise<ReadonlyMap<string, string>> {
  const answer = await fetch(`${at.admin}/admin/locations?stuck=true&limit=1000`);
  const { locations } = (await answer.json()) as { locations: { address: string; heldBy?: string }[] };
  return new Map(locations.map(({ address, heldBy = '' }) => [address, heldBy]));
}
const holds = (at: ReplicaProcess, reason: RegExp) =>
  until(`${at.id} says ${reason}`, async () => [...(await held(at)).values()].some((why) => reason.test(why)), 30_000);
async function gone(replica: ReplicaProcess): Promise<void> {
  replica.signal('SIGTERM');
  expect(await replica.gone).toBe(0);
}

test('a state and a command newer than the code wait with their reason, and all is done once, in order, when version 2 is everywhere', async () => {
  const older = await shelves('a', 1);
  const events = await it.book();
  const traffic = load();
  await until(
    'version 1 has written every shelf',
    async () => [...plain, ...mixed].every((address) => events.of(address).length > 0),
    30_000,
  );
  await holds(older, /^c-\d+ was sent under version 2 of shelf, this program has version 1$/);

  // Version 2 takes its part, and brings along what version 1 wrote.
  const newer = await shelves('b', 2);
  const migrated = () =>
    new Set(
      events
        .all()
        .filter(({ type, data }) => type === 'shelf.Put' && 'size' in data)
        .map(({ subject }) => subject),
    );
  await until('version 2 has written shelves of both kinds', async () =>
    ['P', 'M'].every((kind) => [...migrated()].some((at) => at[6] === kind)),
  );
  expect(traffic.sent.length).toBeGreaterThan(events.missing(traffic.sent).length);

  // It is taken back: version 1 owns what it cannot read.
  await gone(newer);
  await holds(older, /^its state was written by version 2 of shelf, this program has version 1$/);
  const waiting = [...(await held(older))].filter(([, why]) => /its state was written/.test(why)).map(([address]) => address);
  const inboxed = async (address: string) => {
    const answer = await fetch(`${older.admin}/admin/locations/${address}`);
    return ((await answer.json()) as { inbox: { customer: number } }).inbox.customer;
  };
  await until('commands wait durably', async () => (await inboxed(waiting[0] ?? '')) > 0);

  // And begun again, to the end, under load until then.
  const again = await shelves('b', 2);
  await gone(older);
  const last = await shelves('a', 2);
  await traffic.stop();
  await it.settled(traffic.sent);

  expect([events.faults(), events.letters]).toEqual([[], []]);
  for (const address of [...plain, ...mixed]) {
    const ids = traffic.sent.filter((one) => one.address === address).map(({ commandId }) => commandId);
    expect([address, events.of(address).map(({ locuscommand }) => locuscommand)]).toEqual([address, ids]);
    const puts = events.of(address).filter(({ type }) => type === 'shelf.Put').length;
    const answer = await fetch(`${last.url}/v1/${address}/all`);
    expect([address, await answer.json()]).toEqual([address, { pieces: puts * PIECES - (ids.length - puts) }]);
  }
  expect(await Promise.all([again, last].map((at) => at.metric('locus_parked')))).toEqual([0, 0]);
  process.stdout.write(`versions: ${traffic.sent.length} commands, ${migrated().size} shelves written by both versions\n`);
});
