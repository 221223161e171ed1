/** The embedded side of `locus doctor`: the folder, the file and who holds it, room on the disk, free ports, a device if one is named. */
import { join } from 'node:path';
import { why } from '../errors.ts';
import { device, type Instruments } from './doctor.ts';
import type { LinkInstruments } from './doctor-links.ts';
import { type Finding, ok, skipped, wrong } from './findings.ts';

export type AloneInstruments = LinkInstruments &
  Pick<Instruments, 'device'> & {
    /** In words; rejects when it does not do. */
    readonly folder: (path: string) => Promise<string>;
    /** Bytes that are free where the folder is or will be. */
    readonly room: (path: string) => Promise<number>;
    /** The process that holds it; undefined: nobody, or it is not there. Rejects where that cannot be seen. */
    readonly holder: (path: string) => Promise<number | undefined>;
    /** Rejects when something listens there. */
    readonly free: (host: string, port: number) => Promise<void>;
  };
export type AlonePatient = {
  readonly dataDir: string;
  readonly deviceUrl: string | undefined;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly adminHost: string;
  readonly adminPort: number;
};

export async function examineAlone(it: AlonePatient, by: AloneInstruments): Promise<readonly Finding[]> {
  const path = join(it.dataDir, 'locus.db');
  const folder = await by.folder(it.dataDir).then(
    (told) => ok('folder', it.dataDir, told),
    (error: unknown) => wrong('folder', it.dataDir, `${why(error)}: give DATA_DIR a folder that this user may write to`),
  );
  const [file, isHeld] = await by.holder(path).then(
    (pid) =>
      pid === undefined
        ? ([ok('file', path, 'nobody holds it'), false] as const)
        : ([ok('file', path, `held by process ${pid}: while that runs, no second one can start on this DATA_DIR`), true] as const),
    (error: unknown) => [skipped('file', path, `who holds it cannot be seen here: ${why(error)}`), false] as const,
  );
  const listeners = [
    ['HTTP_PORT', it.httpHost, it.httpPort],
    ['ADMIN_PORT', it.adminHost, it.adminPort],
  ] as const;
  const ports = await Promise.all(listeners.map(([name, host, port]) => portFinding(name, host, port, isHeld, by)));
  const named = it.deviceUrl === undefined ? [] : await device(it.deviceUrl, by);
  return [folder, ...(folder.state === 'ok' ? [await roomFinding(it.dataDir, by)] : []), file, ...ports, ...named];
}

const MEGABYTE = 1_000_000;
const ROOM_MIN_MB = 500;
async function roomFinding(dataDir: string, by: AloneInstruments): Promise<Finding> {
  try {
    const free = Math.floor((await by.room(dataDir)) / MEGABYTE);
    if (free >= ROOM_MIN_MB) return ok('disk', dataDir, `${free} MB free`);
    return wrong('disk', dataDir, `${free} MB free: must be at least ${ROOM_MIN_MB}, because events stay in the file for good: make room`);
  } catch (error) {
    return skipped('disk', dataDir, `not measured: ${why(error)}`);
  }
}

async function portFinding(name: string, host: string, port: number, isHeld: boolean, by: AloneInstruments): Promise<Finding> {
  const target = `${host}:${port}`;
  try {
    await by.free(host, port);
    return ok('port', target, 'free');
  } catch (error) {
    if (isHeld) return ok('port', target, 'in use, as it is while the program runs');
    return wrong('port', target, `${why(error)}: stop what listens there, or set ${name}`);
  }
}
