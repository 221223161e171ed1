/** A power cut of the embedded file, at points of many commits chosen by a seed: nothing that was acknowledged is lost, nothing is half there. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { openJournal } from '../../infra/device/journal.ts';
import { EmbeddedFile } from '../../infra/embedded/file.ts';
import { EmbeddedLog } from '../../infra/embedded/log.ts';
import { embeddedStateStore } from '../../infra/embedded/state-store.ts';
import { systemClock } from '../../src/clock.ts';
import type { Claim } from '../../src/ports.ts';
import { systemRandom } from '../../src/random.ts';
import { cut, type Image, isCheckpoint, isRestart, seeded } from './torn-disk.ts';

const CUTS = 100;
const SEEDS = [1, 20_260_729] as const;
const LOCATIONS = 5;
const TOPIC = 'commands';

/** Something that was written in the commit of this number. */
type Fact = { readonly commit: number } & (
  | { readonly record: string; readonly partition: number; readonly offset: number }
  | { readonly address: string; readonly commandId: string; readonly seq: number; readonly text: string }
);
type Point = { readonly commit: number; readonly path: string; readonly acknowledged: readonly Fact[] };

let dir = '';
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Calls `moment` around each commit, with all that lies on the disk before and after it. */
class WatchedFile extends EmbeddedFile {
  commits = 0;
  moment: (before: Image, after: Image) => void = () => {};
  readonly #at: string;
  constructor(path: string) {
    super({
      path,
      clock: systemClock,
      broken: (why) => {
        throw new Error(why);
      },
    });
    this.#at = path;
  }
  protected override sync(): void {
    const before = this.#image();
    super.sync();
    this.moment(before, this.#image());
    this.commits += 1;
  }
  #image = (): Image => ({ file: readFileSync(this.#at), log: readFileSync(`${this.#at}-wal`) });
}

/** Writes at random until the power was cut often enough; answers all that was ever written, and where the torn files lie. */
async function torment(
  seed: number,
): Promise<{ readonly facts: readonly Fact[]; readonly points: readonly Point[]; readonly kinds: Set<string> }> {
  const chance = seeded(seed);
  const upTo = (most: number) => Math.floor(chance() * most);
  dir = mkdtempSync(join(tmpdir(), 'locus-power-'));
  const file = new WatchedFile(join(dir, 'locus.db'));
  file.open();
  // Often, so that a cut meets a checkpoint and a log that begins anew.
  file.get('PRAGMA wal_autocheckpoint=60');
  const store = embeddedStateStore(file, { random: systemRandom });
  await store.start();
  const generation = await store.setGeneration(1, undefined);
  const log = await EmbeddedLog.open({ file, topics: [TOPIC], partitions: 2 });
  const claims: Claim[] = [];
  for (let n = 0; n < LOCATIONS; n++) {
    const claimed = await store.claim(`till/${n}`, 'me', generation);
    if (claimed.kind === 'claimed') claims.push(claimed.claim);
  }
  const facts: Fact[] = [];
  const acknowledged: Fact[] = [];
  const points: Point[] = [];
  const kinds = new Set<string>();
  file.moment = (before, after) => {
    const kind = isCheckpoint(before, after) ? 'checkpoint' : isRestart(before, after) ? 'restart' : 'plain';
    if (points.length === CUTS || (kind === 'plain' && chance() > 0.3)) return;
    kinds.add(kind);
    const path = join(dir, String(points.length), 'locus.db');
    mkdirSync(join(dir, String(points.length)));
    const left = cut(before, after, chance);
    writeFileSync(path, left.file);
    writeFileSync(`${path}-wal`, left.log);
    points.push({ commit: file.commits, path, acknowledged: [...acknowledged] });
  };

  const seqs = claims.map(() => 0);
  const move = (n: number): Promise<unknown> => {
    const [claim, seq] = [claims[n], seqs[n] ?? 0];
    if (claim === undefined) throw new Error(`nothing was claimed for ${n}`);
    seqs[n] = seq + 1;
    const [commandId, text] = [`c-${seq}`, JSON.stringify({ t: 1, x: 'x'.repeat(upTo(900)) })];
    const fact = { commit: file.commits, address: claim.address, commandId, seq: seq + 1, text };
    facts.push(fact);
    const entry = { commandId, status: 'done' as const, hash: 'h'.repeat(43), text };
    const event = { address: claim.address, seq: seq + 1, text };
    const change = { seq, unrecorded: [], events: [event], entries: [entry], records: [], header: { state: text } };
    return store.commit(claim, change).then(({ kind }) => kind === 'ok' && acknowledged.push(fact));
  };
  const append = (partition: number): Promise<unknown> => {
    const record = 'r'.repeat(upTo(2_000));
    const fact = { commit: file.commits, record, partition, offset: log.shelf({ topic: TOPIC, partition }).high };
    facts.push(fact);
    return log.append([{ topic: TOPIC, partition, message: { key: 'k', value: record } }]).then(() => acknowledged.push(fact));
  };
  while (points.length < CUTS) {
    await Promise.all(Array.from({ length: 1 + upTo(12) }, () => (chance() < 0.5 ? move(upTo(LOCATIONS)) : append(upTo(2)))));
    // An acknowledgement that came too early must not keep the commit from its turn.
    await new Promise<void>((resolve) => systemClock.soon(resolve));
  }
  file.close();
  return { facts, points, kinds };
}

/** Which of these facts stand in a file that is opened as after a power cut. */
async function standing(path: string, facts: readonly Fact[]): Promise<readonly Fact[]> {
  const file = new EmbeddedFile({ path, clock: systemClock, broken: () => {} });
  file.open();
  expect(file.all<object>('PRAGMA integrity_check').map((row) => Object.values(row)[0])).toEqual(['ok']);
  const store = embeddedStateStore(file, { random: systemRandom });
  await store.start();
  const log = await EmbeddedLog.open({ file, topics: [TOPIC], partitions: 2 });
  const found: Fact[] = [];
  for (const fact of facts) {
    if ('record' in fact) {
      const record = log.shelf({ topic: TOPIC, partition: fact.partition }).at(fact.offset);
      if (record !== undefined && Buffer.from(record.value ?? []).toString() === fact.record) found.push(fact);
      continue;
    }
    const [known] = await store.recall(fact.address, [fact.commandId]);
    const located = await store.read(fact.address);
    const stands = known?.entry?.text === fact.text && (located?.seq ?? 0) >= fact.seq;
    if (stands && (located?.seq !== fact.seq || located.header.state === fact.text)) found.push(fact);
  }
  file.close();
  return found;
}

describe('a power cut of the embedded file', () => {
  test.each(SEEDS)(
    `loses nothing acknowledged at ${CUTS} points, seed %i, and leaves no commit half done`,
    { timeout: 60_000 },
    async (seed) => {
      const { facts, points, kinds } = await torment(seed);
      expect(points).toHaveLength(CUTS);
      expect([...kinds].sort()).toEqual(['checkpoint', 'plain', 'restart']);
      expect(points.at(-1)?.acknowledged.length).toBeGreaterThan(500);
      let survived = 0;
      for (const { commit, path, acknowledged } of points) {
        const inHand = facts.filter((fact) => fact.commit === commit);
        expect(await standing(path, acknowledged), `cut in commit ${commit}`).toEqual(acknowledged);
        const half = await standing(path, inHand);
        expect([0, inHand.length], `commit ${commit} is half there`).toContain(half.length);
        if (half.length > 0) survived += 1;
      }
      // The cuts bite, and not always.
      expect(survived).toBeGreaterThan(0);
      expect(survived).toBeLessThan(CUTS);
    },
  );

  test('would be noticed if it lost a commit that was acknowledged', { timeout: 60_000 }, async () => {
    const { facts, points } = await torment(7);
    const lost = points.filter(({ commit }) => facts.some((fact) => fact.commit === commit));
    let noticed = 0;
    for (const { commit, path } of lost.slice(0, 20)) {
      const claimed = facts.filter((fact) => fact.commit <= commit);
      if ((await standing(path, claimed)).length < claimed.length) noticed += 1;
    }
    expect(noticed).toBeGreaterThan(0);
  });
});

describe('a power cut of the device’s journal', () => {
  test(`keeps every line that was acknowledged, at ${CUTS} points of what came after`, async () => {
    dir = mkdtempSync(join(tmpdir(), 'locus-power-'));
    const chance = seeded(11);
    const path = join(dir, 'device.journal');
    const line = (n: number) => ({ kind: 'fence', location: `L${n}`, fence: { epoch: 1, seq: n }, atMs: n }) as const;
    const journal = await openJournal(path);
    await Promise.all(Array.from({ length: 50 }, (_, n) => journal.append(line(n))));
    const acknowledged = readFileSync(path);
    await Promise.all(Array.from({ length: 50 }, (_, n) => journal.append(line(50 + n))));
    await journal.close();
    const whole = readFileSync(path);
    for (let n = 0; n < CUTS; n++) {
      writeFileSync(path, whole.subarray(0, acknowledged.length + Math.floor(chance() * (whole.length - acknowledged.length))));
      const again = await openJournal(path);
      expect(again.before.slice(0, 50)).toEqual(Array.from({ length: 50 }, (_, at) => line(at)));
      expect(again.before).toEqual(Array.from({ length: again.before.length }, (_, at) => line(at)));
      await again.close();
    }
  });
});
