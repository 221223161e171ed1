import { describe, expect, test } from 'vitest';
import type { Happening, MakeChecker } from '../happening.ts';
import { epochsRise } from './i01-epochs.ts';
import { oneEventPerSeq } from './i02-events.ts';
import { stateIsFold } from './i03-state.ts';
import { takesEffectOnce } from './i04-once.ts';
import { intentBeforeEffect } from './i05-intents.ts';
import { deviceDeliversOnce } from './i06-device.ts';
import { doubtIsKept } from './i07-doubt.ts';
import { offsetsAreFinal } from './i08-offsets.ts';
import { canaryHolds } from './i09-canary.ts';
import { everyCommandEnds } from './i10-outcomes.ts';
import { topicEqualsJournal } from './i11-topic.ts';
import { limitsHold } from './i14-limits.ts';
import { workIsOwned } from './i16-owned.ts';
import { handOverIsQuick } from './i17-hand-over.ts';
import { eventsRebuild } from './i18-rebuild.ts';
import { capsHold } from './i19-caps.ts';
import { readsRise } from './i20-reads.ts';
import { livesAreApart } from './i21-incarnations.ts';
import { indexNamesEnough } from './index-names.ts';
import { leasesAreFresh } from './leases-fresh.ts';
import { orderIsKept } from './order-kept.ts';
import {
  ATM,
  asked,
  type Commit,
  claimed,
  committed,
  hash,
  intent,
  letter,
  moved,
  offset,
  play,
  promised,
  published,
  raw,
  type Scene,
  type Stage,
  sent,
} from './stage.ts';

const counter = { type: 'cash-location', initial: () => 0, evolve: (state: unknown) => Number(state) + 1 };
const state = (s: number) => ({ state: JSON.stringify({ v: 1, s }) });
const one = { events: [{ type: 'Counted' }] } satisfies Commit;
const done = { status: 'done' as const, outcome: { status: 'done', reply: 1, seq: 1 } };
const entry = (id: string, more: object = {}) => ({ entries: [{ id, ...done, hash: hash({}), ...more }] });
const answered = (more: object): Happening => ({
  kind: 'answered',
  call: 1,
  answer: { kind: 'final', status: 'done', text: JSON.stringify(done.outcome), ...more },
});
const called: Happening = { kind: 'called', call: 1, address: ATM, commandId: 'c', name: 'open', input: {} };
const key = { group: 'locus', topic: 'commands', partition: 0 };
const applied =
  (to: number, stands = to) =>
  (stage: Stage): Happening => {
    stage.disk.applied.set(JSON.stringify(['locus', 'commands', 0]), { offset: stands, life: '', generation: '', newestMs: 0 });
    return { kind: 'applied', who: 'a/1', key, offset: to, accepted: false };
  };
const wait = (ms: number) => (stage: Stage) => void stage.pass(ms);
const later = (ms: number, it: Happening) => (stage: Stage) => {
  stage.pass(ms);
  return it;
};
const mark = (stage: Stage) => void stage.disk.dirty.set(0, new Map([[ATM, 1]]));
const regenerate = (stage: Stage) => {
  stage.disk.generation = '2:x';
  return undefined;
};
const appended = (stage: Stage): Happening => {
  const at = stage.disk.locations.get(ATM)?.inbox.customer ?? new Map();
  stage.disk.locations.set(ATM, { inbox: { customer: at, bulk: new Map() } } as never);
  at.set(at.size, { commandId: 'c', text: '' });
  const item = { lane: 'customer' as const, offset: at.size, commandId: `i-${at.size}`, text: '' };
  return { kind: 'appended', who: 'a/1', address: ATM, item, entry: { status: 'inboxed', hash: 'h', text: '{"t":0}\n' } };
};
const size = (residents: number, mailbox: number, inflight: number): Happening => ({
  kind: 'sized',
  who: 'a/1',
  residents,
  mailbox,
  inflight,
});
const read = (seq: number, stale = false, askedMs = Number.POSITIVE_INFINITY): Happening => ({
  kind: 'read',
  client: 1,
  address: ATM,
  seq,
  stale,
  askedMs,
});
const leased = {
  kind: 'leased',
  who: 'a/1',
  address: ATM,
  holder: 'a/1/1',
  verb: 'acquire',
  answer: 'granted',
  sentMs: 0,
} satisfies Happening;
const begun = committed({ header: { intent: intent() } });
const begunAt = (sentMs: number, more: object = {}) => committed({ sentMs, header: { intent: intent(more) } });
const unanswered = (sentMs: number): Happening => ({ ...leased, holder: 'a/1/2', answer: 'held', sentMs });
/** A claim of whoever takes over, or a release of whoever leaves. */
const lost = (call: 'claim' | 'release', its = call === 'claim' ? 'b/1' : 'a/1'): Happening => ({
  kind: 'unanswered',
  who: its,
  wire: call === 'claim' ? 'store' : 'leases',
  call,
  address: ATM,
  tookMs: 1_000,
});
const who = (kind: 'killed' | 'drained' | 'draining', its: string): Happening => ({ kind, who: its });

/** Each with what is sound, and with what is not. */
const scenes: readonly (readonly [string, MakeChecker, Readonly<Record<string, Scene>>, Readonly<Record<string, Scene>>])[] = [
  [
    'I1',
    epochsRise,
    { 'claims that rise': [claimed(1), committed(one), claimed(2, 'b/1'), committed({ epoch: 2, seq: 1, ...one })] },
    {
      'an epoch issued twice': [claimed(1), claimed(1, 'b/1')],
      'a commit under an epoch that was overtaken': [claimed(1), claimed(2, 'b/1'), committed(one)],
      'an event that says another epoch': [
        claimed(1),
        claimed(2),
        { ...committed(one), claim: { address: ATM, epoch: 2, generation: '', life: '' } } as Happening,
      ],
    },
  ],
  [
    'I2',
    oneEventPerSeq,
    { 'events one after the other': [committed(one), committed({ seq: 1, ...one })] },
    {
      'two events of one seq': [committed(one), committed(one)],
      'a gap': [committed(one), committed({ seq: 2, ...one })],
      'an id of its own': [
        { ...committed(one), change: { seq: 0, events: [{ address: ATM, seq: 1, text: '{"id":"x","locusseq":1}' }] } } as never,
      ],
    },
  ],
  [
    'I3',
    stateIsFold([counter]),
    { 'a state that its events make': [committed({ ...one, header: state(1) }), committed({ seq: 1, events: [{ type: 'Refused' }] })] },
    {
      'another state': [committed({ ...one, header: state(2) })],
      'a state that was not written': [committed({ ...one, header: state(1) }), committed({ seq: 1, ...one })],
    },
  ],
  [
    'I4',
    takesEffectOnce,
    {
      'an outcome, and its caller told so': [called, committed(entry('c')), answered({})],
      'an intent that is settled': [
        committed(entry('c', { status: 'open' })),
        committed(entry('c', { status: 'open' })),
        committed(entry('c')),
      ],
      'an id that is forgotten in time': [
        committed(entry('c')),
        later(61_000, {
          kind: 'trimmed',
          who: 'a/1',
          claim: { address: ATM, epoch: 1, generation: '', life: '' },
          what: { entries: ['c'] },
        }),
      ],
    },
    {
      'a second effect': [committed(entry('c')), committed(entry('c'))],
      'another payload': [committed(entry('c', { status: 'open' })), committed(entry('c', { hash: 'x' }))],
      'another answer': [called, committed(entry('c')), answered({ text: '{}' })],
      'an answer before its time': [called, answered({}), committed(entry('c'))],
      'an id called reused that is not': [called, committed(entry('c')), { kind: 'answered', call: 1, answer: { kind: 'id-reused' } }],
      'an id forgotten early': [
        committed(entry('c')),
        later(1_000, {
          kind: 'trimmed',
          who: 'a/1',
          claim: { address: ATM, epoch: 1, generation: '', life: '' },
          what: { entries: ['c'] },
        }),
      ],
    },
  ],
  [
    'I5',
    intentBeforeEffect,
    { 'an effect of its intent': [begun, asked('run', 2)] },
    {
      'an effect without one': [asked('run', 2)],
      'another order': [begun, asked('run', 2, { order: { notes: 2 } })],
      'another fence': [begun, asked('run', 3)],
      'a second run': [begun, asked('run', 2), asked('run', 2)],
    },
  ],
  [
    'I6',
    deviceDeliversOnce,
    {
      'a delivery, asked about later': [moved(), promised({ epoch: 1, seq: 3 })],
      'nothing delivered, twice': [moved({ notes: {}, status: 'failed' }), moved()],
      'a device without fences': [moved({ fence: { epoch: 0, seq: 0 } }), promised({ epoch: 0, seq: 0 })],
    },
    {
      'two deliveries': [moved(), moved()],
      'a delivery after the promise': [promised(), moved()],
      'a lower fence': [promised({ epoch: 2, seq: 1 }), moved({ commandId: 'd' })],
    },
  ],
  [
    'I7',
    doubtIsKept,
    { 'a question above the run, then the outcome': [begun, asked('probe', 3), committed({ ...entry('c'), header: { intent: '' } })] },
    {
      'a question at the run': [begun, asked('probe', 2)],
      'a question about nothing': [asked('probe', 2)],
      'an intent that goes without an outcome': [begun, committed({ header: { intent: '' } })],
      'an outcome that leaves its intent': [begun, committed(entry('c'))],
      'another intent in its place': [begun, committed({ header: { intent: intent({ commandId: 'd' }) } })],
    },
  ],
  [
    'I8',
    offsetsAreFinal,
    {
      'an outcome': [sent({ id: 'c' }), committed(entry('c')), offset(1)],
      'an intent': [sent({ id: 'c' }), committed(entry('c', { status: 'open' })), offset(1)],
      'a dead letter': [raw({ key: 'x', value: '{' }), letter(0), offset(1)],
      'a run of records that nobody can read': [raw({}), raw({ offset: 1 }), letter(0, 'CODEC_UNSUPPORTED'), offset(2)],
      'a record produced again': [
        raw({ key: 'x', value: '{}' }),
        raw({ key: 'x', value: '{}', offset: 1, headers: { locus_rerouted: '1' } }),
        letter(1),
        offset(2),
      ],
    },
    {
      'nothing at all': [sent({ id: 'c' }), offset(1)],
      'an outcome that comes later': [sent({ id: 'c' }), offset(1), committed(entry('c'))],
      'another payload under its id': [sent({ id: 'c' }), committed(entry('c', { hash: 'x' })), offset(1)],
      'a dead letter of another record': [raw({ key: 'x', value: '{' }), letter(1), offset(1)],
    },
  ],
  [
    'I9',
    canaryHolds,
    { 'a canary that rises before the offset': [applied(3), offset(3), applied(2, 3)] },
    {
      'a canary that falls': [applied(3), applied(2)],
      'an offset above it': [applied(3), offset(4)],
    },
  ],
  [
    'I10',
    everyCommandEnds,
    {
      'an outcome': [sent({ id: 'c' }), committed(entry('c'))],
      'a dead letter': [raw({ key: 'x', value: '{' }), letter(0)],
    },
    {
      'no outcome': [sent({ id: 'c' })],
      'an intent for ever': [sent({ id: 'c' }), committed(entry('c', { status: 'open' }))],
      'no dead letter': [raw({ key: 'x', value: '{' })],
    },
  ],
  [
    'I11',
    topicEqualsJournal,
    {
      'events in order, one of them twice': [
        committed(one),
        published({ type: 'Counted' }, 1),
        published({ type: 'Counted' }, 1),
        committed({ published: 1 }),
      ],
    },
    {
      'an event that is not there': [committed(one)],
      'a gap': [committed({ events: [{ type: 'A' }, { type: 'B' }] }), published({ type: 'B' }, 2)],
      'an event that was never committed': [published({ type: 'Counted' }, 1)],
      'another text': [committed(one), published({ type: 'Loaded' }, 1)],
      'marked before it is there': [committed(one), committed({ published: 1 }), published({ type: 'Counted' }, 1)],
    },
  ],
  [
    'I14',
    limitsHold,
    {
      'an inbox with room, an effect in time': [
        appended,
        sent({ id: 'c', deadline: 1 }),
        committed({ ...entry('c', { status: 'open' }), events: [{ type: 'DispenseIntended' }], header: { intent: intent() } }),
      ],
    },
    {
      'an inbox too long': Array.from({ length: 10 }, () => appended),
      'too many timers': [
        committed({ header: { timers: JSON.stringify(Object.fromEntries(Array.from({ length: 257 }, (_, n) => [n, 1]))) } }),
      ],
      'an effect too late': [
        sent({ id: 'c', deadline: -1 }),
        committed({ ...entry('c', { status: 'open' }), events: [{ type: 'DispenseIntended' }], header: { intent: intent() } }),
      ],
    },
  ],
  [
    'I16',
    workIsOwned,
    {
      'an owner': [sent({ id: 'c' }), { kind: 'calm' }, claimed(1), later(22_000, read(1))],
      'no work': [sent({ id: 'c' }), committed(entry('c')), { kind: 'calm' }, later(22_000, read(1))],
      'a fleet without room': [sent({ id: 'c' }), { kind: 'calm' }, size(3, 0, 0), later(22_000, read(1))],
      'overtaken by the dead, and had back': [
        claimed(1),
        who('killed', 'b/1'),
        sent({ id: 'c' }),
        { kind: 'calm' },
        later(5_000, claimed(2, 'b/1')),
        later(17_000, claimed(3)),
        later(5_000, read(1)),
      ],
      'what becomes a dead letter': [sent({ id: 'c' }), { kind: 'calm' }, letter(0), later(22_000, read(1))],
      'behind a full inbox': [sent({ id: 'c' }), appended, appended, { kind: 'calm' }, later(22_000, read(1))],
    },
    {
      'no owner': [sent({ id: 'c' }), { kind: 'calm' }, later(22_000, read(1))],
      'no owner, after a time without room': [sent({ id: 'c' }), size(3, 0, 0), { kind: 'calm' }, later(22_000, read(1))],
      'overtaken by the dead, and never had back': [
        claimed(1),
        who('killed', 'b/1'),
        sent({ id: 'c' }),
        { kind: 'calm' },
        later(5_000, claimed(2, 'b/1')),
        later(22_000, read(1)),
      ],
      'an owner who is dead': [claimed(1), who('killed', 'a/1'), sent({ id: 'c' }), { kind: 'calm' }, later(22_000, read(1))],
    },
  ],
  [
    'I17',
    handOverIsQuick,
    {
      'taken over at once': [claimed(1), who('drained', 'a/1'), sent({ id: 'c' }), later(900, claimed(2, 'b/1'))],
      'nothing to take over': [claimed(1), who('drained', 'a/1'), wait(60_000), sent({ id: 'c' }), claimed(2, 'b/1')],
      'without room': [claimed(1), who('drained', 'a/1'), sent({ id: 'c' }), size(3, 0, 0), later(2_500, claimed(2, 'b/1'))],
      'disturbed by a fault': [claimed(1), who('drained', 'a/1'), sent({ id: 'c' }), who('killed', 'b/1'), later(9_000, claimed(2, 'b/2'))],
      'after a lost call to the store': [
        claimed(1),
        who('drained', 'a/1'),
        sent({ id: 'c' }),
        later(1_000, lost('claim')),
        later(2_000, claimed(2, 'b/1')),
      ],
      'after a release that was lost': [
        claimed(1),
        lost('release'),
        who('drained', 'a/1'),
        sent({ id: 'c' }),
        later(9_000, claimed(2, 'b/1')),
      ],
      'left with an effect that outlasts the drain': [
        claimed(1),
        begun,
        who('drained', 'a/1'),
        sent({ id: 'd' }),
        later(9_000, claimed(2, 'b/1')),
      ],
      'a dead letter before its work': [
        claimed(1),
        who('drained', 'a/1'),
        sent({ id: 'c', offset: 3 }),
        letter(3),
        wait(5_000),
        sent({ id: 'd' }),
        claimed(2, 'b/1'),
      ],
    },
    {
      'waited for': [claimed(1), who('drained', 'a/1'), sent({ id: 'c' }), later(2_500, claimed(2, 'b/1'))],
      'waited for, after a lost call': [
        claimed(1),
        who('drained', 'a/1'),
        lost('claim'),
        wait(500),
        sent({ id: 'c' }),
        later(2_500, claimed(2, 'b/1')),
      ],
      'waited for, while others lost calls': [
        claimed(1),
        who('drained', 'a/1'),
        sent({ id: 'c' }),
        later(1_000, lost('claim', 'c/1')),
        later(2_000, claimed(2, 'b/1')),
      ],
      'waited for, after an effect that had ended': [
        claimed(1),
        begun,
        committed({ seq: 1, header: { intent: '' } }),
        who('drained', 'a/1'),
        sent({ id: 'd' }),
        later(2_500, claimed(2, 'b/1')),
      ],
      'waited for, in doubt': [
        claimed(1),
        begun,
        committed({ seq: 1, header: { intent: intent({ doubtSinceMs: 1 }) } }),
        who('drained', 'a/1'),
        sent({ id: 'd' }),
        later(2_500, claimed(2, 'b/1')),
      ],
      'waited for longer than lost calls take': [
        claimed(1),
        who('drained', 'a/1'),
        sent({ id: 'c' }),
        later(1_000, lost('claim')),
        lost('claim'),
        later(3_000, claimed(2, 'b/1')),
      ],
      'waited for, long after a release that was lost': [
        lost('release'),
        claimed(1),
        later(11_000, who('drained', 'a/1')),
        sent({ id: 'c' }),
        later(9_000, claimed(2, 'b/1')),
      ],
    },
  ],
  [
    'I18',
    eventsRebuild([counter]),
    {
      'events that make the state, and tell the outcome': [
        committed({ events: [{ type: 'Counted', reply: done.outcome }], entries: [{ id: 'c', ...done }] }),
        published({ type: 'Counted', reply: done.outcome }, 1),
        (stage) => void stage.disk.locations.set(ATM, { header: new Map([['state', '{"v":1,"s":1}']]) } as never),
      ],
    },
    {
      'events that make another state': [
        published({ type: 'Counted' }, 1),
        (stage) => void stage.disk.locations.set(ATM, { header: new Map([['state', '{"v":1,"s":2}']]) } as never),
      ],
      'an outcome that no event tells': [committed({ ...one, entries: [{ id: 'c', ...done }] })],
      'an outcome of another seq': [
        committed({ seq: 4, events: [{ type: 'Counted', reply: done.outcome }], entries: [{ id: 'c', ...done }] }),
      ],
    },
  ],
  [
    'I19',
    capsHold,
    { 'as much as may be': [size(3, 10, 10)] },
    { residents: [size(4, 0, 0)], 'in flight': [size(1, 0, 11)], mailboxes: [size(1, 9, 9)] },
  ],
  [
    'I20',
    readsRise,
    { 'what rises, and what is told': [read(1), read(2), read(1, true)], 'two at once': [read(2), read(1, false, 0)] },
    { 'an older one': [read(2), read(1)] },
  ],
  [
    'I21',
    livesAreApart,
    { 'a commit of this life': [committed(one)] },
    {
      'a commit of another': [(stage) => void stage.disk.restart(), committed(one)],
      'a commit of another generation': [regenerate, committed(one)],
    },
  ],
  ['index', indexNamesEnough, { 'a marked location': [mark, committed(one)] }, { 'one that is not': [committed(one)] }],
  [
    'order',
    orderIsKept,
    {
      'in their order': [sent({ id: 'a' }), sent({ id: 'b', offset: 1 }), committed(entry('a')), committed(entry('b'))],
      'lanes apart': [sent({ id: 'a' }), sent({ id: 'b', topic: 'bulk', offset: 1 }), committed(entry('b')), committed(entry('a'))],
      'an intent that is settled later': [
        sent({ id: 'a' }),
        sent({ id: 'b', offset: 1 }),
        committed(entry('a', { status: 'open' })),
        committed(entry('b')),
        committed(entry('a')),
      ],
    },
    { 'the other way round': [sent({ id: 'a' }), sent({ id: 'b', offset: 1 }), committed(entry('b')), committed(entry('a'))] },
  ],
  [
    'lease',
    leasesAreFresh,
    {
      'begun in time': [leased, begunAt(5_000)],
      'begun in time, though it arrived late': [leased, later(30_000, begunAt(5_000))],
      'begun without one, after the wait for its end': [leased, begunAt(44_000)],
      'begun without one, which is asked for since': [leased, unanswered(44_000), begunAt(60_000)],
      'begun without one, after the wait for any': [unanswered(0), unanswered(20_000), begunAt(36_000)],
      'doubt, which moves nothing': [leased, begunAt(20_000, { doubtSinceMs: 1 })],
      'begun before it was let go, though it arrived late': [
        leased,
        { ...leased, verb: 'release', answer: 'released', sentMs: 10 },
        begunAt(5),
      ],
      'nothing heard of lock nodes': [begunAt(0)],
    },
    {
      'begun under one that is more than half over': [leased, begunAt(6_500)],
      'begun under one that has lapsed': [leased, begunAt(28_000)],
      'begun after it was lost': [leased, later(10, { ...leased, verb: 'renew', answer: 'lost' }), begunAt(20)],
      'begun before the wait for one was over': [unanswered(0), begunAt(30_000)],
      'begun after it was let go': [leased, { ...leased, verb: 'release', answer: 'released', sentMs: 10 }, unanswered(20), begunAt(100)],
    },
  ],
];

describe.each(scenes)('the checker of %s', (name, make, sound, broken) => {
  test.each(Object.entries(sound))('lets pass: %s', (_, scene) => expect(() => play(make, scene)).not.toThrow());
  test.each(Object.entries(broken))('catches: %s', (_, scene) => expect(() => play(make, scene)).toThrow(`${name}: `));
});
