/** What every registry of replicas, and every carrier of notices, must do; run over memory and over a real Redis. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Notices, Registry } from '../../src/ports.ts';

export type RegistryWorld = {
  /** Not started. */
  registry(): Registry;
  notices(): Notices;
  kill(): Promise<void>;
  restart(): Promise<void>;
  flush(): Promise<void>;
  stop(): Promise<void>;
};

export function registrySuite(name: string, begin: () => Promise<RegistryWorld>): void {
  describe(name, () => {
    let world: RegistryWorld;
    let stops: (() => Promise<void>)[] = [];
    beforeAll(async () => {
      world = await begin();
    });
    afterEach(async () => {
      await Promise.all(stops.map((stop) => stop()));
      stops = [];
    });
    afterAll(() => world.stop());

    async function started<T extends Registry | Notices>(it: T): Promise<T> {
      stops.push(() => it.stop());
      await it.start();
      return it;
    }
    async function setup() {
      await world.flush();
      return { a: await started(world.registry()), b: await started(world.registry()) };
    }

    test('lives of one replica rise, and no number is issued twice', async () => {
      const { a, b } = await setup();
      expect(await a.highestLife('r-1')).toBe(0);
      const lives = await Promise.all([a, b, a, b].map((it) => it.register('r-1', 'http://one')));
      expect([...lives].sort()).toEqual([1, 2, 3, 4]);
      expect(await b.register('r-2', 'http://two')).toBe(1);
      expect(await a.highestLife('r-1')).toBe(4);
    });

    test('those who are there are listed with what they last said, by the clock of the registry', async () => {
      const { a, b } = await setup();
      const life = await a.register('r-1', 'http://one');
      await b.register('r-2', 'http://two');
      await a.beat({ replicaId: 'r-1', life, url: 'http://elsewhere', generation: '1:abc', partitions: [3, 5] });
      const { nowMs, replicas } = await b.list();
      expect([...replicas].sort((x, y) => x.replicaId.localeCompare(y.replicaId))).toEqual([
        { replicaId: 'r-1', life, url: 'http://elsewhere', generation: '1:abc', partitions: [3, 5], seenMs: expect.any(Number) },
        { replicaId: 'r-2', life: 1, url: 'http://two', generation: '', partitions: [], seenMs: expect.any(Number) },
      ]);
      for (const { seenMs } of replicas) expect(nowMs - seenMs).toBeLessThan(5_000);
    });

    test('a beat makes a replica seen later', async () => {
      const { a } = await setup();
      const life = await a.register('r-1', 'http://one');
      const seenMs = async () => (await a.list()).replicas[0]?.seenMs ?? 0;
      const first = await seenMs();
      await vi.waitFor(async () => {
        await a.beat({ replicaId: 'r-1', life, url: 'http://one', generation: '1:abc', partitions: [] });
        expect(await seenMs()).toBeGreaterThan(first);
      });
    });

    test('one that leaves cleanly is not listed, but its number stays used', async () => {
      const { a } = await setup();
      await a.remove('r-1', await a.register('r-1', 'http://one'));
      expect((await a.list()).replicas).toEqual([]);
      expect(await a.highestLife('r-1')).toBe(1);
      expect(await a.register('r-1', 'http://one')).toBe(2);
    });

    test('a new life takes the place of the earlier ones in the list', async () => {
      const { a, b } = await setup();
      await a.register('r-1', 'http://one');
      await b.register('r-1', 'http://one');
      expect((await a.list()).replicas.map((it) => it.life)).toEqual([2]);
    });

    test('a notice reaches everybody who listens on its channel, and nobody else', async () => {
      await setup();
      const [a, b] = [await started(world.notices()), await started(world.notices())];
      const heard: string[] = [];
      await a.listen('one', (text) => heard.push(`a one ${text}`));
      await b.listen('one', (text) => heard.push(`b one ${text}`));
      await b.listen('two', (text) => heard.push(`b two ${text}`));
      a.send('two', 'é');
      a.send('one', '1');
      await vi.waitFor(() => expect(heard).toHaveLength(3));
      expect([...heard].sort()).toEqual(['a one 1', 'b one 1', 'b two é']);
    });

    test('away, the registry says STORE_DOWN and notices are lost; back, both go on and a gap is told', async () => {
      const { a } = await setup();
      const notices = await started(world.notices());
      const heard: string[] = [];
      let gaps = 0;
      notices.onGap(() => {
        gaps += 1;
      });
      await notices.listen('one', (text) => heard.push(text));
      const life = await a.register('r-1', 'http://one');
      await world.kill();
      await vi.waitFor(() => expect(a.list()).rejects.toMatchObject({ code: 'STORE_DOWN' }));
      await expect(a.register('r-1', 'http://one')).rejects.toMatchObject({ code: 'STORE_DOWN' });
      await expect(world.registry().start()).rejects.toMatchObject({ code: 'STORE_DOWN' });
      notices.send('one', 'lost');
      await world.restart();
      await vi.waitFor(() => expect(gaps).toBe(1), 10_000);
      await vi.waitFor(() => a.beat({ replicaId: 'r-1', life, url: 'http://one', generation: '1:abc', partitions: [] }), 10_000);
      await vi.waitFor(() => {
        notices.send('one', 'again');
        expect(heard).toContain('again');
      }, 10_000);
      expect(heard).not.toContain('lost');
      expect(await a.highestLife('r-1')).toBe(life);
    });
  });
}
