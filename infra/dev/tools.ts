/** Finds the programs that development needs: on PATH, else by apt-get when root on Debian, else says in one line what to install. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Each tool with the Debian package that brings it. */
const packages = {
  'redis-server': 'redis-server',
  'redis-check-aof': 'redis-tools',
  java: 'default-jre-headless',
  mvn: 'maven',
  kcat: 'kcat',
  openssl: 'openssl',
} as const;
export type Tool = keyof typeof packages;

/** The path of a program, installed if that can be done here; throws one sentence that says what to install. */
export function tool(name: Tool): string {
  const found = onPath(name);
  if (found !== undefined) return found;
  if (canInstall()) install(packages[name]);
  const installed = onPath(name);
  if (installed !== undefined) return installed;
  throw new Error(`${name} was not found on PATH: install it (on Debian and Ubuntu: apt-get install ${packages[name]})`);
}

function onPath(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

const canInstall = (): boolean => process.getuid?.() === 0 && existsSync('/etc/debian_version');

function install(name: string): void {
  const options = ['-o', 'DPkg::Lock::Timeout=120', '-y', '-qq'];
  // RUNLEVEL=1 keeps the package from starting a server of its own on a well-known port.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  try {
    execFileSync('apt-get', [...options, 'update'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    execFileSync('apt-get', [...options, 'install', '--no-install-recommends', name], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  } catch (error) {
    throw new Error(`apt-get could not install ${name}: install it by hand`, { cause: error });
  }
}
