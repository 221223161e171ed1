/** Seeded storms of kills, drains, foreign claims, lost answers, dead lock nodes and silent devices; the books must add up after each. */
import { expect, it } from 'vitest';
import { setup } from './bundle.ts';
import { COMMANDS, type Node } from './fleet.ts';

type Bundle = ReturnType<typeof setup>;
type Roll = (sides: number) => number;
type Sent = { readonly at: string; readonly id: string; readonly name: string; readonly amount: number };

const SEEDS = 40;
const TILLS = 5;
const PARTITIONS = 3;
const STEPS = 60;
const CASH = 1_000;

/** The same numbers for the same seed. */
function dice(seed: number): Roll {
  let state = seed * 2_654_435_761;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}
const sum = (of: readonly Sent[]) => of.reduce((all, { amount }) => all + amount, 0);

/** Everything that may happen to store, log, locks and device. */
const weather = (it: Bundle, roll: Roll): readonly (() => Promise<void> | void)[] => [
  () => it.disk.restart(),
  () => it.disk.loseReplies(1 + roll(5)),
  () => it.disk.loseRequests(1 + roll(5)),
  () => it.disk.goDown(),
  () => it.disk.comeBack(),
  async () => {
    it.disk.freeze();
    await it.clock.advance(roll(2_000));
    it.disk.thaw();
  },
  async () => {
    const generation = await it.view.generation().catch(() => undefined);
    if (generation !== undefined) await it.view.claim(`till/T${roll(TILLS)}`, 'x/1', generation);
  },
  async () => {
    const generation = await it.view.generation().catch(() => undefined);
    if (generation !== undefined && roll(3) === 0)
      await it.view.setGeneration(Number.parseInt(generation, 10) + 1, generation).catch(() => {});
  },
  () => it.log.setWriters((['well', 'down', 'deaf'] as const)[roll(3)] ?? 'well'),
  () => {
    for (const node of it.locks.nodes) node.up = roll(3) > 0;
  },
  () => {
    it.device.after = () => new Promise((resolve) => void it.clock.after(roll(6_000), resolve));
  },
  () => {
    it.device.before = () => new Promise((resolve) => void it.clock.after(roll(4_000), resolve));
  },
  () => {
    it.device.before = async () => {};
    it.device.after = async () => {};
  },
];
function calm(it: Bundle): void {
  it.disk.comeBack();
  it.log.setWriters('well');
  it.device.before = async () => {};
  it.device.after = async () => {};
  for (const node of it.locks.nodes) node.up = true;
}

/** Everything that may happen to replicas: they are killed, drained and come back, and their locations are evicted. */
function upheavals(it: Bundle, roll: Roll, nodes: Map<string, Node>): readonly (() => Promise<void> | void)[] {
  const some = () => [...nodes.keys()][roll(nodes.size)] ?? '';
  const begin = async (name: string) => {
    if (it.disk.life() !== undefined && !nodes.has(name)) nodes.set(name, await it.replica(name));
  };
  const kill = (name: string) => {
    const held = nodes.get(name)?.replica.partitions.heldPartitions ?? [];
    nodes.get(name)?.kill();
    nodes.delete(name);
    for (const partition of held)
      if (roll(3) === 0 && it.committed(partition) !== undefined) it.log.moveOffset(it.group, { topic: COMMANDS, partition }, 0);
  };
  return [
    async () => {
      const name = some();
      kill(name);
      await begin(name);
    },
    async () => {
      if (nodes.size > 1) kill(some());
    },
    async () => {
      if (nodes.size < 2 || it.disk.life() === undefined) return;
      const name = some();
      await nodes.get(name)?.drain();
      nodes.get(name)?.kill();
      nodes.delete(name);
    },
    () => begin(`r-${roll(3)}`),
    () => begin(`r-${roll(3)}`),
    () => {
      for (const node of nodes.values()) node.replica.router.find(`till/T${roll(TILLS)}`)?.leave('evicted');
    },
  ];
}

it.each(Array.from({ length: SEEDS }, (_, n) => n + 1))(
  'storm %i leaves every command with one outcome and the books in balance',
  async (seed) => {
    const it = setup({ partitions: PARTITIONS, seed, limits: { mailboxMax: 8, inboxMax: 20, idleMs: 3_000 } });
    const roll = dice(seed);
    await it.view.start();
    const nodes = new Map([['r-0', await it.replica('r-0')]]);
    nodes.set('r-1', await it.replica('r-1'));
    const happenings = [...weather(it, roll), ...upheavals(it, roll, nodes)];
    const sent: Sent[] = [];
    const send = (at: string, name: string, amount: number) => sent.push({ at, name, amount, id: it.send(at, name, { amount }) });
    for (let n = 0; n < TILLS; n++) send(`T${n}`, 'add', CASH);
    for (let step = 0; step < STEPS; step++) {
      for (let n = roll(4); n > 0; n--) send(`T${roll(TILLS)}`, roll(2) === 0 ? 'add' : 'pay', 1 + roll(9));
      const again = sent[roll(sent.length * 5)];
      if (again !== undefined) it.send(again.at, again.name, { amount: again.amount }, again.id);
      if (roll(2) === 0) await happenings[roll(happenings.length)]?.();
      await it.clock.advance(roll(400));
    }
    calm(it);
    if (nodes.size === 0) await it.replica('r-0');

    const outcomes = new Map<string, unknown>();
    for (const { at, id } of sent) outcomes.set(id, (await it.outcome(at, id)).status);
    // Every record is final, wherever it was read last.
    await it.until(() => {
      for (let partition = 0; partition < PARTITIONS; partition++)
        expect(it.committed(partition) ?? 0).toBe(it.log.records(COMMANDS).filter((record) => record.partition === partition).length);
    });
    for (let n = 0; n < TILLS; n++) await adds(it, `T${n}`, sent, outcomes);
    for (const id of it.device.paid.keys()) expect(it.device.calls.filter((call) => call === `run ${id}`)).toHaveLength(1);
  },
);

/** The books of one till: state, device, events and order agree with the outcomes. */
async function adds(it: Bundle, at: string, sent: readonly Sent[], outcomes: ReadonlyMap<string, unknown>): Promise<void> {
  const mine = sent.filter((command) => command.at === at);
  const done = (name: string) => mine.filter((command) => command.name === name && outcomes.get(command.id) === 'done');
  const ids = (of: readonly Sent[]) => of.map(({ id }) => id);
  const located = await it.view.read(`till/${at}`);
  expect(JSON.parse(located?.header.state ?? '{}').s).toEqual({ cash: sum(done('add')) - sum(done('pay')), paying: 0 });
  expect(ids(mine.filter(({ id }) => it.device.paid.has(id)))).toEqual(ids(done('pay')));
  const seqs = Array.from({ length: located?.seq ?? 0 }, (_, n) => n + 1);
  await it.until(() => expect(it.events(at).map((event) => event.locusseq)).toEqual(seqs));
  const added = it.events(at).filter(({ type }) => type === 'till.Added');
  expect(added.map(({ locuscommand }) => locuscommand)).toEqual(ids(done('add')));
}
