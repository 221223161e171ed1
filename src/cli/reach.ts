/** Whether a name stands for an address, whether somebody listens there, and whether a folder may be written to. */
import { lookup } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import { connect as open } from 'node:net';
import { dirname, resolve as whole } from 'node:path';
import type { Clock } from '../clock.ts';

const WITHIN_MS = 3_000;

export type Place = { readonly host: string; readonly port: number };

/** Of host:port, or of a URL, whose scheme may stand for a port. */
export function placeIn(text: string, ports: Readonly<Record<string, number>> = {}): Place {
  const { protocol, hostname, port } = new URL(/^[a-z]+:\/\//.test(text) ? text : `tcp://${text}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (ports[protocol] ?? 0) };
}

export async function resolve(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/** How long it took, ms. */
export function connect({ host, port }: Place, clock: Clock): Promise<number> {
  const sinceMs = clock.monotonic();
  return new Promise((done, failed) => {
    const socket = open({ host, port });
    const end = (over: () => void) => {
      late.cancel();
      socket.destroy();
      over();
    };
    const late = clock.after(WITHIN_MS, () => end(() => failed(new Error(`no answer within ${WITHIN_MS} ms`))));
    socket.once('connect', () => end(() => done(clock.monotonic() - sinceMs)));
    socket.once('error', (error) => end(() => failed(error)));
  });
}

/** Answers what it found in words; of a folder that is not there yet, the first one above it that is must be writable. */
export async function folder(path: string): Promise<string> {
  let there = whole(path);
  while (!existsSync(there)) there = dirname(there);
  await access(there, constants.W_OK);
  if (!(await stat(there)).isDirectory()) throw new Error(`${there} is a file`);
  return there === whole(path) ? 'may be written to' : 'not there yet: the first start makes it';
}
