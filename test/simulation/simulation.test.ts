import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** The simulator is a program of its own, compiled: nact's immediates belong to a whole thread, and worker threads load no TypeScript. */
const MAIN = join(import.meta.dirname, '../../dist/test/simulation/main.js');
const sim = (...words: string[]) =>
  new Promise<{ readonly exit: number | null; readonly out: string }>((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...words], { maxBuffer: 1 << 26 }, (_error, out, err) =>
      resolve({ exit: child.exitCode, out: out + err }),
    );
  });
const LONG_MS = 240_000;

test(
  'no seed breaks a promise, and every fault was met',
  async () => {
    const { exit, out } = await sim('--seeds', '300', '--from', '1', '--steps', '400', '--unkept');
    expect(out).toContain('0 violations');
    for (const count of ['fenced', 'redelivered', 'in doubt opened', 'in doubt settled', 'restarts', 'frozen replicas'])
      expect(out).toMatch(new RegExp(`${count} [1-9]`));
    expect(exit).toBe(0);
  },
  LONG_MS,
);

test(
  'a seed that runs twice has the same trace',
  async () => {
    const { exit, out } = await sim('--seeds', '200', '--from', '1000', '--steps', '200', '--twice', '--unkept');
    expect(out).toContain('200 seeds twice: equal traces');
    expect(exit).toBe(0);
  },
  LONG_MS,
);

test.each(['grants', 'lies'])(
  'what must hold, holds with a lease that %s',
  async (leases) => {
    const { exit, out } = await sim('--seeds', '20', '--from', '1', '--steps', '400', '--leases', leases, '--unkept');
    expect(out).toContain('0 violations');
    expect(exit).toBe(0);
  },
  LONG_MS,
);

test(
  'every seed that once broke a promise keeps it now',
  async () => {
    const { exit, out } = await sim('--regressions');
    expect(out).toContain('0 violations');
    expect(exit).toBe(0);
  },
  LONG_MS,
);

test('what cannot be run is said in words', async () => {
  const { exit, out } = await sim('--seeds', 'many', '--leases', 'none');
  expect(out).toContain('--seeds is "many": must be a whole number');
  expect(out).toContain('--leases is "none": must be honest, grants or lies');
  expect(exit).toBe(2);
});
