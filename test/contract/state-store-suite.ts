/** What every state store must answer, its failures included; run over memory and over a real Redis. */
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  CHANGE_MAX,
  type Change,
  type Claim,
  type Entry,
  type EntryStatus,
  type InboxItem,
  type Loaded,
  type StateStore,
} from '../../src/ports.ts';

/** One store and what may happen to it. */
export type StoreWorld = {
  /** A replica's own door to the store, not started. */
  open(): StateStore;
  /** kill -9 and start again. */
  restart(): Promise<void>;
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  flush(): Promise<void>;
  forgetScripts(): Promise<void>;
  stop(): Promise<void>;
};

const hash = (text: string): string => createHash('sha256').update(text).digest('base64url');
const entry = (status: EntryStatus, payload = 'payload', text = '{"t":1}'): Entry => ({ status, hash: hash(payload), text });
const item = (offset: number, commandId: string, lane: 'customer' | 'bulk' = 'customer'): InboxItem => ({
  lane,
  offset,
  commandId,
  text: `{"of":"${commandId}"}`,
});
const events = (address: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ address, seq: from + i, text: `{"seq":${from + i},"é":"✓"}` }));
const change = (seq: number, it: Partial<Change> = {}): Change => ({
  seq,
  unrecorded: [],
  events: [],
  entries: [],
  records: [],
  header: {},
  ...it,
});
const ids = (seq: number, ...entries: (readonly [string, EntryStatus, string?])[]): Change =>
  change(seq, { entries: entries.map(([commandId, status, payload]) => ({ commandId, ...entry(status, payload) })) });
const statuses: readonly EntryStatus[] = ['inboxed', 'open', 'parked', 'done', 'refused'];
const allowed: Readonly<Record<EntryStatus, readonly EntryStatus[]>> = {
  inboxed: ['open', 'parked', 'done', 'refused'],
  open: ['open', 'done', 'refused'],
  parked: ['parked', 'open', 'done', 'refused'],
  done: [],
  refused: [],
};

export function stateStoreSuite(name: string, begin: () => Promise<StoreWorld>): void {
  describe(name, () => {
    let world: StoreWorld;
    let opened: StateStore[] = [];
    beforeAll(async () => {
      world = await begin();
    });
    afterEach(async () => {
      world.thaw();
      await Promise.all(opened.splice(0).map((store) => store.stop()));
    });
    afterAll(() => world.stop());

    async function replica(): Promise<StateStore> {
      const store = world.open();
      opened = [...opened, store];
      await vi.waitFor(() => store.start(), 5_000);
      return store;
    }
    /** An empty store with a generation, and two replicas. */
    async function setup() {
      await (await replica()).start();
      await world.flush();
      const [a, b] = [await replica(), await replica()];
      const generation = await a.setGeneration(1, undefined);
      return { a, b, generation };
    }
    async function claimed(store: StateStore, address: string, generation: string, owner = 'me'): Promise<Loaded> {
      const got = await store.claim(address, owner, generation);
      if (got.kind !== 'claimed') throw new Error(`the claim answered ${JSON.stringify(got)}`);
      return got;
    }
    const claimOf = async (store: StateStore, address: string, generation: string): Promise<Claim> =>
      (await claimed(store, address, generation)).claim;

    test('a first claim gives the first epoch of its generation and an empty location', async () => {
      const { a, generation } = await setup();
      const got = await claimed(a, 't/1', generation, 'http://owner');
      expect(got).toMatchObject({ epoch: 2 ** 32 + 1, owner: 'http://owner', seq: 0, published: 0, header: {}, unpublished: [] });
      expect(got.inbox).toEqual({ customer: 0, bulk: 0 });
      expect(got.claim).toEqual({ address: 't/1', epoch: 2 ** 32 + 1, generation, life: a.life() });
    });

    test('epochs rise with each claim and never fall behind their generation', async () => {
      const { a, b, generation } = await setup();
      const first = await claimOf(a, 't/1', generation);
      expect((await claimOf(b, 't/1', generation)).epoch).toBe(first.epoch + 1);
      const later = await a.setGeneration(40_000, generation);
      expect((await claimOf(b, 't/1', later)).epoch).toBe(40_000 * 2 ** 32 + 1);
    });

    test('what one owner committed the next one loads, and readers see', async () => {
      const { a, b, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      const header = { state: '{"é":1}', intent: '{"i":1}', parked: '["c"]', frozen: '"why"', paused: '"yes"', timers: '{}' };
      const done = { commandId: 'c1', ...entry('done', 'payload', '{"reply":"ü"}') };
      const record = { commandId: 'c1', text: '{"r":1}' };
      const it = change(0, { events: events('t/1', 1, 3), entries: [done], records: [record], header, published: 1 });
      expect(await a.commit(claim, it)).toEqual({ kind: 'ok' });
      const seen = { epoch: claim.epoch, seq: 3, published: 1, header, inbox: { customer: 0, bulk: 0 } };
      expect(await b.read('t/1')).toEqual({ ...seen, owner: 'me' });
      expect(await claimed(b, 't/1', generation, 'you')).toMatchObject({
        ...seen,
        epoch: claim.epoch + 1,
        owner: 'you',
        unpublished: events('t/1', 2, 3),
      });
      const { commandId: _, ...stored } = done;
      expect(await b.recall('t/1', ['nobody', 'c1'])).toEqual([{}, { entry: stored, record: '{"r":1}' }]);
      expect(await b.recall('t/1', [])).toEqual([]);
    });

    test('a header field set to nothing is absent afterwards', async () => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      await a.commit(claim, change(0, { header: { intent: '{}', timers: '{"a":{}}', state: '{}' } }));
      await a.commit(claim, change(0, { header: { intent: '', timers: '' } }));
      expect((await a.read('t/1'))?.header).toEqual({ state: '{}' });
      expect((await claimed(a, 't/1', generation)).header).toEqual({ state: '{}' });
    });

    test('a location that nobody touched is not there', async () => {
      const { a } = await setup();
      expect(await a.read('t/none')).toBeUndefined();
      expect(await a.recall('t/none', ['c'])).toEqual([{}]);
      expect(await a.inbox('t/none', 'customer', 10)).toEqual([]);
      expect(await a.size('t/none')).toBe(0);
    });

    test('an owner of an earlier epoch is fenced in everything it tries', async () => {
      const { a, b, generation } = await setup();
      const old = await claimOf(a, 't/1', generation);
      const fenced = { kind: 'fenced', epoch: (await claimOf(b, 't/1', generation)).epoch };
      expect(await a.commit(old, ids(0, ['c', 'done']))).toEqual(fenced);
      expect(await a.trim(old, { entries: ['c'] })).toEqual(fenced);
      expect(await a.published(old, 1)).toEqual(fenced);
      expect(await a.mark(old, 0)).toEqual(fenced);
      expect(await a.unmark(old, 0)).toEqual(fenced);
      expect(await a.recall('t/1', ['c'])).toEqual([{}]);
      expect(await a.marked(0)).toEqual([]);
    });

    test('a commit on another seq is refused and told which one stands', async () => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      await a.commit(claim, change(0, { events: events('t/1', 1, 2) }));
      expect(await a.commit(claim, change(1, { events: events('t/1', 2, 2) }))).toEqual({ kind: 'seq', seq: 2 });
      expect(await a.commit(claim, change(3, { events: events('t/1', 4, 4) }))).toEqual({ kind: 'seq', seq: 2 });
    });

    test('a generation other than the one that was checked is refused everywhere', async () => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      const found = await a.setGeneration(1, generation);
      expect(found).toMatch(/^1:[0-9a-f]{16}$/);
      expect(found).not.toBe(generation);
      const other = { kind: 'generation', found };
      expect(await a.claim('t/1', 'me', generation)).toEqual(other);
      expect(await a.commit(claim, ids(0, ['c', 'done']))).toEqual(other);
      expect(await a.append('t/1', item(1, 'c'), entry('inboxed'), generation)).toEqual(other);
      expect(await a.trim(claim, { entries: ['c'] })).toEqual(other);
      expect(await a.published(claim, 1)).toEqual(other);
      expect(await a.mark(claim, 0)).toEqual(other);
      expect(await a.markInbox('t/1', 0, generation)).toEqual(other);
      expect(await a.unmark(claim, 0)).toEqual(other);
      expect(await a.setApplied({ group: 'g', topic: 't', partition: 0 }, 1, 1, generation)).toEqual(other);
      expect(await a.size('t/1')).toBe(2);
    });

    test('a generation is created once and replaced only by one who saw it', async () => {
      const { a, b, generation } = await setup();
      expect(await b.generation()).toBe(generation);
      expect(await b.setGeneration(9, undefined)).toBe(generation);
      expect(await b.setGeneration(9, '1:other')).toBe(generation);
      expect(await b.setGeneration(9, generation)).toMatch(/^9:/);
      await world.flush();
      expect(await a.generation()).toBeUndefined();
      expect(await a.setGeneration(9, '1:other')).toBe('');
    });

    test('after everything was flushed an old claim commits nothing', async () => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      await world.flush();
      const gone = { kind: 'generation', found: '' };
      expect(await a.commit(claim, ids(0, ['c', 'done']))).toEqual(gone);
      expect(await a.claim('t/1', 'me', generation)).toEqual(gone);
      expect(await a.append('t/1', item(1, 'c'), entry('inboxed'), generation)).toEqual(gone);
      const made = await a.setGeneration(1, undefined);
      await claimOf(a, 't/1', made);
      expect(await a.commit(claim, ids(0, ['c', 'done']))).toEqual({ kind: 'generation', found: made });
    });

    test('a figure of the layout stands as it was first recorded', async () => {
      const { a, b } = await setup();
      expect(await a.layout('partitions', 12)).toBe(12);
      expect(await b.layout('partitions', 24)).toBe(12);
    });

    test.each(statuses)('a command that is new may become %s', async (status) => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      expect(await a.commit(claim, ids(0, ['c', status]))).toEqual({ kind: 'ok' });
    });

    const pairs = statuses.flatMap((from) => statuses.map((to) => [from, to, allowed[from].includes(to)] as const));
    test.each(pairs)('a command that is %s may become %s: %s', async (from, to, may) => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      await a.commit(claim, ids(0, ['c', from]));
      const got = await a.commit(claim, ids(0, ['c', to]));
      const refused = { kind: 'refused', offenders: [{ commandId: 'c', why: 'TRANSITION', entry: entry(from) }] };
      expect(got).toEqual(may ? { kind: 'ok' } : refused);
      expect(await a.recall('t/1', ['c'])).toEqual([{ entry: entry(may ? to : from) }]);
      const reused = await a.commit(claim, ids(0, ['c', to, 'another payload']));
      expect(reused).toMatchObject({ kind: 'refused', offenders: [{ commandId: 'c', why: 'ID_REUSED' }] });
    });

    test('a commit names all its offenders at once and changes nothing', async () => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      await a.commit(claim, ids(0, ['c1', 'done'], ['c2', 'parked'], ['c3', 'open']));
      const before = await a.size('t/1');
      const entries = ids(0, ['new', 'done'], ['c1', 'refused'], ['c2', 'done', 'another'], ['c3', 'done']).entries;
      const got = await a.commit(claim, change(0, { entries, events: events('t/1', 1, 1), header: { state: '{}' }, published: 1 }));
      const offenders = [
        { commandId: 'c1', why: 'TRANSITION', entry: entry('done') },
        { commandId: 'c2', why: 'ID_REUSED', entry: entry('parked') },
      ];
      expect(got).toEqual({ kind: 'refused', offenders });
      expect(await a.size('t/1')).toBe(before);
      expect(await a.read('t/1')).toMatchObject({ seq: 0, published: 0, header: {} });
      expect(await a.recall('t/1', ['new', 'c3'])).toEqual([{}, { entry: entry('open') }]);
    });

    test('a commit that counts on no record under an id is refused with the record that stands there', async () => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      const records = ['c1', 'c2'].map((commandId) => ({ commandId, text: `{"of":"${commandId}"}` }));
      expect(await a.commit(claim, change(0, { unrecorded: ['c1', 'c2'], records }))).toEqual({ kind: 'ok' });
      const { entries } = ids(0, ['c1', 'done'], ['c3', 'done']);
      await a.commit(claim, ids(0, ['c1', 'refused']));
      const before = await a.size('t/1');
      const it = change(0, { unrecorded: ['c3', 'c1', 'c2'], entries, events: events('t/1', 1, 1), header: { state: '{}' }, published: 1 });
      expect(await a.commit(claim, it)).toEqual({
        kind: 'refused',
        offenders: [
          { commandId: 'c1', why: 'TRANSITION', entry: entry('refused') },
          { commandId: 'c1', why: 'RECORDED', record: '{"of":"c1"}' },
          { commandId: 'c2', why: 'RECORDED', record: '{"of":"c2"}' },
        ],
      });
      expect(await a.size('t/1')).toBe(before);
      expect(await a.commit(claim, { ...it, entries: [], unrecorded: ['c3'] })).toEqual({ kind: 'ok' });
      expect(await a.read('t/1')).toMatchObject({ seq: 1, published: 1, header: { state: '{}' } });
    });

    test('the largest change is taken whole, a larger one refused before it is sent', async () => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/big', generation);
      const entries = Array.from({ length: CHANGE_MAX / 3 }, (_, i) => ({ commandId: `c${i}`, ...entry('done') }));
      const records = entries.map(({ commandId }) => ({ commandId, text: '{}' }));
      const header = { state: '1', intent: '2', parked: '3', frozen: '4', paused: '5', timers: '6' };
      const whole = change(0, { entries, records, events: events('t/big', 1, CHANGE_MAX / 3), header, published: 0 });
      expect(await a.commit(claim, whole)).toEqual({ kind: 'ok' });
      expect(await a.read('t/big')).toMatchObject({ seq: CHANGE_MAX / 3, header });
      const onlyIds = Array.from({ length: CHANGE_MAX }, (_, i) => ({ commandId: `d${i}`, ...entry('done') }));
      expect(await a.commit(claim, change(CHANGE_MAX / 3, { entries: onlyIds, header }))).toEqual({ kind: 'ok' });
      expect((await claimed(a, 't/big', generation)).unpublished).toEqual(whole.events);
      const more = { ...whole, records: [...records, { commandId: 'x', text: '' }] };
      await expect(a.commit(claim, more)).rejects.toThrow(RangeError);
      await expect(a.commit(claim, { ...whole, unrecorded: ['x'] })).rejects.toThrow(RangeError);
    });

    test('a change that breaks its own promises is refused before it is sent', async () => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      await expect(a.commit(claim, change(0, { events: events('t/1', 2, 2) }))).rejects.toThrow(RangeError);
      await expect(a.commit(claim, ids(0, ['c', 'open'], ['c', 'done']))).rejects.toThrow(RangeError);
      const short = { commandId: 'c', status: 'done' as const, hash: 'short', text: '' };
      await expect(a.commit(claim, change(0, { entries: [short] }))).rejects.toThrow(RangeError);
      await expect(a.trim(claim, { events: { from: 1, to: 1_001 } })).rejects.toThrow(RangeError);
    });

    test('published rises and never falls', async () => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      await a.commit(claim, change(0, { events: events('t/1', 1, 5) }));
      expect(await a.published(claim, 4)).toEqual({ kind: 'ok' });
      expect(await a.published(claim, 2)).toEqual({ kind: 'ok' });
      expect(await a.commit(claim, change(5, { published: 3 }))).toEqual({ kind: 'ok' });
      expect((await a.read('t/1'))?.published).toBe(4);
    });

    test('an inboxed command waits under its lane and offset, once', async () => {
      const { a, b, generation } = await setup();
      const inboxed = entry('inboxed');
      expect(await a.append('t/1', item(10, 'x1'), inboxed, generation)).toEqual({ kind: 'ok' });
      expect(await b.append('t/1', item(10, 'x1'), inboxed, generation)).toEqual({ kind: 'known', entry: inboxed });
      expect(await b.append('t/1', item(12, 'x1'), inboxed, generation)).toEqual({ kind: 'known', entry: inboxed });
      expect(await b.append('t/1', item(11, 'x1'), entry('inboxed', 'other'), generation)).toEqual({ kind: 'id-reused' });
      expect(await b.append('t/1', item(10, 'x2'), inboxed, generation)).toEqual({ kind: 'recreated', found: 'x1' });
      expect(await a.append('t/1', item(5, 'x3'), inboxed, generation)).toEqual({ kind: 'ok' });
      expect(await a.append('t/1', item(5, 'x4', 'bulk'), inboxed, generation)).toEqual({ kind: 'ok' });
      expect(await b.inbox('t/1', 'customer', 10)).toEqual([item(5, 'x3'), item(10, 'x1')]);
      expect(await b.inbox('t/1', 'customer', 1)).toEqual([item(5, 'x3')]);
      expect(await b.inbox('t/1', 'bulk', 10)).toEqual([item(5, 'x4', 'bulk')]);
      expect((await claimed(a, 't/1', generation)).inbox).toEqual({ customer: 2, bulk: 1 });
    });

    test('a location that has only an inbox can be read and has no epoch', async () => {
      const { a, generation } = await setup();
      await a.append('t/1', item(10, 'x1'), entry('inboxed'), generation);
      expect(await a.read('t/1')).toEqual({ epoch: 0, owner: '', seq: 0, published: 0, header: {}, inbox: { customer: 1, bulk: 0 } });
    });

    test('taken inbox items are forgotten together with their place in the line', async () => {
      const { a, generation } = await setup();
      for (const n of [3, 7, 9]) await a.append('t/1', item(n, `x${n}`), entry('inboxed'), generation);
      const claim = await claimOf(a, 't/1', generation);
      await a.commit(claim, ids(0, ['x3', 'done'], ['x7', 'refused']));
      expect(await a.trim(claim, { inbox: [item(3, 'x3'), item(7, 'x7')] })).toEqual({ kind: 'ok' });
      expect(await a.inbox('t/1', 'customer', 10)).toEqual([item(9, 'x9')]);
      expect(await a.append('t/1', item(3, 'x3'), entry('inboxed'), generation)).toEqual({ kind: 'known', entry: entry('done') });
      expect((await a.read('t/1'))?.inbox).toEqual({ customer: 1, bulk: 0 });
    });

    test('trimming forgets exactly what it names', async () => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      const records = [{ commandId: 'c1', text: '{}' }];
      await a.commit(claim, change(0, { events: events('t/1', 1, 4), records, entries: ids(0, ['c1', 'done'], ['c2', 'done']).entries }));
      await a.published(claim, 3);
      const before = await a.size('t/1');
      expect(await a.trim(claim, { events: { from: 1, to: 3 }, entries: ['c1', 'none'], records: ['c1'] })).toEqual({ kind: 'ok' });
      expect(await a.size('t/1')).toBe(before - 5);
      expect(await a.recall('t/1', ['c1', 'c2'])).toEqual([{}, { entry: entry('done') }]);
      expect(await a.trim(claim, {})).toEqual({ kind: 'ok' });
      expect((await claimed(a, 't/1', generation)).unpublished).toEqual(events('t/1', 4, 4));
    });

    test('an event that the store does not know as published is never forgotten: the next claim would find a hole', async () => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      await a.commit(claim, change(0, { events: events('t/1', 1, 4) }));
      await a.published(claim, 2);
      await expect(a.trim(claim, { events: { from: 1, to: 3 } })).rejects.toThrow();
      expect(await a.trim(claim, { events: { from: 1, to: 2 } })).toEqual({ kind: 'ok' });
      expect((await claimed(a, 't/1', generation)).unpublished).toEqual(events('t/1', 3, 4));
    });

    test('only final ids and records that are old enough are named for forgetting', async () => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      const at = (commandId: string, status: EntryStatus, t: number) => ({
        commandId,
        ...entry(status, 'p', `{"t":${t}}\n{"reply":{"t":1}}`),
      });
      const old = [at('done', 'done', 99), at('refused', 'refused', 50), at('open', 'open', 1), at('parked', 'parked', 1)];
      const records = [
        { commandId: 'old', text: '{"t":9}' },
        { commandId: 'young', text: '{"t":10}' },
      ];
      await a.commit(claim, change(0, { entries: [...old, at('young', 'done', 100), at('in', 'inboxed', 1)], records }));
      const found = { entries: [] as string[], records: [] as string[] };
      let cursor = '0';
      do {
        const page = await a.aged('t/1', cursor, 100, 10);
        found.entries.push(...page.entries);
        found.records.push(...page.records);
        cursor = page.cursor;
      } while (cursor !== '0');
      expect({ entries: found.entries.sort(), records: found.records }).toEqual({ entries: ['done', 'refused'], records: ['old'] });
    });

    test('a location stays marked while anything there waits', async () => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      expect(await a.mark(claim, 3)).toEqual({ kind: 'ok' });
      for (const name of ['intent', 'parked', 'frozen', 'paused', 'timers'] as const) {
        await a.commit(claim, change(0, { header: { [name]: '{}' } }));
        expect(await a.unmark(claim, 3), name).toEqual({ kind: 'busy' });
        await a.commit(claim, change(0, { header: { [name]: '' } }));
      }
      await a.append('t/1', item(1, 'x', 'bulk'), entry('inboxed'), generation);
      expect(await a.unmark(claim, 3)).toEqual({ kind: 'busy' });
      await a.trim(claim, { inbox: [item(1, 'x', 'bulk')] });
      await a.commit(claim, change(0, { events: events('t/1', 1, 1) }));
      expect(await a.unmark(claim, 3)).toEqual({ kind: 'busy' });
      await a.published(claim, 1);
      expect(await a.marked(3)).toEqual(['t/1']);
      expect(await a.unmark(claim, 3)).toEqual({ kind: 'ok' });
      expect(await a.unmark(claim, 3)).toEqual({ kind: 'ok' });
      expect(await a.marked(3)).toEqual([]);
    });

    test('one who appends marks without an epoch', async () => {
      const { a, generation } = await setup();
      expect(await a.markInbox('t/1', 3, generation)).toEqual({ kind: 'ok' });
      const claim = await claimOf(a, 't/2', generation);
      await a.mark(claim, 3);
      expect(await a.markInbox('t/2', 3, generation)).toEqual({ kind: 'ok' });
      expect(await a.marked(3)).toEqual(['t/1', 't/2']);
      expect(await a.marked(4)).toEqual([]);
    });

    test('what was applied of a partition rises and never falls, and tells which life saw it', async () => {
      const { a, b, generation } = await setup();
      const key = { group: 'g', topic: 't', partition: 2 };
      expect(await a.applied(key)).toBeUndefined();
      expect(await a.setApplied(key, 100, 5_000, generation)).toEqual({ kind: 'ok' });
      expect(await b.setApplied(key, 90, 6_000, generation)).toEqual({ kind: 'ok' });
      expect(await b.applied(key)).toEqual({ offset: 100, newestMs: 6_000, life: a.life(), generation });
      expect(await b.applied({ ...key, partition: 3 })).toBeUndefined();
    });

    test('an operator who accepts a partition as it is sets its offset lower', async () => {
      const { a, generation } = await setup();
      const key = { group: 'g', topic: 't', partition: 2 };
      await a.setApplied(key, 100, 5_000, generation);
      expect(await a.setApplied(key, 7, 4_000, generation, true)).toEqual({ kind: 'ok' });
      expect(await a.applied(key)).toEqual({ offset: 7, newestMs: 5_000, life: a.life(), generation });
    });

    test('a restarted store keeps everything, takes nothing from an old claim, and says that it came back', async () => {
      const { a, b, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      await a.commit(claim, ids(0, ['before', 'done']));
      const lives: string[] = [];
      a.onReconnect((life) => lives.push(life));
      await world.restart();
      await vi.waitFor(() => expect([a.life(), b.life()]).not.toContain(undefined), 10_000);
      expect(a.life()).not.toBe(claim.life);
      await vi.waitFor(() => expect(lives).toEqual([a.life()]));
      // Others have loaded their scripts and claimed already.
      await claimOf(b, 't/other', generation);
      expect(await a.commit(claim, ids(0, ['after', 'done']))).toEqual({ kind: 'new-life' });
      expect(await a.published(claim, 1)).toEqual({ kind: 'new-life' });
      expect(await a.trim(claim, { entries: ['before'] })).toEqual({ kind: 'new-life' });
      expect(await a.mark(claim, 1)).toEqual({ kind: 'new-life' });
      expect(await a.unmark(claim, 1)).toEqual({ kind: 'new-life' });
      expect(await a.recall('t/1', ['before', 'after'])).toEqual([{ entry: entry('done') }, {}]);
      const again = await claimOf(a, 't/1', generation);
      expect(again.epoch).toBe(claim.epoch + 1);
      expect(await a.commit(again, ids(0, ['after', 'done']))).toEqual({ kind: 'ok' });
    });

    test('while the store is away nothing is sent: down, and reads say STORE_DOWN', async () => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      await world.kill();
      await vi.waitFor(() => expect(a.life()).toBeUndefined());
      expect(await a.commit(claim, ids(0, ['c', 'done']))).toMatchObject({ kind: 'down' });
      expect(await a.claim('t/1', 'me', generation)).toMatchObject({ kind: 'down' });
      expect(await a.append('t/1', item(1, 'c'), entry('inboxed'), generation)).toMatchObject({ kind: 'down' });
      await expect(a.read('t/1')).rejects.toMatchObject({ code: 'STORE_DOWN' });
      await expect(a.generation()).rejects.toMatchObject({ code: 'STORE_DOWN' });
      await expect(a.setGeneration(2, generation)).rejects.toMatchObject({ code: 'STORE_DOWN' });
      await expect(world.open().start()).rejects.toMatchObject({ code: 'STORE_DOWN' });
      await world.restart();
      await vi.waitFor(() => expect(a.life()).toBeDefined(), 10_000);
      expect(await a.recall('t/1', ['c'])).toEqual([{}]);
    });

    test('a commit whose answer is lost is unanswered, and is found by its id afterwards', async () => {
      const { a, b, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      world.freeze();
      expect(await a.commit(claim, ids(0, ['c', 'done']))).toMatchObject({ kind: 'unanswered' });
      world.thaw();
      await vi.waitFor(async () => expect(await b.recall('t/1', ['c'])).toEqual([{ entry: entry('done') }]), 10_000);
      await vi.waitFor(() => expect(a.life()).toBeDefined(), 10_000);
      const fresh = await claimOf(a, 't/1', generation);
      expect(fresh.epoch).toBe(claim.epoch + 1);
      expect(await a.commit(fresh, ids(0, ['c', 'done']))).toMatchObject({ kind: 'refused' });
    });

    test('flushed scripts are loaded again within the same life', async () => {
      const { a, generation } = await setup();
      const claim = await claimOf(a, 't/1', generation);
      await world.forgetScripts();
      const commits = ['c1', 'c2', 'c3'].map((id) => a.commit(claim, ids(0, [id, 'done'])));
      expect(await Promise.all(commits)).toEqual([{ kind: 'ok' }, { kind: 'ok' }, { kind: 'ok' }]);
      await world.forgetScripts();
      expect(await a.append('t/1', item(1, 'x'), entry('inboxed'), generation)).toEqual({ kind: 'ok' });
      expect(await a.inbox('t/1', 'customer', 1)).toEqual([item(1, 'x')]);
    });

    test('starting and stopping twice does no harm', async () => {
      const { a } = await setup();
      await a.start();
      await a.stop();
      await a.stop();
      expect(a.life()).toBeUndefined();
      await a.start();
      expect(a.life()).toBeDefined();
    });
  });
}
