/** Configuration: environment variables only, all faults told at once. The only file that reads the environment. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { type Fault, LocusError, sentence, shown } from './errors.ts';
import { isBroken, name, server, type Variable, variables } from './variables.ts';

type Environment = Readonly<Record<string, string | undefined>>;
export const environment = (): Environment => process.env;

/** What a configuration may ask of the machine beside its environment. */
type Machine = { readonly hostName: string; readonly readFile: (path: string) => string };
const thisMachine = (): Machine => ({ hostName: hostname(), readFile: (path) => readFileSync(path, 'utf8') });

type Name = keyof typeof variables;
type Found = { readonly [K in Name]: (typeof variables)[K] extends Variable<infer T> ? T | undefined : never };
export type Config = { readonly [K in Exclude<Name, 'adminToken'>]-?: Exclude<Found[K], undefined> } & Pick<Found, 'adminToken'>;

/** Throws one CONFIG_INVALID that names every fault. */
export function readConfig(env: Environment, machine: Machine = thisMachine()): Config {
  const faults: Fault[] = notYet(env);
  const read = Object.fromEntries(
    Object.entries(variables).map(([key, it]) => [key, readOne(it as Variable<unknown>, env, machine, faults)]),
  ) as Found;
  const found = withDerived(read, env, machine);
  faults.push(...together(found, faults));
  if (faults.length > 0) throw new LocusError('CONFIG_INVALID', faults.map(sentence).join('\n'), { faults });
  return found as Config; // `together` refuses what is required and absent
}

const HIDDEN = '(a secret, not shown)';
const configFault = (field: string, value: string, rule: string): Fault => ({ code: 'CONFIG_INVALID', field, value, rule });

/** Variables of the contract that this version cannot honour: to ignore them would be to lie. */
function notYet(env: Environment): Fault[] {
  return Object.entries(env)
    .filter(([key, value]) => value && /^KAFKA_(SSL|SASL)/.test(key))
    .map(([key]) => configFault(key, 'set', 'TLS and SASL to Kafka are not there yet'));
}

function readOne(it: Variable<unknown>, env: Environment, machine: Machine, faults: Fault[]): unknown {
  let text = env[it.name]?.trim() || undefined;
  const file = it.secret === undefined ? undefined : env[`${it.name}_FILE`] || undefined;
  if (text !== undefined && file !== undefined) {
    faults.push(configFault(`${it.name}_FILE`, shown(file), `set either ${it.name} or ${it.name}_FILE, not both`));
    return undefined;
  }
  if (file !== undefined) {
    try {
      text = machine.readFile(file).trim();
    } catch (error) {
      faults.push(configFault(`${it.name}_FILE`, shown(file), `must name a file that can be read (${(error as Error).message})`));
      return undefined;
    }
  }
  const given = text ?? it.fallback;
  if (given === undefined) return undefined;
  const value = it.read(given);
  if (!isBroken(value)) return value;
  faults.push(configFault(it.name, it.secret ? HIDDEN : shown(given), value.rule));
  return undefined;
}

function withDerived(found: Found, env: Environment, machine: Machine): Found {
  const { adminHost, adminPort, redisUrl, commandsTopic } = found;
  const open = adminHost !== undefined && adminPort !== undefined && !/^(0\.0\.0\.0|::)$/.test(adminHost);
  const adminUrl = open ? `http://${adminHost.includes(':') ? `[${adminHost}]` : adminHost}:${adminPort}` : undefined;
  const relaxedLocks = found.durability === 'relaxed' && redisUrl !== undefined && !given(env, 'LOCK_REDIS_URLS') ? [redisUrl] : undefined;
  return {
    ...found,
    replicaId: found.replicaId ?? (given(env, 'REPLICA_ID') ? undefined : machine.hostName),
    advertiseUrl: found.advertiseUrl ?? adminUrl,
    lockRedisUrls: found.lockRedisUrls ?? relaxedLocks,
    bulkTopic: found.bulkTopic ?? (given(env, 'BULK_TOPIC') || commandsTopic === undefined ? undefined : `${commandsTopic}.bulk`),
  };
}
const given = (env: Environment, key: string): boolean => Boolean(env[key]?.trim() || env[`${key}_FILE`]);

/** Says a fault of a variable, unless one of the same variable has been told already. */
type Say = (bad: boolean, name: Name, value: unknown, rule: string) => void;

/** Rules over several variables. What is absent because its own reading failed has been told already. */
function together(it: Found, told: readonly Fault[]): Fault[] {
  const faults: Fault[] = [];
  const say: Say = (bad, name, value, rule) => {
    const { name: field, secret } = variables[name] as Variable<unknown>;
    const known = [...told, ...faults].some((fault) => fault.field === field || fault.field === `${field}_FILE`);
    const text = value === undefined ? 'not set' : secret ? HIDDEN : shown(value);
    if (bad && !known) faults.push(configFault(field, text, rule));
  };
  stores(it, say);
  addresses(it, say);
  times(it, say);
  return faults;
}

function stores(it: Found, say: Say): void {
  const needed = 'must be set: the embedded mode that does without Kafka and Redis is not there yet';
  say(it.kafkaBrokers === undefined, 'kafkaBrokers', undefined, needed);
  say(it.redisUrl === undefined, 'redisUrl', undefined, needed);

  const locks = it.lockRedisUrls;
  const servers = locks?.map(server) ?? [];
  const shared = it.durability === 'store' && it.redisUrl !== undefined && servers.includes(server(it.redisUrl));
  const apart = 'name three Redis nodes apart from the store, such as redis://a:6379,redis://b:6379,redis://c:6379';
  say(locks === undefined && it.durability === 'store', 'lockRedisUrls', undefined, `must be set under DURABILITY=store: ${apart}`);
  say(locks !== undefined && servers.length % 2 === 0, 'lockRedisUrls', locks, `must be an odd number, not ${servers.length}: ${apart}`);
  say(new Set(servers).size < servers.length, 'lockRedisUrls', locks, 'must not name one server twice: its two votes are one');
  say(shared, 'lockRedisUrls', locks, `must not name the server of REDIS_URL: ${apart}`);

  const topics = ['commandsTopic', 'bulkTopic', 'eventsTopic', 'deadLettersTopic'] as const;
  for (const [n, key] of topics.entries()) {
    const others = topics.slice(0, n);
    const taken = it[key] !== undefined && others.some((other) => it[other] === it[key]);
    say(taken, key, it[key], `must not be another topic’s: ${others.map((other) => variables[other].name).join(', ')}`);
  }
}

function addresses(it: Found, say: Say): void {
  const loopback = (host: string) => /^(localhost|127(\.\d{1,3}){3}|::1)$/.test(host);
  const anywhere = (host: string) => host === '0.0.0.0' || host === '::';
  const { adminHost, httpHost, adminPort, httpPort, replicaId } = it;
  if (adminHost !== undefined) {
    const open = !loopback(adminHost) && it.adminToken === undefined;
    say(open, 'adminHost', adminHost, 'must be loopback, such as 127.0.0.1, unless ADMIN_TOKEN is set');
    const nowhere = anywhere(adminHost) && it.advertiseUrl === undefined;
    say(nowhere, 'advertiseUrl', undefined, `must be set with ADMIN_HOST=${adminHost}: a URL at which other replicas reach this one`);
  }
  const meet = adminHost === httpHost || anywhere(adminHost ?? '') || anywhere(httpHost ?? '');
  say(meet && httpPort !== undefined && httpPort === adminPort, 'adminPort', adminPort, 'must not be HTTP_PORT');
  const unfit = replicaId !== undefined && isBroken(name(replicaId));
  say(unfit, 'replicaId', replicaId, 'the host name does not do as a name: set REPLICA_ID to 1 to 128 of [A-Za-z0-9._-]');
}

function times({ leaseTtlMs, sessionTimeoutMs, probeTimeoutMs, drainMs }: Found, say: Say): void {
  const above = (a: number | undefined, b: number | undefined) => a !== undefined && b !== undefined && a > b;
  const lease = `must be at most SESSION_TIMEOUT_MS (${sessionTimeoutMs}): else the next owner waits for the lease of a dead one`;
  say(above(leaseTtlMs, sessionTimeoutMs), 'leaseTtlMs', leaseTtlMs, lease);
  const probe = `must be at most LEASE_TTL_MS (${leaseTtlMs}): else a probe outlives the lease it runs under`;
  say(above(probeTimeoutMs, leaseTtlMs), 'probeTimeoutMs', probeTimeoutMs, probe);
  say(
    above(probeTimeoutMs, drainMs),
    'drainMs',
    drainMs,
    `must be at least PROBE_TIMEOUT_MS (${probeTimeoutMs}): else a turn in hand cannot end`,
  );
}
