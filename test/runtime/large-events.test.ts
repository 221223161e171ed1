/** An event that no broker would take is found out before it is committed: its command is set aside by name, and nobody behind it waits for it. */
import { afterEach, expect, it } from 'vitest';
import { z } from 'zod';
import { accept, bind, defineActor, doubt, effect, perform, refuse } from '../../src/actor.ts';
import { EVENT_MAX_BYTES } from '../../src/message/envelope.ts';
import { fleet, LETTERS } from './fleet.ts';

type Event = { readonly type: 'Written' | 'Asked'; readonly text: string };
const size = z.strictObject({ of: z.int(), what: z.string().default('x') });
const nothing = z.strictObject({});

const Page = defineActor<{ readonly written: number }, Event>()({
  type: 'page',
  version: 1,
  initial: () => ({ written: 0 }),
  evolve: (state, event) => ({ written: state.written + event.text.length }),
  refusals: ['NO'],
  effects: { print: effect<{ of: number }, { of: number }>({ timeoutMs: 1_000 }) },
  commands: {
    write: { input: size, reply: nothing, decide: (_state, { of, what }) => accept([{ type: 'Written', text: what.repeat(of) }], {}) },
    echo: {
      input: size,
      reply: z.strictObject({ text: z.string() }),
      decide: (_state, { of, what }) => accept([], { text: what.repeat(of) }),
    },
    deny: { input: size, reply: nothing, decide: (_state, { of, what }) => refuse('NO', what.repeat(of)) },
    print: {
      input: z.strictObject({ of: z.int() }),
      reply: nothing,
      decide: (_state, input) => perform([{ type: 'Asked', text: '' }], 'print', input),
      settle: (_state, outcome) =>
        outcome.status === 'confirmed' ? accept([{ type: 'Written', text: 'x'.repeat(outcome.result.of) }], {}) : doubt([]),
    },
  },
  limits: { attempts: 2 },
});
const page = bind(Page, {
  print: {
    run: async (order) => ({ status: 'confirmed', result: order }),
    probe: async () => ({ status: 'unknown' }),
  },
});

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});
async function setup() {
  const it = fleet(page);
  running.push(it);
  const node = await it.replica('a');
  return { ...it, node };
}

it.each([
  ['an event', 'write', { of: EVENT_MAX_BYTES }],
  ['an event of few characters that take many bytes', 'write', { of: EVENT_MAX_BYTES / 3 + 1, what: '€' }],
  ['a reply', 'echo', { of: EVENT_MAX_BYTES }],
  ['the detail of a refusal', 'deny', { of: EVENT_MAX_BYTES }],
])('%s above the bound parks its command with the reason, and the location goes on once it is dropped', async (_what, name, input) => {
  const { send, outcome, until, entry, node, events, log } = await setup();
  const large = send('P1', name, input, 'large');
  await until(async () => expect(await entry('P1', large)).toMatchObject({ status: 'parked' }));
  expect(events('P1').map(({ type, data }) => [type, data.error])).toEqual([
    ['page.Parked', expect.stringMatching(/^an event of it has \d+ bytes, its reply included: at most 750000 can be published$/)],
  ]);
  expect(await node.act('P1', { verb: 'drop', commandId: large })).toMatchObject({ kind: 'acted' });
  expect(await outcome('P1', send('P1', 'write', { of: 1 }))).toMatchObject({ status: 'done' });
  expect(log.records(LETTERS)).toEqual([]);
});

it('one below the bound is published', async () => {
  const { send, outcome, until, events } = await setup();
  const id = send('P1', 'write', { of: EVENT_MAX_BYTES - 1_000 });
  expect(await outcome('P1', id)).toMatchObject({ status: 'done' });
  await until(() => expect(events('P1')).toHaveLength(1));
});

it('evidence is never refused for it: it is kept as it came, and the location freezes', async () => {
  const { send, until, events, node } = await setup();
  send('P1', 'print', { of: EVENT_MAX_BYTES });
  await until(() => expect(events('P1').map(({ type }) => type)).toEqual(['page.Asked', 'page.EffectUnbooked']));
  expect(node.live('P1')?.ground).toMatchObject({
    frozen: { reason: 'EFFECT_UNBOOKED', detail: expect.stringMatching(/^an event of it has/) },
  });
});
