/** Every environment variable: what it is, its default, and the rule its text must keep. The documentation is made from this table. */
import { X509Certificate } from 'node:crypto';

/** A value, or the rule that the text broke, in words an operator can act on. */
export type Broken = { readonly rule: string };
type Reader<T> = (text: string) => T | Broken;
export type Variable<T> = {
  readonly name: string;
  /** What it is and why one would change it, on one line. */
  readonly what: string;
  readonly read: Reader<T>;
  /** Read as if it had been set. */
  readonly fallback?: string;
  /** A default that depends on other things, in words. */
  readonly derived?: string;
  /** Never shown, and also read from the file that NAME_FILE names. */
  readonly secret?: true;
  /** Not a secret, but read from the file that NAME_FILE names too; 'path': the variable itself may also hold the path. */
  readonly file?: true | 'path';
};
type Rest<T> = Pick<Variable<T>, 'fallback' | 'derived' | 'secret' | 'file'>;
const variable = <T>(name: string, read: Reader<T>, rest: Rest<T>, what: string): Variable<T> => ({ name, what, read, ...rest });

const broken = (rule: string): Broken => ({ rule });
export const isBroken = (it: unknown): it is Broken => typeof it === 'object' && it !== null && 'rule' in it;
const matching =
  (pattern: RegExp, rule: string): Reader<string> =>
  (text) =>
    pattern.test(text) ? text : broken(rule);
const oneOf =
  <const T extends string>(...names: readonly T[]): Reader<T> =>
  (text) =>
    names.find((name) => name === text) ?? broken(`must be one of ${names.join(', ')}`);

function whole(min: number, max: number, why = ''): Reader<number> {
  const rule = `must be a whole number from ${min} to ${max}${why}`;
  return (text) => (/^\d{1,15}$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : broken(rule));
}

const HOUR_MS = 3_600_000;
const ms = (min: number, max: number, why = ''): Reader<number> => whole(min, max, ` (milliseconds)${why}`);
const port = whole(1, 65_535);
const topic = matching(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/, 'must be a Kafka topic name: 1 to 249 of [A-Za-z0-9._-]');
const host = matching(/^[A-Za-z0-9._:-]{1,253}$/, 'must be a host name or an IP address, without brackets or a port');
export const name = matching(/^[A-Za-z0-9._-]{1,128}$/, 'must be 1 to 128 of [A-Za-z0-9._-]');

const durability: Reader<'store' | 'relaxed'> = (text) => {
  if (text === 'journal') return broken('journal is not there yet: use store (the default), or relaxed for a demonstration');
  return oneOf('store', 'relaxed')(text);
};

const items = (text: string): readonly string[] => text.split(',').map((item) => item.trim());
const brokers: Reader<readonly string[]> = (text) => {
  const good = items(text).every((item) => /^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):\d{1,5}$/.test(item) && URL.canParse(`http://${item}`));
  return good ? items(text) : broken('must be host:port, several separated by commas');
};

const httpUrl: Reader<string> = (text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const good = url !== undefined && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '' && url.username === '';
  return good ? text.replace(/\/+$/, '') : broken('must be an http:// or https:// URL without user, query and fragment');
};
const redisUrl: Reader<string> = (text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const known = url !== undefined && /^rediss?:$/.test(url.protocol) && url.hostname !== '' && url.hash === '' && decodes(url);
  if (known && /^(\/\d{0,4})?$/.test(url.pathname) && url.search === '') return text;
  return broken('must be redis://[user:password@]host[:port][/database], or rediss:// for TLS; what is special in a password as %XX');
};
/** `user:password` must be percent-encoded, or it would be sent as something else. */
function decodes({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}
const redisUrls: Reader<readonly string[]> = (text) => {
  const wrong = items(text).map(redisUrl).find(isBroken);
  return wrong === undefined ? items(text) : broken(`each of them, separated by commas, ${wrong.rule}`);
};
const yes: Reader<boolean> = (text) => (text === 'true' || text === 'false' ? text === 'true' : broken('must be true or false'));
const certificates: Reader<string> = (text) => {
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return found.length > 0 && found.every(isCertificate) ? found.join('\n') : broken('must be a file of certificates in PEM, or their text');
};
function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}
const oneLine = matching(/^[^\p{Cc}]{1,1024}$/u, 'must be 1 to 1024 characters on one line');

/** Which server a Redis URL means, whatever its user, password and database. */
export function server(url: string): string {
  const { hostname: found, port: at } = new URL(url);
  const lower = found.toLowerCase();
  return `${lower === 'localhost' ? '127.0.0.1' : lower}:${at || '6379'}`;
}

/** Every variable, in the order in which the documentation lists them. */
export const variables = {
  kafkaBrokers: variable(
    'KAFKA_BROKERS',
    brokers,
    { derived: 'none: without it and REDIS_URL the program runs embedded, alone, in one file' },
    'Kafka brokers to start from, host:port, several separated by commas.',
  ),
  kafkaClientId: variable('KAFKA_CLIENT_ID', name, { fallback: 'locus' }, 'How this program names itself in broker logs and quotas.'),
  kafkaGroupId: variable(
    'KAFKA_GROUP_ID',
    name,
    { fallback: 'locus' },
    'Consumer group of the fleet; replicas share work within one group.',
  ),
  kafkaSsl: variable('KAFKA_SSL', yes, { fallback: 'false' }, 'Speak TLS with the brokers, whose certificates must name them.'),
  kafkaSslCa: variable(
    'KAFKA_SSL_CA',
    certificates,
    { file: 'path', derived: 'the CAs that Node trusts' },
    'The CAs that sign the brokers’ certificates: a file in PEM, or its text. No other CA is trusted then.',
  ),
  kafkaSaslMechanism: variable(
    'KAFKA_SASL_MECHANISM',
    oneOf('PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'),
    { derived: 'none: brokers do not ask who this is' },
    'How this program proves to the brokers who it is.',
  ),
  kafkaSaslUsername: variable(
    'KAFKA_SASL_USERNAME',
    oneLine,
    { file: true, derived: 'none' },
    'The user that brokers know this program as.',
  ),
  kafkaSaslPassword: variable('KAFKA_SASL_PASSWORD', oneLine, { secret: true, derived: 'none' }, 'The password of that user.'),
  redisUrl: variable(
    'REDIS_URL',
    redisUrl,
    { secret: true, derived: 'none: see KAFKA_BROKERS' },
    'The state store: one Redis master, durable as DURABILITY demands; rediss:// for TLS, user:password@ for an ACL user.',
  ),
  lockRedisUrls: variable(
    'LOCK_REDIS_URLS',
    redisUrls,
    { secret: true, derived: 'none when embedded, REDIS_URL under DURABILITY=relaxed, else required' },
    'Redis nodes that hold the leases: an odd number, none of them the store, so that lease traffic never touches its log.',
  ),
  redisSslCa: variable(
    'REDIS_SSL_CA',
    certificates,
    { file: 'path', derived: 'the CAs that Node trusts' },
    'The CAs that sign the certificates of all Redis nodes, store and locks: a file in PEM, or its text.',
  ),
  durability: variable(
    'DURABILITY',
    durability,
    { fallback: 'store' },
    'store: what is acknowledged survives power loss. relaxed: only a process kill, for demonstrations.',
  ),
  deviceUrl: variable(
    'DEVICE_URL',
    httpUrl,
    { derived: 'http://127.0.0.1:7070, where `locus device` listens; embedded: a simulated one in the process' },
    'The device gateway that dispenses.',
  ),
  dataDir: variable(
    'DATA_DIR',
    matching(/^[^\0]{1,4096}$/, 'must be the path of a folder'),
    { fallback: './data' },
    'Where the embedded mode keeps its file and the journal of its simulated device, for one process at a time.',
  ),
  httpHost: variable(
    'HTTP_HOST',
    host,
    { fallback: '127.0.0.1' },
    'Where the public port listens; it asks nobody who they are, so it is open to this machine only unless told.',
  ),
  httpPort: variable('HTTP_PORT', port, { fallback: '8080' }, 'The public port: commands and committed state.'),
  httpRateMax: variable(
    'HTTP_RATE_MAX',
    whole(1, 1_000_000),
    { fallback: '5000' },
    'Requests a second that the public port takes from one principal: the Authorization header where there is one, else the address.',
  ),
  adminHost: variable('ADMIN_HOST', host, { fallback: '127.0.0.1' }, 'Where the admin port listens; beyond loopback it needs ADMIN_TOKEN.'),
  adminPort: variable('ADMIN_PORT', port, { fallback: '9090' }, 'The admin port: probes, metrics, inspection, operators’ actions.'),
  adminToken: variable(
    'ADMIN_TOKEN',
    matching(/^[\x21-\x7e]{16,512}$/, 'must be 16 to 512 visible ASCII characters without spaces'),
    { secret: true, derived: 'none: only loopback may call' },
    'Bearer token of the admin port, the same on every replica: they forward operators’ actions to each other with it.',
  ),
  advertiseUrl: variable(
    'ADVERTISE_URL',
    httpUrl,
    { derived: 'http://ADMIN_HOST:ADMIN_PORT' },
    'Where the other replicas reach this admin port.',
  ),
  replicaId: variable(
    'REPLICA_ID',
    name,
    { derived: 'the host name' },
    'Stable name of this replica; one that is back under the same name within its session keeps its partitions.',
  ),
  commandsTopic: variable('COMMANDS_TOPIC', topic, { fallback: 'locus.commands' }, 'Where commands come from.'),
  bulkTopic: variable(
    'BULK_TOPIC',
    topic,
    { derived: 'COMMANDS_TOPIC with .bulk at its end' },
    'Where commands of the bulk lane come from, which never stand before a customer’s.',
  ),
  commandsPartitions: variable(
    'COMMANDS_PARTITIONS',
    whole(1, 10_000),
    { fallback: '12' },
    'Partitions of the topics when this program creates them; can never be changed later.',
  ),
  eventsTopic: variable('EVENTS_TOPIC', topic, { fallback: 'locus.events' }, 'Where events are published.'),
  deadLettersTopic: variable('DEAD_LETTERS_TOPIC', topic, { fallback: 'locus.dead-letters' }, 'Where records go that can never run.'),
  leaseTtlMs: variable(
    'LEASE_TTL_MS',
    ms(1_000, 600_000),
    { fallback: '10000' },
    'How long a lease lives unrenewed: shorter takes over sooner and renews more often.',
  ),
  sessionTimeoutMs: variable(
    'SESSION_TIMEOUT_MS',
    ms(6_000, 1_800_000, ', the range that brokers accept by default'),
    { fallback: '10000' },
    'After this long without a heartbeat Kafka gives a replica’s partitions to others.',
  ),
  idleMs: variable(
    'IDLE_MS',
    ms(1_000, 30 * 24 * HOUR_MS),
    { fallback: '600000' },
    'A location with nothing to do for this long leaves memory.',
  ),
  mailboxMax: variable('MAILBOX_MAX', whole(1, 100_000), { fallback: '256' }, 'Commands that wait in memory for one location.'),
  inboxMax: variable('INBOX_MAX', whole(1, 10_000_000), { fallback: '100000' }, 'Commands that wait durably for one stuck location.'),
  inboxAfterMs: variable(
    'INBOX_AFTER_MS',
    ms(100, 600_000),
    { fallback: '1000' },
    'Commands of a location that makes no progress for this long go to its durable inbox.',
  ),
  residentMax: variable('RESIDENT_MAX', whole(1, 10_000_000), { fallback: '100000' }, 'Locations in memory; beyond it idle ones leave.'),
  inflightMax: variable(
    'INFLIGHT_MAX',
    whole(1, 1_000_000),
    { fallback: '8000' },
    'Records taken from the log and not yet final, for each lane.',
  ),
  dedupeWindowMs: variable(
    'DEDUPE_WINDOW_MS',
    ms(2 * HOUR_MS, 365 * 24 * HOUR_MS, ', well above the hour that is kept as a margin'),
    { fallback: String(7 * 24 * HOUR_MS) },
    'How long a commandId is remembered; a record older than this less one hour is never run.',
  ),
  dedupeMax: variable(
    'DEDUPE_MAX',
    whole(1_000, 100_000_000),
    { fallback: '1000000' },
    'CommandIds that one location remembers; at this many young ones it takes no more.',
  ),
  probeTimeoutMs: variable('PROBE_TIMEOUT_MS', ms(50, 60_000), { fallback: '2000' }, 'How long a device may take to say what it knows.'),
  drainMs: variable('DRAIN_MS', ms(1_000, 600_000), { fallback: '30000' }, 'After SIGTERM, how long turns in hand may take to end.'),
  logLevel: variable(
    'LOG_LEVEL',
    oneOf('debug', 'info', 'warn', 'error'),
    { fallback: 'info' },
    'The least important lines that are written.',
  ),
};
