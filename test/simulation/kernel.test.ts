import { expect, test } from 'vitest';
import { chance } from './chance.ts';
import { Kernel } from './kernel.ts';

const kernelOf = () => {
  const kernel = new Kernel(1);
  const heard: string[] = [];
  return { kernel, heard, say: (what: string) => () => void heard.push(`${kernel.nowMs.toFixed(0)} ${what}`) };
};

test('time jumps from event to event, and what microtasks leave is done before the next', async () => {
  const { kernel, heard, say } = kernelOf();
  kernel.after(kernel.world, 20, 'b', say('b'));
  kernel.after(kernel.world, 10, 'a', async () => {
    await Promise.resolve();
    await Promise.resolve();
    say('a')();
  });
  kernel.after(kernel.world, 10, 'cancelled', say('never')).cancel();
  await kernel.run(() => false);
  expect(heard).toEqual(['10 a', '20 b']);
});

test('immediates are events while it runs, and the global one is itself again afterwards', async () => {
  const { kernel, heard, say } = kernelOf();
  const before = globalThis.setImmediate;
  kernel.after(kernel.world, 5, 'a', () => {
    setImmediate(say('immediate'));
    clearImmediate(setImmediate(say('never')));
  });
  await kernel.run(() => false);
  expect(heard).toEqual(['5 immediate']);
  expect(globalThis.setImmediate).toBe(before);
});

test('a frozen process hears late and in order, a dead one never', async () => {
  const { kernel, heard, say } = kernelOf();
  const [cold, dead] = [kernel.process('cold'), kernel.process('dead')];
  kernel.after(cold, 10, 'a', say('a'));
  kernel.after(cold, 20, 'b', say('b'));
  kernel.after(dead, 10, 'c', say('never'));
  kernel.freeze(cold);
  kernel.after(kernel.world, 5, 'kills', () => kernel.kill(dead));
  kernel.after(kernel.world, 50, 'thaws', () => kernel.thaw(cold));
  await kernel.run(() => false);
  expect(heard).toEqual(['50 a', '50 b']);
});

test('what nobody catches ends the run', async () => {
  const { kernel } = kernelOf();
  kernel.after(kernel.world, 1, 'rejects', () => void Promise.reject(new Error('uncaught')));
  kernel.after(kernel.world, 1_000, 'later', () => {});
  await expect(kernel.run(() => false)).rejects.toThrow('uncaught');
});

test('each name has a stream of its own, the same for the same seed', () => {
  const drawn = (seed: number, name: string) => Array.from({ length: 4 }, chance(seed, name).next);
  expect(drawn(1, 'a')).toEqual(drawn(1, 'a'));
  expect(drawn(1, 'a')).not.toEqual(drawn(1, 'b'));
  expect(drawn(1, 'a')).not.toEqual(drawn(2, 'a'));
});
