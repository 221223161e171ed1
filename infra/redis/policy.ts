/** Judges whether what this Redis acknowledges is durable, and says for each setting that is wrong how to set it right. */
import type { Redis } from 'ioredis';
import { type Fault, fault, LocusError, sentence, why } from '../../src/errors.ts';
import type { Log } from '../../src/ports.ts';
import { answered } from './refusals.ts';

/** `relaxed` accepts any appendfsync; `acknowledged` takes the operator's word where CONFIG is forbidden. */
export type Policy = { readonly policy: 'durable' | 'relaxed'; readonly acknowledged?: boolean };

type Setting = { readonly name: string; readonly must: string; readonly because: string };
const settings: readonly Setting[] = [
  { name: 'appendonly', must: 'yes', because: 'else nothing survives the process' },
  { name: 'appendfsync', must: 'always', because: 'else what was acknowledged in the last second is lost with the power' },
  { name: 'maxmemory-policy', must: 'noeviction', because: 'else state is thrown away when memory is short' },
  { name: 'aof-load-truncated', must: 'no', because: 'else a torn log silently loses what is acknowledged after it' },
];

/** Throws STORE_POLICY with every fault at once. `info` is the answer of INFO, or what it was refused with. */
export async function checkPolicy(client: Redis, info: string | Error, { policy, acknowledged }: Policy, log: Log): Promise<void> {
  const wanted = settings.filter((it) => policy === 'durable' || it.name !== 'appendfsync');
  const checks = wanted.map((it) => checkSetting(client, it));
  const results = await Promise.all(checks);
  const forbidden = results.find((it) => it instanceof Error);
  const faults = [...checkInfo(info), ...results.flatMap((it) => (it === undefined || it instanceof Error ? [] : [it]))];
  if (forbidden && acknowledged) log.warn({ why: forbidden.message }, 'durability of Redis was acknowledged, not checked');
  if (forbidden && !acknowledged)
    faults.push(
      fault(
        'STORE_POLICY',
        'CONFIG',
        forbidden.message,
        `must be allowed (ACL SETUSER <user> +config|get), or acknowledge that ${wanted.map((it) => `${it.name} is ${it.must}`).join(', ')}`,
      ),
    );
  if (faults.length > 0)
    throw new LocusError('STORE_POLICY', `Redis is not a durable store: ${faults.map(sentence).join('; ')}`, { faults });
}

async function checkSetting(client: Redis, { name, must, because }: Setting): Promise<Fault | Error | undefined> {
  try {
    const [, is] = (await client.config('GET', name)) as string[];
    if (is === must) return undefined;
    return fault('STORE_POLICY', name, is ?? 'absent', `must be ${must}, ${because}: CONFIG SET ${name} ${must}, and in redis.conf`);
  } catch (error) {
    if (answered(error)) return error;
    throw error;
  }
}

function checkInfo(info: string | Error): Fault[] {
  if (info instanceof Error) return [fault('STORE_POLICY', 'INFO', why(info), 'must be allowed: ACL SETUSER <user> +info')];
  const is = (name: string) => new RegExp(`^${name}:(\\w+)`, 'm').exec(info)?.[1] ?? 'absent';
  const faults: Fault[] = [];
  if (is('role') !== 'master')
    faults.push(fault('STORE_POLICY', 'role', is('role'), 'must be master: name the master in REDIS_URL, without automatic promotion'));
  if (is('cluster_enabled') !== '0')
    faults.push(fault('STORE_POLICY', 'cluster_enabled', is('cluster_enabled'), 'must be 0: set cluster-enabled no in redis.conf'));
  return faults;
}
