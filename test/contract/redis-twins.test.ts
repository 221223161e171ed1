/** The memory store held to the real one by random requests; `npm run sim -- --twins` plays many more. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type StoreSide, storeSequence } from '../simulation/twins/store.ts';
import { memorySide, redisSide } from '../simulation/twins/store-sides.ts';

async function withSides(work: (memory: StoreSide, real: StoreSide) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'locus-twins-'));
  const real = await redisSide(dir);
  try {
    await work(await memorySide(), real);
  } finally {
    await real.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

test('the store in memory answers random requests as Redis does, restarts in the middle included', () =>
  withSides(async (memory, real) => {
    const answers = new Set<string>();
    let restarts = 0;
    for (let seed = 1; seed <= 150; seed++) {
      const tally = await storeSequence(seed, [memory, real], { restartRate: 0.1 });
      restarts += tally.restarts;
      for (const kind of Object.keys(tally.answers)) answers.add(kind);
    }
    expect(restarts).toBeGreaterThan(5);
    for (const verb of ['append', 'claim', 'trim', 'mark', 'unmark', 'published', 'setApplied', 'commit'])
      expect([...answers].join()).toContain(verb);
    for (const kind of [
      'trim fenced',
      'trim new-life',
      'claim generation',
      'append known',
      'append id-reused',
      'append recreated',
      'unmark busy',
      'trim threw',
    ])
      expect([...answers]).toContain(kind);
  }));

test('a twin that answers otherwise is found, with the seed and the request', () =>
  withSides(async (memory, real) => {
    const [first, second] = memory.doors;
    const bent = { ...memory, doors: [bend(first), bend(second)] as const };
    await expect(
      (async () => {
        for (let seed = 1; seed <= 20; seed++) await storeSequence(seed, [bent, real]);
      })(),
    ).rejects.toThrow(/seed \d+, step \d+: the stores differ\n.*published.*memory:.*real:/s);
  }));

/** `published` that lowers. */
function bend(door: StoreSide['doors'][0]): StoreSide['doors'][0] {
  const published: typeof door.published = async (claim, seq) => (seq > 1 ? door.published(claim, seq - 1) : door.published(claim, seq));
  return new Proxy(door, {
    get(target, name) {
      const value: unknown = name === 'published' ? published : Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
