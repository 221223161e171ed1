/** Words that the commands of the command line share: options with their rules, manners, and how they print and complain. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { environment, readAdminToken } from '../config.ts';
import { why } from '../errors.ts';
import { systemRandom } from '../random.ts';
import type { Format, Said } from './ask.ts';
import { type Client, client, EXIT, Failure } from './client.ts';

const env = environment();

export function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
    throw new InvalidArgumentError(`must be a whole number from ${min} to ${max}`);
  };
}
export function share(text: string): number {
  if (/^(0|1|0?\.\d{1,6}|1\.0)$/.test(text)) return Number(text);
  throw new InvalidArgumentError('must be a share from 0 to 1');
}
export function range(text: string): readonly [number, number] {
  const [, min, max] = /^(\d{1,6})(?:\.\.(\d{1,6}))?$/.exec(text) ?? [];
  if (min !== undefined && Number(max ?? min) >= Number(min)) return [Number(min), Number(max ?? min)];
  throw new InvalidArgumentError('must be a number of milliseconds or a range such as 5..50');
}
export function url(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text.replace(/\/+$/, '');
  throw new InvalidArgumentError('must be an http:// or https:// URL');
}

export type Common = { readonly output: Format; readonly url: string; readonly adminUrl: string };
export const output = () => new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text');
export const toReplica = () =>
  new Option('--url <url>', 'public port of any replica (LOCUS_URL)').argParser(url).default(env.LOCUS_URL || 'http://127.0.0.1:8080');
export const toAdmin = () =>
  new Option('--admin-url <url>', 'admin port of a replica (LOCUS_ADMIN_URL); its token is read from ADMIN_TOKEN or ADMIN_TOKEN_FILE')
    .argParser(url)
    .default(env.LOCUS_ADMIN_URL || 'http://127.0.0.1:9090');
export const because = () => new Option('--because <reason>', 'why: it is kept with the action').makeOptionMandatory();
export const key = () => new Option('--key <key>', 'repeats an action instead of doing another').default(undefined, 'a new one');
export const newKey = (): string => `cli-${systemRandom.hex(8)}`;

export const replica = (options: Common): Client => client(configured('LOCUS_URL', options.url), undefined, systemClock);
export const admin = (options: Common): Client => client(configured('LOCUS_ADMIN_URL', options.adminUrl), readAdminToken(env), systemClock);
/** A default taken from the environment passes no parser of the command line. */
function configured(name: string, text: string): string {
  try {
    return url(text);
  } catch (error) {
    throw new Failure(EXIT.config, `${name} is ${JSON.stringify(text)}: ${why(error)}`);
  }
}

export const print = (text: string): void => void process.stdout.write(`${text}\n`);
export const complain = (text: string): void => void process.stderr.write(`locus: ${text}\n`);
export async function say(said: Promise<Said>): Promise<void> {
  const { text, exit = EXIT.done, note } = await said;
  print(text);
  if (note !== undefined) complain(note);
  process.exitCode = exit;
}

/** Every command has the same manners: it does not exit by itself, and a misuse is one line. */
export function command(path: string, summary: string): Command {
  return manners(new Command(path.split(' ').at(-1)).description(summary), `locus ${path}`);
}
export function manners(it: Command, path: string): Command {
  const line = (text: string) =>
    text
      .replace(/^error: /, '')
      .replaceAll('\n', ' ')
      .trim();
  return it
    .exitOverride()
    .helpCommand(false)
    .configureOutput({ outputError: (text, write) => write(`locus: ${line(text)} (see ${path} --help)\n`) });
}
