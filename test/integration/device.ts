/** The device gateway as a process of its own, with its calls held and released by tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../infra/dev/free-port.ts';
import { until } from './until.ts';

export type Device = {
  readonly url: string;
  readonly journal: string;
  /** Holds the dispenses of a location before its cash moves, or after it and before the answer; `silent`: every request. */
  hold(location: string, point: 'before' | 'after' | 'silent'): Promise<void>;
  release(location: string): Promise<void>;
  /** Waits until a held call is there, or until one was refused by its fence. */
  waitForCall(location: string, what?: 'held' | 'fenced'): Promise<void>;
  /** Notes taken, by `location commandId`; throws when one was paid twice. */
  moved(): Promise<Map<string, Record<string, number>>>;
  stop(): Promise<void>;
};

export async function startDevice(dir: string, switches: readonly string[]): Promise<Device> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const journal = join(dir, 'journal.jsonl');
  const output = openSync(join(dir, 'device.log'), 'a');
  const child: ChildProcess = spawn(
    process.execPath,
    ['dist/src/cli.js', 'device', '--port', String(port), '--journal', journal, ...switches],
    {
      stdio: ['ignore', output, output],
    },
  );
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ask = async (path: string, body?: object) => {
    const answer = await fetch(`${url}${path}`, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`the device answered ${answer.status} to ${path}: ${await answer.text()}`);
    return (await answer.json()) as Record<string, number>;
  };
  await until('the device listens', () =>
    ask('/admin/holds').then(
      () => true,
      () => false,
    ),
  );
  return {
    url,
    journal,
    hold: async (location, point) => void (await ask('/admin/hold', { location, point })),
    release: async (location) => void (await ask('/admin/release', { location })),
    waitForCall: (location, what = 'held') =>
      until(
        `a call of ${location} is ${what}`,
        async () => ((await ask(what === 'held' ? '/admin/holds' : '/admin/fenced'))[location] ?? 0) > 0,
      ),
    async moved() {
      const taken = new Map<string, Record<string, number>>();
      for (const line of readFileSync(journal, 'utf8').split('\n').filter(Boolean)) {
        const it = JSON.parse(line) as { kind: string; location: string; commandId: string; notes: Record<string, number> };
        if (it.kind !== 'moved' || Object.keys(it.notes).length === 0) continue;
        const key = `${it.location} ${it.commandId}`;
        if (taken.has(key)) throw new Error(`${key} was paid twice`);
        taken.set(key, it.notes);
      }
      return taken;
    },
    async stop() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}
