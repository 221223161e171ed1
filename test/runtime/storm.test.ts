/** Seeded storms of kills, restarts, foreign claims, lost answers and silent devices; the books must add up after each. */
import { expect, it } from 'vitest';
import { setup } from './bundle.ts';
import { COMMANDS, type Node } from './fleet.ts';

const TILLS = 4;
const STEPS = 60;
const CASH = 1_000;

/** The same numbers for the same seed. */
function dice(seed: number) {
  let state = seed * 2_654_435_761;
  return (sides: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

it.each(Array.from({ length: 30 }, (_, n) => n + 1))(
  'storm %i leaves every command with one outcome and the books in balance',
  async (seed) => {
    const it = setup({ partitions: 2, seed, limits: { mailboxMax: 8, inboxMax: 20, idleMs: 3_000 } });
    const roll = dice(seed);
    await it.view.start();
    const nodes: Node[] = [await it.replica('r-0'), await it.replica('r-1')];
    const sent: { readonly at: string; readonly id: string; readonly name: string; readonly amount: number }[] = [];
    const send = (at: string, name: string, amount: number) => {
      const id = it.send(at, name, { amount });
      sent.push({ at, id, name, amount });
    };
    for (let n = 0; n < TILLS; n++) send(`T${n}`, 'add', CASH);
    const weather: (() => Promise<void> | void)[] = [
      () => it.disk.restart(),
      () => it.disk.loseReplies(1 + roll(5)),
      () => it.disk.loseRequests(1 + roll(5)),
      () => it.disk.goDown(),
      () => it.disk.comeBack(),
      async () => {
        const generation = await it.view.generation().catch(() => undefined);
        if (generation !== undefined) await it.view.claim(`till/T${roll(TILLS)}`, 'x/1', generation);
      },
      () => it.log.setWriters((['well', 'down', 'deaf'] as const)[roll(3)] ?? 'well'),
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
      () => {
        for (const node of it.locks.nodes) node.up = roll(3) > 0;
      },
      () => {
        const again = sent[roll(sent.length)];
        if (again !== undefined) it.send(again.at, again.name, { amount: again.amount }, again.id);
      },
      async () => {
        const n = roll(2);
        if (it.disk.life() === undefined) return;
        const held = nodes[n]?.replica.partitions.heldPartitions ?? [];
        nodes[n]?.kill();
        for (const partition of held)
          if (roll(3) === 0 && it.committed(partition) !== undefined) it.log.moveOffset(it.group, { topic: COMMANDS, partition }, 0);
        nodes[n] = await it.replica(`r-${n}`);
      },
      async () => {
        const n = roll(2);
        if (it.disk.life() === undefined) return;
        await nodes[n]?.drain();
        nodes[n]?.kill();
        nodes[n] = await it.replica(`r-${n}`);
      },
      async () => {
        const generation = await it.view.generation().catch(() => undefined);
        if (generation !== undefined && roll(3) === 0)
          await it.view.setGeneration(Number.parseInt(generation, 10) + 1, generation).catch(() => {});
      },
      async () => {
        it.disk.freeze();
        await it.clock.advance(roll(2_000));
        it.disk.thaw();
      },
      () => {
        for (const node of nodes) node.replica.router.find(`till/T${roll(TILLS)}`)?.leave('evicted');
      },
    ];
    for (let step = 0; step < STEPS; step++) {
      for (let n = roll(4); n > 0; n--) send(`T${roll(TILLS)}`, roll(2) === 0 ? 'add' : 'pay', 1 + roll(9));
      if (roll(2) === 0) await weather[roll(weather.length)]?.();
      await it.clock.advance(roll(400));
    }
    // The storm is over.
    it.disk.comeBack();
    it.log.setWriters('well');
    it.device.before = async () => {};
    it.device.after = async () => {};
    for (const node of it.locks.nodes) node.up = true;

    const outcomes: Record<string, unknown>[] = [];
    for (const { at, id } of sent) outcomes.push(await it.outcome(at, id));
    const total = it.log.records(COMMANDS).length;
    await it.until(() => expect((it.committed(0) ?? 0) + (it.committed(1) ?? 0)).toBe(total));
    for (let n = 0; n < TILLS; n++) {
      const at = `T${n}`;
      const mine = sent.map((command, n) => ({ ...command, outcome: outcomes[n] })).filter((command) => command.at === at);
      const done = (name: string) => mine.filter((command) => command.name === name && command.outcome?.status === 'done');
      const sum = (of: typeof mine) => of.reduce((all, { amount }) => all + amount, 0);
      const located = await it.view.read(`till/${at}`);
      const state = JSON.parse(located?.header.state ?? '{}').s;
      expect(state).toEqual({ cash: sum(done('add')) - sum(done('pay')), paying: 0 });
      // Whatever the device paid was booked, and nothing else was.
      expect(mine.filter(({ id }) => it.device.paid.has(id)).map(({ id }) => id)).toEqual(done('pay').map(({ id }) => id));
      await it.until(() =>
        expect(it.events(at).map((event) => event.locusseq)).toEqual(Array.from({ length: located?.seq ?? 0 }, (_, n) => n + 1)),
      );
      // Adds take effect in the order in which they were sent.
      const added = it.events(at).filter(({ type }) => type === 'till.Added');
      expect(added.map(({ locuscommand }) => locuscommand)).toEqual(done('add').map(({ id }) => id));
    }
    for (const id of it.device.paid.keys()) expect(it.device.calls.filter((call) => call === `run ${id}`)).toHaveLength(1);
  },
);
