/** The Lua scripts, bound to one life of the store: their text begins with its run_id, so what one life was told cannot run in the next. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Command, type Redis } from 'ioredis';

/** tsc copies no .lua: a program under dist/ reads them where they were written. */
const beside = new URL('./lua/', import.meta.url);
export const luaFolder = existsSync(beside) ? beside : new URL('../../../infra/redis/lua/', import.meta.url);

export type ScriptName =
  | 'append'
  | 'applied'
  | 'claim'
  | 'commit'
  | 'generation'
  | 'index'
  | 'mark'
  | 'mark-inbox'
  | 'published'
  | 'trim'
  | 'unmark';
/** The store's scripts; those of the lock nodes lie in a folder of their own. A file is called `<name>-<number of keys>.lua`. */
type Script = { readonly keys: string; readonly text: string };
const scripts = new Map<string, Script>(
  readdirSync(luaFolder).flatMap((file): [string, Script][] => {
    const [, name, keys] = /^(.+)-(\d)\.lua$/.exec(file) ?? [];
    return name && keys ? [[name, { keys, text: readFileSync(new URL(file, luaFolder), 'utf8') }]] : [];
  }),
);

/** One life of the store's process and the SHAs that belong to it. */
export type Incarnation = { readonly life: string; readonly shas: ReadonlyMap<string, string> };

const bound = (life: string, { text }: Script): string => `-- ${life}\n${text}`;
const incarnation = (life: string): Incarnation => ({
  life,
  shas: new Map([...scripts].map(([name, script]) => [name, createHash('sha1').update(bound(life, script)).digest('hex')])),
});

export const lifeIn = (info: string): string | undefined => /^run_id:(\w+)/m.exec(info)?.[1];

/** Call it in the tick of INFO's answer, on the same client: so all are loaded into the process that gave this run_id. */
export async function loadScripts(client: Redis, life: string): Promise<Incarnation> {
  await Promise.all([...scripts.values()].map((script) => client.script('LOAD', bound(life, script))));
  return incarnation(life);
}

/** Runs a script of this incarnation: never by its text, which would run in any life. Values are text, so that nothing is converted. */
export function evaluate(client: Redis, { shas }: Incarnation, name: ScriptName, keys: readonly string[], values: readonly string[]) {
  const call = new ScriptCall([shas.get(name) as string, (scripts.get(name) as Script).keys, ...keys, ...values]);
  client.sendCommand(call);
  return call.promise as Promise<unknown>;
}

/** Commits are written side by side into it: a buffer of its own for each would cost more than its bytes. */
const SLAB_BYTES = 65_536;
/** More than one character too much takes: who stops for want of room has gone past the length of an ASCII text. */
const SPARE_BYTES = 4;
let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let filled = 0;

/** What stands before a value of so many characters: most are short, and each is put together once. */
const headOf = (length: number): string => `\r\n$${length}\r\n`;
const HEADS: readonly string[] = Array.from({ length: 1_024 }, (_, length) => headOf(length));

/** EVALSHA with texts only. ioredis counts the bytes of each value, and Node those of the whole: for a commit of thirty values that costs as much as to send it. */
class ScriptCall extends Command {
  constructor(args: string[]) {
    super('evalsha', [], { replyEncoding: 'utf8' });
    this.args = args;
  }
  override toWritable(stream: object): string | Buffer {
    const args = this.args as string[];
    let text = `*${args.length + 1}\r\n$7\r\nevalsha`;
    for (const arg of args) text += (HEADS[arg.length] ?? headOf(arg.length)) + arg;
    text += '\r\n';
    const room = text.length + SPARE_BYTES;
    if (room > SLAB_BYTES) return super.toWritable(stream);
    if (filled + room > SLAB_BYTES) {
      // What the socket has not sent yet keeps the former one.
      slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      filled = 0;
    }
    // In ASCII a character is a byte: then all the lengths are right.
    if (slab.write(text, filled, room) !== text.length) return super.toWritable(stream);
    const end = filled + text.length;
    const bytes = slab.subarray(filled, end);
    filled = end;
    return bytes;
  }
}

/** After NOSCRIPT: loads one script again if the same life still answers. False: another life does. */
export async function reload(client: Redis, { life }: Incarnation, name: ScriptName): Promise<boolean> {
  if (lifeIn(await client.info('server')) !== life) return false;
  await client.script('LOAD', bound(life, scripts.get(name) as Script));
  return true;
}
