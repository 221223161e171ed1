/** What can be seen from this machine: names, listeners and what they show, a folder, its disk, who holds a file, ports. */
import { lookup } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import { access, constants, readFile, stat, statfs } from 'node:fs/promises';
import { createServer, isIP, connect as open, type Socket } from 'node:net';
import { dirname, resolve as whole } from 'node:path';
import { type PeerCertificate, connect as secure } from 'node:tls';
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
export async function connect({ host, port }: Place, clock: Clock): Promise<number> {
  const sinceMs = clock.monotonic();
  return opened(open({ host, port }), 'connect', clock, () => clock.monotonic() - sinceMs);
}

/** Whose certificate it is, who signed it, and until when it is good (RFC 3339). */
export type Certificate = { readonly subject: string; readonly issuer: string; readonly until: string };

/** As the clients of Kafka and Redis do it: a server is told the name that it is called by, and must have it in its certificate. */
export function handshake({ host, port }: Place, ca: string | undefined, clock: Clock): Promise<Certificate> {
  const socket = secure({ host, port, ...(ca === undefined ? {} : { ca }), ...(isIP(host) === 0 ? { servername: host } : {}) });
  return opened(socket, 'secureConnect', clock, () => {
    const { subject, issuer, subjectaltname, valid_to } = socket.getPeerCertificate();
    const names = subjectaltname === undefined ? '' : ` (${subjectaltname})`;
    return { subject: `${called(subject)}${names}`, issuer: called(issuer), until: new Date(valid_to).toISOString().slice(0, 10) };
  });
}
const called = (who: PeerCertificate['subject']): string => [who.CN ?? who.O ?? 'nobody by name'].flat().join(', ');

function opened<T>(socket: Socket, event: string, clock: Clock, found: () => T): Promise<T> {
  return new Promise((done, failed) => {
    const end = (over: () => void) => {
      late.cancel();
      over();
      socket.destroy();
    };
    const late = clock.after(WITHIN_MS, () => end(() => failed(new Error(`no answer within ${WITHIN_MS} ms`))));
    socket.once(event, () => end(() => done(found())));
    socket.on('error', (error) => end(() => failed(error)));
  });
}

/** Answers what it found in words; of a folder that is not there yet, the first one above it that is must be writable. */
export async function folder(path: string): Promise<string> {
  const there = nearest(path);
  await access(there, constants.W_OK);
  if (!(await stat(there)).isDirectory()) throw new Error(`${there} is a file`);
  return there === whole(path) ? 'may be written to' : 'not there yet: the first start makes it';
}
function nearest(path: string): string {
  let there = whole(path);
  while (!existsSync(there)) there = dirname(there);
  return there;
}

/** Bytes that this user may still write where the folder is, or will be. */
export async function room(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(nearest(path));
  return bavail * bsize;
}

/** The process that holds a lock on the file to write, as Linux lists it (proc_locks(5)); to try the lock would be to touch the file. */
export async function holder(path: string): Promise<number | undefined> {
  if (!existsSync(path)) return undefined;
  const { ino } = await stat(path);
  const locks = await readFile('/proc/locks', 'utf8');
  const pid = new RegExp(` (?:POSIX|OFDLCK) +\\S+ +WRITE +(-?\\d+) +\\S+:${ino} `, 'm').exec(locks)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/** Rejects when something listens there. */
export function free(host: string, port: number): Promise<void> {
  const server = createServer();
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen({ host, port }, () => server.close(() => done()));
  });
}
