/** What a Redis user must be allowed, and whether it is: asked inside a MULTI that is discarded, so that nothing is ever done. */
import type { Redis } from 'ioredis';
import { answered } from './refusals.ts';

/** Commands, keys and channels as an ACL line grants them. */
export type Rights = {
  readonly commands: Readonly<Record<string, readonly string[]>>;
  readonly keys: readonly string[];
  readonly channels: readonly string[];
};

/** Each grant with arguments that Redis takes as well formed: it judges the form before the rights. CONFIG and INFO are judged by policy.ts. */
export const STORE: Rights = {
  commands: {
    '+ping': ['PING'],
    '+script|load': ['SCRIPT', 'LOAD', 'return 1'],
    '+evalsha': ['EVALSHA', '0', '0'],
    '+get': ['GET', 'l:'],
    '+set': ['SET', 'l:', ''],
    '+hget': ['HGET', 'l:', ''],
    '+hmget': ['HMGET', 'l:', ''],
    '+hset': ['HSET', 'l:', '', ''],
    '+hsetnx': ['HSETNX', 'l:', '', ''],
    '+hdel': ['HDEL', 'l:', ''],
    '+hlen': ['HLEN', 'l:'],
    '+hscan': ['HSCAN', 'l:', '0'],
    '+hvals': ['HVALS', 'l:'],
    '+hincrby': ['HINCRBY', 'l:', '', '1'],
    '+zadd': ['ZADD', 'l:', '0', ''],
    '+zrem': ['ZREM', 'l:', ''],
    '+zrange': ['ZRANGE', 'l:', '0', '0'],
    '+zcard': ['ZCARD', 'l:'],
    '+time': ['TIME'],
    '+publish': ['PUBLISH', 'locus:notice:', ''],
  },
  keys: ['~l:*', '~x:*', '~c:*', '~locus:*'],
  channels: ['&locus:notice:*'],
};
export const LOCKS: Rights = {
  commands: {
    '+ping': ['PING'],
    '+evalsha': ['EVALSHA', '0', '0'],
    '+eval': ['EVAL', '', '0'],
    '+get': ['GET', 'lease:'],
    '+set': ['SET', 'lease:', ''],
    '+del': ['DEL', 'lease:'],
    '+pexpire': ['PEXPIRE', 'lease:', '1'],
  },
  keys: ['~lease:*'],
  channels: [],
};

/** Rights that are lacking, as an ACL line would grant them; rejects when Redis does not answer. */
export async function lackingRights(client: Redis, { commands, keys, channels }: Rights, database = '0'): Promise<readonly string[]> {
  const ask = async (command: readonly string[]): Promise<string> => {
    const [name = '', ...args] = command;
    try {
      return String(await client.call(name, ...args));
    } catch (error) {
      if (answered(error)) return error.message;
      throw error;
    }
  };
  // Outside of it what follows would be done.
  if ((await ask(['MULTI'])) !== 'OK') return ['+multi', '+discard'];
  const select = database === '0' ? {} : { '+select': ['SELECT', database] };
  const grants = Object.entries({ ...commands, ...select });
  const answers = await Promise.all([
    ...grants.map(([, command]) => ask(command)),
    ...keys.map((key) => ask(['EVALSHA', '0', '1', key.slice(1, -1)])),
    ...channels.map((channel) => ask(['PUBLISH', channel.slice(1, -1), ''])),
    ask(['DISCARD']),
  ]);
  const about = { command: /run the '/, key: /access one of the keys/, channel: /access one of the channels/ };
  const refused = (offset: number, names: readonly string[], kind: RegExp) => names.filter((_, n) => kind.test(answers[offset + n] ?? ''));
  const names = grants.map(([grant]) => grant);
  const last = names.length + keys.length + channels.length;
  return [
    ...refused(0, names, about.command),
    ...refused(names.length, keys, about.key),
    ...refused(names.length + keys.length, channels, about.channel),
    ...refused(last, ['+discard'], about.command),
  ];
}
