import { beforeEach, describe, expect, it } from 'vitest';
import type { EffectContext, Fence, Handler } from '../../src/actor.ts';
import { bind } from '../../src/actor.ts';
import type { Change } from '../../src/ports.ts';
import { definitions } from '../../src/runtime/definition.ts';
import { effects } from '../../src/runtime/effects.ts';
import { entryParts } from '../../src/runtime/ground.ts';
import { bent, held, setup } from './bundle.ts';
import { TestClock } from './test-clock.ts';
import { mood, Till } from './till.ts';

type Bundle = ReturnType<typeof setup>;
const never = new Promise<void>(() => {});

let it_: Bundle;
beforeEach(() => {
  it_ = setup({ partitions: 1 });
});

/** What the store says of a command: its status, and whether it is in doubt. */
async function status(it: Bundle, commandId: string, id = 'T1') {
  const entry = await it.entry(id, commandId);
  return entry === undefined ? 'unknown' : entryParts(entry.text).facts.doubt === true ? 'in doubt' : entry.status;
}
const probes = ({ device }: Bundle, id: string) => device.calls.filter((call) => call.startsWith(`probe ${id} `));
const fenceOf = (call: string | undefined): Fence => {
  const [epoch = 0, seq = 0] = (call?.split(' ')[2] ?? '').split('/').map(Number);
  return { epoch, seq };
};
const frozen = async (it: Bundle) => JSON.parse((await it.view.read('till/T1'))?.header.frozen ?? 'null')?.reason as string | undefined;

/** A till with cash whose device pays, keeps its answer to itself, and does not answer probes: in doubt. */
async function inDoubt(it: Bundle) {
  const answers = held();
  const node = await it.replica('a');
  await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
  it.device.after = () => answers.gate;
  it.device.before = (kind) => (kind === 'probe' ? never : Promise.resolve());
  const id = it.send('T1', 'pay', { amount: 3 });
  await it.until(async () => expect(await status(it, id)).toBe('in doubt'));
  await it.until(() => expect(node.live('T1')?.running).toBeUndefined());
  return { node, id, answers };
}

describe('an effect whose answer is lost', () => {
  it('is in doubt durably before it is asked about, under a fence above that of its run', async () => {
    const it = it_;
    await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    const ran: Fence[] = [];
    const known: string[] = [];
    it.device.after = () => never;
    it.device.before = async (kind, key) => {
      const intent = JSON.parse((await it.view.read('till/T1'))?.header.intent ?? '{}');
      if (kind === 'run') ran.push(intent.fence);
      if (kind === 'probe') known.push(await status(it, key));
    };
    const id = it.send('T1', 'pay', { amount: 3 });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done', reply: { amount: 3 } });
    expect(known).toEqual(['in doubt']);
    const asked = fenceOf(probes(it, id)[0]);
    expect(asked.epoch).toBe(ran[0]?.epoch);
    expect(asked.seq).toBeGreaterThan(ran[0]?.seq ?? Number.POSITIVE_INFINITY);
  });

  it('is never run a second time', async () => {
    const it = it_;
    const { id, answers } = await inDoubt(it);
    await it.clock.advance(30_000);
    it.device.before = async () => {};
    await it.outcome('T1', id);
    answers.release();
    await it.clock.advance(5_000);
    expect(it.device.calls.filter((call) => call === `run ${id}`)).toHaveLength(1);
  });

  it('stays in doubt while the device is silent: others go on, performing is refused, it is asked with back-off and settled later', async () => {
    const it = it_;
    const { node, id } = await inDoubt(it);
    expect(await it.outcome('T1', it.send('T1', 'add', { amount: 1 }))).toMatchObject({ status: 'done' });
    expect(await it.outcome('T1', it.send('T1', 'pay', { amount: 1 }))).toMatchObject({
      status: 'refused',
      code: 'IN_DOUBT_OPEN',
      detail: { commandId: id },
    });
    await it.until(() => expect(it.committed()).toBe(4));
    const before = probes(it, id).length;
    await it.clock.advance(16_000);
    // After 1, 2, 4, 8 s and the 200 ms that each question takes.
    expect(probes(it, id).length - before).toBeGreaterThanOrEqual(3);
    expect(probes(it, id).length - before).toBeLessThanOrEqual(5);
    expect(node.live('T1')?.probes).toBeGreaterThanOrEqual(4);
    it.device.before = async () => {};
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done', reply: { amount: 3 } });
    expect(await it.outcome('T1', it.send('T1', 'look', {}))).toMatchObject({ reply: { cash: 98 } });
  });

  it('is not refused when its command is delivered again while it is in doubt', async () => {
    const it = it_;
    const { node, id } = await inDoubt(it);
    it.send('T1', 'pay', { amount: 3 }, id);
    it.send('T1', 'pay', { amount: 3 }, id, { deadlineMs: it.clock.now() - 1 });
    it.send('T1', 'pay', { amount: 4 }, id);
    await it.until(() => expect(it.committed()).toBe(5));
    expect(await status(it, id)).toBe('in doubt');
    expect(node.counts.turns.filter((turn) => turn === 'in-doubt')).toHaveLength(2);
    expect(node.counts.letters).toEqual(['ID_REUSED']);
    it.device.before = async () => {};
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done', reply: { amount: 3 } });
  });

  it('is asked about again though another command throws meanwhile', async () => {
    const it = it_;
    const { id } = await inDoubt(it);
    mood.throws = 2;
    const failing = it.send('T1', 'fail', {});
    await it.outcome('T1', failing);
    it.device.before = async () => {};
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done' });
  });

  it('is asked about again though the answer to an earlier effect arrives late', async () => {
    const it = it_;
    const { id, answers } = await inDoubt(it);
    it.device.before = async () => {};
    await it.outcome('T1', id);
    it.device.before = (kind) => (kind === 'probe' ? never : Promise.resolve());
    it.device.after = () => never;
    const second = it.send('T1', 'pay', { amount: 5 });
    await it.until(async () => expect(await status(it, second)).toBe('in doubt'));
    await it.until(() => expect(probes(it, second).length).toBe(2));
    await it.clock.advance(500);
    answers.release();
    await it.clock.advance(500);
    it.device.before = async () => {};
    expect(await it.outcome('T1', second)).toMatchObject({ status: 'done', reply: { amount: 5 } });
  });

  it('is recorded as in doubt once, though its run ends only after another claim has asked', async () => {
    const it = it_;
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    it.device.after = () => never;
    it.device.before = (kind) => (kind === 'probe' ? never : Promise.resolve());
    const id = it.send('T1', 'pay', { amount: 3 });
    await it.until(() => expect(it.device.paid.has(id)).toBe(true));
    it.disk.restart();
    // It notices at its next commit: while the effect runs that is an operator's.
    expect(await node.act('T1', { verb: 'resume' })).toMatchObject({ kind: 'refused', code: 'BUSY' });
    await it.until(async () => expect(await status(it, id)).toBe('in doubt'));
    await it.clock.advance(10_000);
    expect(await status(it, id)).toBe('in doubt');
    expect(it.types('T1').filter((type) => type === 'PayInDoubt')).toHaveLength(1);
  });
});

describe('what is counted as open and as in doubt', () => {
  it('comes back to nothing, whatever claims and operators did meanwhile', async () => {
    const it = it_;
    const { node, id } = await inDoubt(it);
    expect([node.counts.open, node.counts.inDoubt]).toEqual([0, 1]);
    it.disk.restart();
    await it.outcome('T1', it.send('T1', 'add', { amount: 1 }));
    expect(node.counts.inDoubt).toBe(1);
    it.device.before = async () => {};
    await it.outcome('T1', id);
    expect([node.counts.open, node.counts.inDoubt]).toEqual([0, 0]);
    it.device.after = () => never;
    it.device.before = (kind) => (kind === 'probe' ? never : Promise.resolve());
    const second = it.send('T1', 'pay', { amount: 1 });
    await it.until(async () => expect(await status(it, second)).toBe('in doubt'));
    await node.act('T1', { verb: 'settle', commandId: second, evidence: { status: 'failed', code: 'X' } });
    await it.clock.advance(5_000);
    expect([node.counts.open, node.counts.inDoubt]).toEqual([0, 0]);
  });
});

describe('an answer that comes after its effect was settled', () => {
  it('freezes the location when it contradicts the evidence', async () => {
    const it = it_;
    const { id, answers } = await inDoubt(it);
    it.device.before = async () => {};
    await it.outcome('T1', id);
    it.device.paid.set(id, 2);
    answers.release();
    await it.until(async () => expect(await frozen(it)).toBe('EVIDENCE_CONFLICT'));
    await it.until(() => expect(it.types('T1').at(-1)).toBe('EvidenceConflict'));
    const waits = it.send('T1', 'look', {});
    await it.clock.advance(5_000);
    expect(await status(it, waits)).toBe('inboxed');
  });

  it('changes nothing when it says the same', async () => {
    const it = it_;
    const { id, answers } = await inDoubt(it);
    it.device.before = async () => {};
    await it.outcome('T1', id);
    answers.release();
    await it.clock.advance(1_000);
    expect(await it.outcome('T1', it.send('T1', 'look', {}))).toMatchObject({ reply: { cash: 97 } });
    expect(await frozen(it)).toBeUndefined();
  });

  it('freezes the location when it contradicts what an operator settled', async () => {
    const it = it_;
    const { node, id, answers } = await inDoubt(it);
    const acted = await node.act('T1', { verb: 'settle', commandId: id, evidence: { status: 'failed', code: 'COUNTED' } });
    expect(acted.kind).toBe('acted');
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'refused', code: 'NOT_PAID' });
    answers.release();
    await it.until(async () => expect(await frozen(it)).toBe('EVIDENCE_CONFLICT'));
  });
});

describe('evidence that cannot be booked', () => {
  it('is committed raw, freezes the location, and is booked by the unfreezing that can', async () => {
    const it = it_;
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    mood.settleThrows = true;
    const id = it.send('T1', 'pay', { amount: 3 });
    await it.until(async () => expect(await frozen(it)).toBe('EFFECT_UNBOOKED'));
    await it.until(() =>
      expect(it.events('T1').at(-1)).toMatchObject({
        type: 'till.EffectUnbooked',
        data: { evidence: { status: 'confirmed', result: { amount: 3 } } },
      }),
    );
    expect(await node.act('T1', { verb: 'unfreeze' })).toMatchObject({ kind: 'refused', code: 'CONFLICT' });
    expect(await frozen(it)).toBe('EFFECT_UNBOOKED');
    mood.settleThrows = false;
    expect(await node.act('T1', { verb: 'unfreeze' })).toMatchObject({ kind: 'acted' });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done', reply: { amount: 3 } });
    expect([await frozen(it), it.device.calls]).toEqual([undefined, [`run ${id}`]]);
  });

  it('stays with the location when its owner is killed: the next does not ask again', async () => {
    const it = it_;
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    mood.settleThrows = true;
    const id = it.send('T1', 'pay', { amount: 3 });
    await it.until(async () => expect(await frozen(it)).toBe('EFFECT_UNBOOKED'));
    node.kill();
    mood.settleThrows = false;
    const next = await it.replica('a');
    expect(await next.act('T1', { verb: 'unfreeze' })).toMatchObject({ kind: 'acted' });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done' });
    expect(probes(it, id)).toEqual([]);
  });

  it('stored raw by a commit whose answer was lost is over for its location: once booked, the others go on', async () => {
    const it = it_;
    let lost = 0;
    const node = await it.replica(
      'a',
      bent((store) => ({
        async commit(claim, change) {
          if (change.header.intent?.includes('unbooked') && lost++ === 0) it.disk.loseReplies(1);
          return store.commit(claim, change);
        },
      })),
    );
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    mood.settleThrows = true;
    const id = it.send('T1', 'pay', { amount: 3 });
    await it.until(async () => expect(await frozen(it)).toBe('EFFECT_UNBOOKED'));
    // Known by the next claim alone.
    await it.until(() => expect(node.live('T1')?.ground?.intent?.unbooked).toBeDefined());
    mood.settleThrows = false;
    expect(await node.act('T1', { verb: 'unfreeze' })).toMatchObject({ kind: 'acted' });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done', reply: { amount: 3 } });
    expect(await it.outcome('T1', it.send('T1', 'look', {}))).toMatchObject({ reply: { cash: 97 } });
    expect([node.counts.open, it.device.calls]).toEqual([0, [`run ${id}`]]);
  });

  it('in hand when its commit is fenced goes to the next claim, which asks nobody', async () => {
    const it = it_;
    let fenced = 0;
    await it.replica(
      'a',
      bent((store) => ({
        async commit(claim, change) {
          if (change.header.intent === '' && fenced++ === 0) await store.claim(claim.address, 'x/1', claim.generation);
          return store.commit(claim, change);
        },
      })),
    );
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    const id = it.send('T1', 'pay', { amount: 3 });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done', reply: { amount: 3 } });
    expect([fenced, it.device.calls]).toEqual([2, [`run ${id}`]]);
  });
});

describe('what waits behind an effect', () => {
  /** A till whose device is held at its first payment, with more waiting; what is committed from then on. */
  async function waiting(it: Bundle, names: readonly string[]) {
    const answers = held();
    const commits: Change[] = [];
    const node = await it.replica(
      'a',
      bent((store) => ({
        commit(claim, change) {
          commits.push(change);
          return store.commit(claim, change);
        },
      })),
    );
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    it.device.after = () => answers.gate;
    const first = it.send('T1', 'pay', { amount: 3 });
    await it.until(() => expect(it.device.paid.size).toBe(1));
    const ids = names.map((name) => it.send('T1', name, { amount: 1 }));
    await it.until(() => expect(node.live('T1')?.mailbox.length).toBe(ids.length));
    commits.length = 0;
    return { node, first, ids, commits, release: answers.release };
  }

  it('is decided in the commit that books its evidence, up to the next effect', async () => {
    const it = it_;
    const { first, ids, commits, release } = await waiting(it, ['add', 'pay', 'add']);
    release();
    const [add = '', pay = '', last = ''] = ids;
    expect(await it.outcome('T1', last)).toMatchObject({ status: 'done', reply: { cash: 98 } });
    expect(commits.map((change) => change.entries.map((entry) => [entry.commandId, entry.status]))).toEqual([
      [
        [first, 'done'],
        [add, 'done'],
        [pay, 'open'],
      ],
      [
        [pay, 'done'],
        [last, 'done'],
      ],
    ]);
    expect(it.device.calls).toEqual([`run ${first}`, `run ${pay}`]);
  });

  it('waits on, and the evidence with it, when that commit is fenced: nothing is lost and nothing runs twice', async () => {
    const it = it_;
    const { node, first, ids, release } = await waiting(it, ['pay', 'add']);
    const claimed = await it.view.claim('till/T1', 'x/1', (await it.view.generation()) ?? '');
    expect(claimed.kind).toBe('claimed');
    release();
    const [pay = '', last = ''] = ids;
    expect(await it.outcome('T1', last)).toMatchObject({ status: 'done', reply: { cash: 97 } });
    expect(node.counts.fenced).toBe(1);
    expect(await it.outcome('T1', first)).toMatchObject({ status: 'done', reply: { amount: 3 } });
    expect(it.device.calls).toEqual([`run ${first}`, `run ${pay}`]);
    expect(node.counts.open).toBe(0);
  });

  it('waits on when the evidence cannot be booked', async () => {
    const it = it_;
    const { node, first, ids, release } = await waiting(it, ['pay']);
    mood.settleThrows = true;
    release();
    await it.until(async () => expect(await frozen(it)).toBe('EFFECT_UNBOOKED'));
    expect(await status(it, ids[0] ?? '')).toBe('unknown');
    mood.settleThrows = false;
    expect(await node.act('T1', { verb: 'unfreeze' })).toMatchObject({ kind: 'acted' });
    expect(await it.outcome('T1', ids[0] ?? '')).toMatchObject({ status: 'done' });
    expect(it.device.calls).toEqual([`run ${first}`, `run ${ids[0]}`]);
  });

  it('goes on after a repeat of the command whose evidence was booked', async () => {
    const it = it_;
    const { node, first, release } = await waiting(it, []);
    it.send('T1', 'pay', { amount: 3 }, first);
    const last = it.send('T1', 'pay', { amount: 2 });
    await it.until(() => expect(node.live('T1')?.mailbox.length).toBe(2));
    release();
    expect(await it.outcome('T1', last)).toMatchObject({ status: 'done', reply: { amount: 2 } });
    expect(node.counts.turns).toContain('duplicate');
    expect(it.device.calls).toEqual([`run ${first}`, `run ${last}`]);
  });
});

describe('evidence that arrives while its location has no claim', () => {
  it('goes to the next one, which asks nobody', async () => {
    const it = it_;
    const claims = held();
    const wire = held();
    let claimed = 0;
    const node = await it.replica(
      'a',
      bent((store) => ({ claim: async (...given) => (claimed++ > 0 ? claims.gate : Promise.resolve()).then(() => store.claim(...given)) })),
    );
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    it.device.after = () => wire.gate;
    const id = it.send('T1', 'pay', { amount: 3 });
    await it.until(() => expect(it.device.paid.has(id)).toBe(true));
    it.disk.restart();
    await node.act('T1', { verb: 'resume' });
    await it.until(() => expect(claimed).toBe(2));
    wire.release();
    await it.clock.settle();
    claims.release();
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done', reply: { amount: 3 } });
    expect(it.device.calls).toEqual([`run ${id}`]);
    expect(node.replica.site.evidence.size).toBe(0);
  });
});

describe('a device that obeys a higher epoch than the store knows', () => {
  it.each(['open', 'run', 'probe'] as const)('freezes the location when it says so at %s', async (at) => {
    const it = it_;
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    const regress = () => it.device.obey('till/T1', { epoch: 9 * 2 ** 32, seq: 1 });
    it.device.after = () => never;
    it.device.before = async (kind) => {
      if (kind === at) regress();
    };
    it.send('T1', 'pay', { amount: 3 });
    await it.until(async () => expect(await frozen(it)).toBe('STORE_REGRESSED'));
    const epoch = node.live('T1')?.claim?.epoch;
    await it.clock.advance(10_000);
    expect(node.live('T1')?.claim?.epoch).toBe(epoch);
  });

  it('is settled once the generation was raised above it, and the location thaws', async () => {
    const it = it_;
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    it.device.after = () => never;
    it.device.before = async (kind) => {
      if (kind === 'probe') it.device.obey('till/T1', { epoch: 2 ** 32 + 99, seq: 1 });
    };
    const id = it.send('T1', 'pay', { amount: 3 });
    await it.until(async () => expect(await frozen(it)).toBe('STORE_REGRESSED'));
    it.device.before = async () => {};
    await it.clock.run(node.replica.partitions.raise());
    await it.until(async () => expect((await node.act('T1', { verb: 'unfreeze' })).kind).toBe('acted'));
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done', reply: { amount: 3 } });
    expect(await it.outcome('T1', it.send('T1', 'look', {}))).toMatchObject({ reply: { cash: 97 } });
  });

  it('is asked again after an unfreezing that found its intent still open', async () => {
    const it = it_;
    const node = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    it.device.after = () => never;
    it.device.before = async (kind) => {
      if (kind === 'probe') it.device.obey('till/T1', { epoch: 9 * 2 ** 32, seq: 1 });
    };
    const id = it.send('T1', 'pay', { amount: 3 });
    await it.until(async () => expect(await frozen(it)).toBe('STORE_REGRESSED'));
    it.device.before = async () => {};
    it.device.obey('till/T1', { epoch: 0, seq: 0 });
    expect(await node.act('T1', { verb: 'unfreeze' })).toMatchObject({ kind: 'acted' });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done', reply: { amount: 3 } });
  });
});

describe('a run on the wire while its owner is killed', () => {
  it('is refused by the device once the next owner has asked about it', async () => {
    const it = it_;
    const wire = held();
    const first = await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    it.device.before = (kind) => (kind === 'run' ? wire.gate : Promise.resolve());
    const id = it.send('T1', 'pay', { amount: 3 });
    await it.until(() => expect(it.device.calls).toEqual([`run ${id}`]));
    const ran: Fence = JSON.parse((await it.view.read('till/T1'))?.header.intent ?? '{}').fence;
    first.kill();
    const second = await it.replica('b');
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'refused', code: 'NOT_PAID' });
    wire.release();
    await it.clock.advance(5_000);
    expect([it.device.paid.size, second.counts.recovered]).toEqual([0, 1]);
    expect(fenceOf(probes(it, id)[0]).epoch).toBeGreaterThan(ran.epoch);
    expect(await it.outcome('T1', it.send('T1', 'look', {}))).toMatchObject({ reply: { cash: 100 } });
  });
});

describe('no intent is committed', () => {
  it('before the lease is renewed: the command waits for a quorum', async () => {
    const it = it_;
    await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    for (const node of it.locks.nodes.slice(0, 2)) node.up = false;
    await it.clock.advance(700);
    const id = it.send('T1', 'pay', { amount: 3 });
    const behind = it.send('T1', 'look', {});
    await it.clock.advance(3_000);
    expect([await status(it, id), it.device.calls]).toEqual(['inboxed', []]);
    for (const node of it.locks.nodes) node.up = true;
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done' });
    expect(await it.outcome('T1', behind)).toMatchObject({ reply: { cash: 97 } });
  });

  it('before the device has answered who it is: the command waits', async () => {
    const it = it_;
    await it.replica('a');
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    it.device.before = (kind) => (kind === 'open' ? never : Promise.resolve());
    const id = it.send('T1', 'pay', { amount: 3 });
    await it.clock.advance(5_000);
    expect([await status(it, id), it.device.calls, it.types('T1')]).toEqual(['inboxed', [], ['Added']]);
    await it.until(() => expect(it.committed()).toBe(2));
    it.device.before = async () => {};
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done' });
  });

  it('and none run, when the store does not take it', async () => {
    const it = it_;
    let refused = 0;
    await it.replica(
      'a',
      bent((store) => ({
        commit: async (claim, change) =>
          change.header.intent && refused++ === 0 ? { kind: 'down', why: 'a test' } : store.commit(claim, change),
      })),
    );
    await it.outcome('T1', it.send('T1', 'add', { amount: 100 }));
    it.device.before = async (kind, key) => {
      if (kind === 'run') expect([refused, await status(it, key)]).toEqual([2, 'open']);
    };
    const id = it.send('T1', 'pay', { amount: 3 });
    expect(await it.outcome('T1', id)).toMatchObject({ status: 'done' });
    expect(it.device.calls).toEqual([`run ${id}`]);
  });
});

describe('a call to the outside', () => {
  const intent = {
    commandId: 'c-1',
    name: 'pay',
    hash: 'h',
    effect: 'pay',
    order: { amount: 3 },
    fence: { epoch: 1, seq: 2 },
    sinceMs: 0,
    appendedMs: 0,
    witness: 'w-1',
  };
  /** Runs the effect of the intent by this handler. */
  function ran(run: Handler<{ amount: number }, { amount: number }>['run']) {
    const clock = new TestClock();
    const till = definitions([bind(Till, { pay: { run, probe: async () => ({ status: 'unknown' }) } })]).get('till');
    if (till === undefined) throw new Error('no till');
    const late: unknown[] = [];
    return { clock, late, report: effects(clock, 1_000).run(till, 'till/T1', intent, (it) => late.push(it)) };
  }

  it('that throws at once is not known, like one that rejects', async () => {
    const { report } = ran(() => {
      throw new Error('no way out');
    });
    expect(await report).toEqual({ kind: 'unknown', why: 'no way out' });
  });

  it('is told by its signal that its time is over, and what it answers then is late', async () => {
    const gate = held();
    let given: EffectContext | undefined;
    const { clock, late, report } = ran(async (order, context) => {
      given = { ...context };
      await gate.gate;
      return { status: 'confirmed', result: order };
    });
    expect(given).toMatchObject({ address: 'till/T1', key: 'c-1', fence: { epoch: 1, seq: 2 }, witness: 'w-1' });
    expect(given?.signal.aborted).toBe(false);
    await clock.advance(3_000);
    expect(await report).toEqual({ kind: 'unknown', why: 'no answer in 3000 ms' });
    expect(given?.signal.aborted).toBe(true);
    gate.release();
    await clock.settle();
    expect(late).toEqual([{ kind: 'evidence', evidence: { status: 'confirmed', result: { amount: 3 } } }]);
  });

  it('that asks for its signal when its time is over finds it aborted', async () => {
    let given: EffectContext | undefined;
    const { clock } = ran((_order, context) => {
      given = context;
      return new Promise(() => {});
    });
    await clock.advance(3_000);
    expect(given?.signal.aborted).toBe(true);
  });
});
