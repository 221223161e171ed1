/** docs/configuration.md, made from the table of variables and from what the program itself says of a wrong one. */
import { readConfig } from '../../src/config.ts';
import { LocusError, sentence } from '../../src/errors.ts';
import { isBroken, type Variable, variables } from '../../src/variables.ts';

type Name = keyof typeof variables;
type Group = { readonly title: string; readonly what: string; readonly names: readonly Name[] };

export const groups: readonly Group[] = [
  {
    title: 'Kafka',
    what: 'Without these and those of Redis the program runs embedded: alone, with everything in one file. TLS and SASL: [links.md](links.md).',
    names: [
      ...(['kafkaBrokers', 'kafkaClientId', 'kafkaGroupId', 'kafkaSsl', 'kafkaSslCa'] as const),
      ...(['kafkaSaslMechanism', 'kafkaSaslUsername', 'kafkaSaslPassword'] as const),
    ],
  },
  {
    title: 'Topics',
    what: 'The same on every replica. Topics that are not there are created at start.',
    names: ['commandsTopic', 'bulkTopic', 'commandsPartitions', 'eventsTopic', 'deadLettersTopic'],
  },
  {
    title: 'State store and leases',
    what: 'What the store must be set to is checked at start and whenever it comes back.',
    names: ['redisUrl', 'lockRedisUrls', 'redisSslCa', 'durability'],
  },
  {
    title: 'The outside, and the file of the embedded mode',
    what: 'The device gateway is asked for the cash locations; a program of your own actors binds what it needs.',
    names: ['deviceUrl', 'dataDir'],
  },
  {
    title: 'Ports and names',
    what: 'Each replica has its own `REPLICA_ID` and `ADVERTISE_URL`.',
    names: [...(['replicaId', 'httpHost', 'httpPort', 'httpRateMax', 'adminHost', 'adminPort', 'adminToken', 'advertiseUrl'] as const)],
  },
  {
    title: 'Times',
    what: 'How soon a dead replica is replaced, and how long a leaving one may take. The same on every replica.',
    names: ['leaseTtlMs', 'sessionTimeoutMs', 'probeTimeoutMs', 'drainMs'],
  },
  {
    title: 'Limits',
    what: 'Everything has one. At a limit intake waits; nothing is dropped.',
    names: [
      ...(['mailboxMax', 'inflightMax', 'inboxAfterMs', 'inboxMax', 'residentMax', 'idleMs', 'dedupeWindowMs', 'dedupeMax'] as const),
    ],
  },
  { title: 'Log', what: 'JSON lines on standard output.', names: ['logLevel'] },
];

/** What a whole number counts, where its name does not end with `_MS`. */
const units: { readonly [K in Name]?: string } = {
  commandsPartitions: 'partitions',
  httpRateMax: 'requests a second',
  mailboxMax: 'commands',
  inflightMax: 'records',
  inboxMax: 'commands',
  residentMax: 'locations',
  dedupeMax: 'commandIds',
};
const unitOf = (name: Name): string => (variables[name].name.endsWith('_MS') ? 'ms' : (units[name] ?? ''));

const LENGTHS = [
  ['days', 86_400_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;
/** 604800000 (7 days). */
function readable(name: Name, text: string): string {
  const length = unitOf(name) === 'ms' ? LENGTHS.find(([, ms]) => Number(text) >= ms && Number(text) % ms === 0) : undefined;
  return length === undefined ? `\`${text}\`` : `\`${text}\` (${Number(text) / length[1]} ${length[0]})`;
}

/** The rule in the words in which the program refuses a text that breaks it; no variable takes this one. */
export function ruleOf(it: Variable<unknown>): string {
  const refused = it.read('\0');
  if (!isBroken(refused)) throw new Error(`${it.name} takes anything: its rule cannot be told`);
  return refused.rule;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

function row(name: Name): string {
  const it: Variable<unknown> = variables[name];
  const from = it.secret || it.file ? `${it.secret ? '; secret' : ''}; or \`${it.name}_FILE\`` : '';
  const standard = it.fallback === undefined ? (it.derived ?? 'required') : readable(name, it.fallback);
  return `| \`${it.name}\`${from} | ${[it.what, unitOf(name), standard, ruleOf(it)].map(cell).join(' | ')} |`;
}

const section = ({ title, what, names }: Group): string =>
  [`## ${title}`, '', what, '', '| variable | what it is | unit | default | rule |', '|---|---|---|---|---|', ...names.map(row), ''].join(
    '\n',
  );

// ── Rules over several ───────────────────────────────────────────────────────────────────────────────────────────────

const fleet = {
  KAFKA_BROKERS: 'kafka:9092',
  REDIS_URL: 'redis://store:6379',
  LOCK_REDIS_URLS: 'redis://a:6379,redis://b:6379,redis://c:6379',
};
/** Each breaks one rule. What `fleet` has is left out on the page. */
const wrong: readonly Readonly<Record<string, string | undefined>>[] = [
  { REDIS_URL: undefined },
  { LOCK_REDIS_URLS: undefined },
  { LOCK_REDIS_URLS: 'redis://a:6379,redis://b:6379' },
  { LOCK_REDIS_URLS: 'redis://a:6379,redis://a:6379,redis://b:6379' },
  { LOCK_REDIS_URLS: 'redis://store:6379' },
  { EVENTS_TOPIC: 'locus.commands' },
  { KAFKA_SASL_USERNAME: 'locus', KAFKA_SASL_PASSWORD: 'hush' },
  { KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512', KAFKA_SASL_USERNAME: 'locus' },
  { ADMIN_HOST: '0.0.0.0', ADVERTISE_URL: 'http://replica-0:9090' },
  { ADMIN_HOST: '0.0.0.0', ADMIN_TOKEN: 'a-token-of-enough-length' },
  { ADMIN_PORT: '8080' },
  { LEASE_TTL_MS: '20000' },
  { PROBE_TIMEOUT_MS: '20000' },
  { DRAIN_MS: '1000' },
  { ADMIN_TOKEN: 'a-token-of-enough-length', ADMIN_TOKEN_FILE: '/run/secrets/token' },
];

export function told(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  try {
    readConfig({ ...fleet, ...env }, { hostName: 'replica-0', readFile: () => '' });
    return [];
  } catch (error) {
    if (!(error instanceof LocusError)) throw error;
    return error.faults.map(sentence);
  }
}

function refusal(env: Readonly<Record<string, string | undefined>>): string {
  const set = Object.entries(env).map(([name, text]) => (text === undefined ? `no \`${name}\`` : `\`${name}=${text}\``));
  const faults = told(env);
  if (faults.length !== 1) throw new Error(`${JSON.stringify(env)} breaks ${faults.length} rules: ${faults.join('; ')}`);
  return `| ${cell(set.join(', '))} | ${cell(faults[0] ?? '')} |`;
}

export const configurationPage = (): string => `# Configuration

The environment, and nothing else. \`locus serve --help\` prints the same. All that is wrong is told at once, each fault with its variable, the value and
the rule, and the program exits with 78. An empty value counts as none.

**Secrets** are never shown or logged. Those, and what is marked \`_FILE\`, are also read from a file: \`ADMIN_TOKEN_FILE=/run/secrets/token\`. Line breaks at
its end are dropped. Files are read once, at start.

This page is made from \`src/variables.ts\`; the rules are the words in which the program refuses what breaks them.

${groups.map(section).join('\n')}
## Rules over several

What the program says of a fleet (\`KAFKA_BROKERS\`, \`REDIS_URL\` and three \`LOCK_REDIS_URLS\` set) that also has:

| set | it says |
|---|---|
${wrong.map(refusal).join('\n')}

A CA is refused as well where no TLS is spoken: \`KAFKA_SSL_CA\` without \`KAFKA_SSL=true\`, \`REDIS_SSL_CA\` without a \`rediss://\`.

## The command line

\`locus send\` and the commands of operators find a replica by \`LOCUS_URL\` (the public port, default \`http://127.0.0.1:8080\`) and \`LOCUS_ADMIN_URL\` (the
admin port, default \`http://127.0.0.1:9090\`), and read \`ADMIN_TOKEN\` as a replica does. \`doctor\` alone reads the variables above.
`;
