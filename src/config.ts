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
/** What the embedded mode does without. */
type Outside = 'kafkaBrokers' | 'redisUrl' | 'lockRedisUrls';
type Optional =
  | ('adminToken' | 'deviceUrl')
  | ('kafkaSslCa' | 'kafkaSaslMechanism' | 'kafkaSaslUsername' | 'kafkaSaslPassword' | 'redisSslCa');
type Settings = { readonly [K in Exclude<Name, Outside | Optional>]-?: Exclude<Found[K], undefined> } & Pick<Found, Optional> & {
    /** Where a value was read that came from a file, by its variable: what to tell about a value that others refuse. */
    readonly origins: Readonly<Record<string, string>>;
  };
export type FleetConfig = Settings & { readonly embedded: false; readonly deviceUrl: string } & {
  readonly [K in Outside]: Exclude<Found[K], undefined>;
};
/** `deviceUrl` undefined: a simulated device inside the process. */
export type EmbeddedConfig = Settings & { readonly embedded: true };
export type Config = FleetConfig | EmbeddedConfig;

/** For commands that need no more. */
export const readAdminToken = (env: Environment, machine?: Machine): string | undefined =>
  readConfig(env, machine, /^ADMIN_TOKEN(_FILE)?$/).adminToken;

/** Throws one CONFIG_INVALID that names every fault, or every one of the variables that `concerns` names: then use no other. */
export function readConfig(env: Environment, machine: Machine = thisMachine(), concerns = /^/): Config {
  const faults: Fault[] = [];
  const origins: Record<string, string> = {};
  const read = Object.fromEntries(
    Object.entries(variables).map(([key, it]) => [key, readOne(it as Variable<unknown>, env, machine, faults, origins)]),
  ) as Found;
  const outside = OUTSIDE.filter((it) => given(env, it));
  const found = withDerived(read, env, machine, outside.length === 0);
  faults.push(...together(found, faults, outside));
  const told = faults.filter(({ field }) => concerns.test(field));
  if (told.length > 0) throw new LocusError('CONFIG_INVALID', told.map(sentence).join('\n'), { faults: told });
  return { ...found, origins, embedded: outside.length === 0 } as Config; // `together` refuses what is required and absent
}

/** One of these is enough to mean a fleet: who sets up TLS and forgets the brokers must not get a program that serves alone. */
const OUTSIDE = [
  ...['KAFKA_BROKERS', 'REDIS_URL', 'LOCK_REDIS_URLS'],
  ...['KAFKA_SSL', 'KAFKA_SSL_CA', 'KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD', 'REDIS_SSL_CA'],
];
/** Where `locus device` listens unless told otherwise. */
const LOCUS_DEVICE = 'http://127.0.0.1:7070';
const HIDDEN = '(a secret, not shown)';
const configFault = (field: string, value: string, rule: string): Fault => ({ code: 'CONFIG_INVALID', field, value, rule });

function readOne(it: Variable<unknown>, env: Environment, machine: Machine, faults: Fault[], origins: Record<string, string>): unknown {
  const named = `${it.name}_FILE`;
  let text = env[it.name]?.trim() || undefined;
  let file = it.secret || it.file ? env[named] || undefined : undefined;
  if (text !== undefined && file !== undefined) {
    faults.push(configFault(named, shown(file), `set either ${it.name} or ${named}, not both`));
    return undefined;
  }
  const isPath = it.file === 'path' && text !== undefined && !text.includes('-----BEGIN');
  const field = isPath ? it.name : named;
  if (isPath) file = text;
  if (file !== undefined) {
    origins[it.name] = `${field}=${file}`;
    try {
      // Written with a line break at its end by most editors and by `echo`; no other character is ours to drop.
      text = machine.readFile(file).replace(/[\r\n]+$/, '');
    } catch (error) {
      faults.push(configFault(field, shown(file), `must name a file that can be read (${(error as Error).message})`));
      return undefined;
    }
  }
  const given = text ?? it.fallback;
  if (given === undefined) return undefined;
  const value = it.read(given);
  if (!isBroken(value)) return value;
  // What a file holds is not shown either: it may be the wrong file, such as a private key.
  if (file !== undefined) faults.push(configFault(field, shown(file), `its content ${value.rule}`));
  else faults.push(configFault(it.name, it.secret || it.file ? HIDDEN : shown(given), value.rule));
  return undefined;
}

function withDerived(found: Found, env: Environment, machine: Machine, embedded: boolean): Found {
  const { adminHost, adminPort, redisUrl, commandsTopic } = found;
  const open = adminHost !== undefined && adminPort !== undefined && !/^(0\.0\.0\.0|::)$/.test(adminHost);
  const adminUrl = open ? `http://${adminHost.includes(':') ? `[${adminHost}]` : adminHost}:${adminPort}` : undefined;
  const relaxedLocks = found.durability === 'relaxed' && redisUrl !== undefined && !given(env, 'LOCK_REDIS_URLS') ? [redisUrl] : undefined;
  return {
    ...found,
    replicaId: found.replicaId ?? (given(env, 'REPLICA_ID') ? undefined : machine.hostName),
    advertiseUrl: found.advertiseUrl ?? adminUrl,
    deviceUrl: found.deviceUrl ?? (embedded || given(env, 'DEVICE_URL') ? undefined : LOCUS_DEVICE),
    lockRedisUrls: found.lockRedisUrls ?? relaxedLocks,
    bulkTopic: found.bulkTopic ?? (given(env, 'BULK_TOPIC') || commandsTopic === undefined ? undefined : `${commandsTopic}.bulk`),
  };
}
const given = (env: Environment, key: string): boolean => Boolean(env[key]?.trim() || env[`${key}_FILE`]);

/** Says a fault of a variable, unless one of the same variable has been told already. */
type Say = (bad: boolean, name: Name, value: unknown, rule: string) => void;

/** Rules over several variables. What is absent because its own reading failed has been told already. */
function together(it: Found, told: readonly Fault[], outside: readonly string[]): Fault[] {
  const faults: Fault[] = [];
  const say: Say = (bad, name, value, rule) => {
    const { name: field, secret, file } = variables[name] as Variable<unknown>;
    const known = [...told, ...faults].some((fault) => fault.field === field || fault.field === `${field}_FILE`);
    const text = value === undefined ? 'not set' : secret ? HIDDEN : file ? 'set' : shown(value);
    if (bad && !known) faults.push(configFault(field, text, rule));
  };
  if (outside.length > 0) stores(it, say, outside);
  topics(it, say);
  links(it, say);
  addresses(it, say);
  times(it, say);
  return faults;
}

function stores(it: Found, say: Say, outside: readonly string[]): void {
  const needed = `must be set, because ${outside.join(' and ')} is: only with none of them does the program run embedded`;
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
}

function topics(it: Found, say: Say): void {
  const all = ['commandsTopic', 'bulkTopic', 'eventsTopic', 'deadLettersTopic'] as const;
  for (const [n, key] of all.entries()) {
    const others = all.slice(0, n);
    const taken = it[key] !== undefined && others.some((other) => it[other] === it[key]);
    say(taken, key, it[key], `must not be another topic’s: ${others.map((other) => variables[other].name).join(', ')}`);
  }
}

function links(it: Found, say: Say): void {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: user, kafkaSaslPassword: password, kafkaSslCa, redisSslCa } = it;
  say(kafkaSslCa !== undefined && it.kafkaSsl === false, 'kafkaSslCa', kafkaSslCa, 'is of no use without KAFKA_SSL=true');
  const half = mechanism === undefined && (user !== undefined || password !== undefined);
  const names = 'PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512';
  say(half, 'kafkaSaslMechanism', mechanism, `must be set with KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD: ${names}`);
  say(mechanism !== undefined && user === undefined, 'kafkaSaslUsername', user, 'must be set with KAFKA_SASL_MECHANISM');
  say(mechanism !== undefined && password === undefined, 'kafkaSaslPassword', password, 'must be set with KAFKA_SASL_MECHANISM');
  const secure = [it.redisUrl, ...(it.lockRedisUrls ?? [])].some((url) => url?.startsWith('rediss:'));
  say(redisSslCa !== undefined && !secure, 'redisSslCa', redisSslCa, 'is of no use without rediss:// in REDIS_URL or LOCK_REDIS_URLS');
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
