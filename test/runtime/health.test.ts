/** What the probes say while something is refused: who cannot serve is not ready, and all else is told. */
import { expect, it } from 'vitest';
import type { LogRefusal } from '../../src/ports.ts';
import { setup as bundle } from './bundle.ts';
import { frontOf } from './front.ts';

async function setup() {
  const now: { refused: readonly LogRefusal[] | Error } = { refused: [] };
  const said: string[] = [];
  const note = (fields: object, message: string) => void said.push(`${message} ${JSON.stringify(fields)}`);
  const it = bundle({
    log: { debug: () => {}, info: note, warn: note, error: note },
    refusedByLog: async () => {
      if (now.refused instanceof Error) throw now.refused;
      return now.refused;
    },
  });
  const { replica } = await it.replica('a');
  const { front } = await frontOf(it, replica);
  const says = (expected: { readonly ready: unknown; readonly told: readonly unknown[] }) =>
    it.until(() => expect(front.health()).toMatchObject(expected));
  const refuse = (...what: LogRefusal['what'][]) => {
    now.refused = what.map((it) => ({ what: it, why: `${it} needs a grant` }));
  };
  await says({ ready: undefined, told: [] });
  return { ...it, node: replica, front, now, refuse, says, said };
}

it.each<[LogRefusal['what'], RegExp]>([
  ['reading', /^commands cannot be read: reading needs a grant$/],
  ['commands', /^commands cannot be written: none is taken over HTTP, and timers wait: commands needs a grant$/],
])('a replica that may do no more of %s is not ready, says why, and is ready again when it may', async (what, ready) => {
  const { refuse, says } = await setup();
  refuse(what);
  await says({ ready: expect.stringMatching(ready), told: [] });
  refuse();
  await says({ ready: undefined, told: [] });
});

it.each<[LogRefusal['what'], RegExp]>([
  ['events', /^events cannot be published: 0 wait, safe in the store: events needs a grant$/],
  ['dead-letters', /^dead letters cannot be written: .*: dead-letters needs a grant$/],
  ['connections', /^Kafka takes no new connections; those that stand go on .*: connections needs a grant$/],
  ['settings', /^the next start will fail: settings needs a grant$/],
])('a replica that serves goes on being ready without %s, and tells it', async (what, told) => {
  const { refuse, says, send, outcome } = await setup();
  refuse(what);
  await says({ ready: undefined, told: [expect.stringMatching(told)] });
  expect(await outcome('T1', send('T1', 'add', { amount: 5 }))).toMatchObject({ status: 'done' });
});

it('is not ready once it takes no more commands for want of events published, and says how many wait', async () => {
  const { refuse, says, log, node } = await setup();
  log.setWriters('down');
  refuse('events');
  const events = Array.from({ length: 20_001 }, (_, n) => ({ address: 'till/T1', seq: n + 1, text: '{}' }));
  node.site.relay.push(events, () => {});
  await says({
    ready: 'no commands are taken until the events of earlier ones can be published: events needs a grant',
    told: [expect.stringMatching(/^events cannot be published: 20001 wait/)],
  });
  log.setWriters('well');
  await says({ ready: undefined, told: [expect.stringMatching(/^events cannot be published: 0 wait/)] });
});

it('keeps what it knows while nobody answers, and tells a change once', async () => {
  const { now, refuse, says, said, clock } = await setup();
  refuse('commands', 'dead-letters');
  await says({ ready: expect.stringContaining('commands needs'), told: [expect.stringContaining('dead-letters needs')] });
  now.refused = new Error('nobody answers');
  await clock.advance(60_000);
  await says({ ready: expect.stringContaining('commands needs'), told: [expect.stringContaining('dead-letters needs')] });
  refuse();
  await says({ ready: undefined, told: [] });
  expect(said.filter((line) => /refuse/.test(line))).toEqual([
    'the log refuses what it allowed {"why":"commands needs a grant; dead-letters needs a grant"}',
    'the log allows again what it refused {}',
  ]);
});

it('tells which lock nodes do not serve, and what follows once no majority does, and is ready all the same', async () => {
  const { says, locks } = await setup();
  const [first, second] = locks.nodes as unknown as [{ up: boolean }, { up: boolean }];
  first.up = false;
  await says({ ready: undefined, told: ['leases go on, though not all lock nodes serve: lock node 0 is down'] });
  second.up = false;
  await says({
    ready: undefined,
    told: [
      expect.stringMatching(
        /^no leases can be had: after \d+ s locations go on without them, .*: lock node 0 is down; lock node 1 is down$/,
      ),
    ],
  });
  first.up = true;
  second.up = true;
  await says({ ready: undefined, told: [] });
});
