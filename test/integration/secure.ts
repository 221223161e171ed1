/** Kafka and Redis behind TLS, with users of few rights: a broker, a store and a lock node, the certificates made here, the rights those of docs/links.md. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { type AclEntry, AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel, ResourcePatternTypes } from 'kafkajs';
import { vi } from 'vitest';
import { freePort } from '../../infra/dev/free-port.ts';
import { kafkaJars } from '../../infra/dev/kafka-jars.ts';
import { type KafkaServer, startKafkaServer } from '../../infra/dev/kafka-server.ts';
import { type RedisServer, startRedisServer } from '../../infra/dev/redis-server.ts';
import { tool } from '../../infra/dev/tools.ts';

/** Lines of the code blocks of docs/links.md that begin so, in their order. */
const documented = (start: string): readonly string[] =>
  readFileSync('docs/links.md', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(start));

// ── Certificates ──

export type Certificates = { readonly ca: string; readonly otherCa: string; readonly cert: string; readonly key: string };

/** A CA, another one with the same name, and a server of the first that is called 127.0.0.1 and nothing else. */
export function certificates(dir: string): Certificates {
  const at = (name: string) => join(dir, name);
  const openssl = (...args: string[]) => execFileSync(tool('openssl'), args, { stdio: 'pipe' });
  const key = (name: string) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', at(`${name}.key`)];
  for (const name of ['ca', 'other-ca'])
    openssl('req', '-x509', ...key(name), '-out', at(`${name}.pem`), '-days', '2', '-subj', `/CN=${name}`);
  openssl('req', '-new', ...key('server'), '-out', at('server.csr'), '-subj', '/CN=server');
  writeFileSync(at('names'), 'subjectAltName=IP:127.0.0.1\n');
  const signer = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at('names'), '-days', '2'];
  openssl('x509', '-req', '-in', at('server.csr'), '-out', at('server.pem'), ...signer);
  return { ca: at('ca.pem'), otherCa: at('other-ca.pem'), cert: at('server.pem'), key: at('server.key') };
}

// ── Kafka ──

export type SecureKafka = {
  readonly server: KafkaServer;
  /** The listener that asks for TLS and a user. */
  readonly brokers: string;
  /** What PLAIN knows from the next start on. */
  passwords(users: Readonly<Record<string, string>>): void;
  /** Grants what docs/links.md lists to a user of another name, but for the lines that match. */
  grant(user: string, except?: RegExp): Promise<void>;
  /** Takes back what the matching lines grant, or one operation of theirs. */
  revoke(user: string, line: RegExp, only?: string): Promise<void>;
  /** What SCRAM-SHA-512 knows from now on; who is connected stays so. */
  scramPassword(user: string, password: string): Promise<void>;
  stop(): Promise<void>;
};

/** Whoever comes by the plain listener may do everything; by the other one, what ACLs allow. `users` are known to PLAIN, locus to SCRAM too. */
export async function secureKafka(dir: string, { cert, key }: Certificates, users: Readonly<Record<string, string>>): Promise<SecureKafka> {
  mkdirSync(dir, { recursive: true });
  const port = await freePort();
  const store = join(dir, 'store.pem');
  writeFileSync(store, readFileSync(key, 'utf8') + readFileSync(cert, 'utf8'));
  let plain = users;
  const jaas = (module: string, options = '') => `org.apache.kafka.common.security.${module} required${options};`;
  const settings = () => [
    'ssl.keystore.type=PEM',
    `ssl.keystore.location=${store}`,
    'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    `listener.name.sasl_ssl.plain.sasl.jaas.config=${jaas(
      'plain.PlainLoginModule',
      Object.entries(plain)
        .map(([user, password]) => ` user_${user}="${password}"`)
        .join(''),
    )}`,
    ...['256', '512'].map((bits) => `listener.name.sasl_ssl.scram-sha-${bits}.sasl.jaas.config=${jaas('scram.ScramLoginModule')}`),
    'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users=User:ANONYMOUS',
  ];
  const format = ['256', '512'].flatMap((bits) => ['--add-scram', `SCRAM-SHA-${bits}=[name=locus,password=${users.locus}]`]);
  const server = await startKafkaServer({ dir, more: { listeners: [`SASL_SSL://127.0.0.1:${port}`], settings, format } });
  const admin = await vi.waitFor(async () => {
    // A broker that has just begun may close what it accepted; the client that it met then is of no more use.
    const it = new Kafka({ clientId: 'operator', brokers: [server.brokers], logLevel: logLevel.NOTHING }).admin();
    try {
      await it.connect();
      await it.describeAcls(ANY);
      return it;
    } catch (error) {
      await it.disconnect().catch(() => {});
      throw error;
    }
  }, 20_000);
  return {
    server,
    brokers: `127.0.0.1:${port}`,
    passwords: (known) => {
      plain = known;
    },
    async grant(user, except = /^$/) {
      const lines = documented('kafka-acls.sh').filter((line) => !except.test(line));
      await admin.createAcls({ acl: lines.flatMap((line) => entriesOf(line, user)) });
    },
    async revoke(user, line, only) {
      const entries = documented('kafka-acls.sh').filter((it) => line.test(it));
      const filters = entries.flatMap((it) => entriesOf(it, user));
      await admin.deleteAcls({ filters: filters.filter(({ operation }) => only === undefined || operation === OPERATIONS[only]) });
    },
    async scramPassword(user, password) {
      const on = ['--bootstrap-server', server.brokers, '--entity-type', 'users', '--entity-name', user];
      const command = ['kafka.admin.ConfigCommand', ...on, '--alter', '--add-config', `SCRAM-SHA-512=[password=${password}]`];
      await promisify(execFile)(tool('java'), [QUIET, '-cp', join(kafkaJars(), '*'), ...command]);
    },
    async stop() {
      await admin.disconnect();
      await server.stop();
    },
  };
}

const QUIET = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
const ANY = {
  resourceType: AclResourceTypes.ANY,
  resourcePatternType: ResourcePatternTypes.ANY,
  operation: AclOperationTypes.ANY,
  permissionType: AclPermissionTypes.ANY,
};
const OPERATIONS: Readonly<Record<string, AclOperationTypes>> = {
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
  Create: AclOperationTypes.CREATE,
  Delete: AclOperationTypes.DELETE,
  DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
};

/** The entries that `kafka-acls.sh --add` would make of a line, for `user` in the place of locus. */
function entriesOf(line: string, user: string): AclEntry[] {
  const on = /--(topic|group|cluster)(?: (\S+))?(?: --resource-pattern-type (prefixed))?$/.exec(line);
  const [, operations] = [on, [...line.matchAll(/--operation (\S+)/g)].map(([, name = '']) => OPERATIONS[name])];
  if (on === null || operations.includes(undefined) || !line.includes('--allow-principal User:locus '))
    throw new Error(`not understood: ${line}`);
  const kinds = { topic: AclResourceTypes.TOPIC, group: AclResourceTypes.GROUP, cluster: AclResourceTypes.CLUSTER };
  return operations.map((operation) => ({
    principal: `User:${user}`,
    host: '*',
    operation: operation as AclOperationTypes,
    permissionType: AclPermissionTypes.ALLOW,
    resourceType: kinds[on[1] as keyof typeof kinds],
    resourceName: on[2] ?? 'kafka-cluster',
    resourcePatternType: on[3] === undefined ? ResourcePatternTypes.LITERAL : ResourcePatternTypes.PREFIXED,
  }));
}

// ── Redis ──

export type SecureRedis = {
  readonly server: RedisServer;
  /** Where TLS is spoken, as host:port. */
  readonly at: string;
  url(user: string, password: string): string;
  tell(...command: [string, ...string[]]): Promise<unknown>;
  /** Applies the documented line to a user, without the grants that are named. */
  user(name: string, password: string, without?: readonly string[]): Promise<void>;
  stop(): Promise<void>;
};

/** The grants of the documented line of the store, or of a lock node. */
export function grantsOf(kind: 'store' | 'lock'): readonly string[] {
  const line = documented('ACL SETUSER locus reset on >PASSWORD ').find((it) => it.includes('~lease:') === (kind === 'lock')) ?? '';
  return line.split(' ').slice(6);
}

/** Its user locus survives restarts; what is changed while it runs does not. */
export async function secureRedis(
  dir: string,
  { cert, key, ca }: Certificates,
  kind: 'store' | 'lock',
  password: string,
): Promise<SecureRedis> {
  mkdirSync(dir, { recursive: true });
  const port = await freePort();
  const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca, '--tls-auth-clients', 'no'];
  const user = ['--user', 'locus', 'on', `>${password}`, ...grantsOf(kind)];
  const server = await startRedisServer({ dir, durable: kind === 'store', more: ['--tls-port', String(port), ...files, ...user] });
  const client = new Redis(server.url, { lazyConnect: true });
  // A server that a test takes down: whoever tells it something then is told so.
  client.on('error', () => {});
  await client.connect();
  const tell: SecureRedis['tell'] = (...command) => client.call(...command);
  return {
    server,
    at: `127.0.0.1:${port}`,
    url: (user, password) => `rediss://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}`,
    tell,
    async user(name, password, without = []) {
      const grants = grantsOf(kind).filter((grant) => !without.includes(grant));
      await tell('ACL', 'SETUSER', name, 'reset', 'on', `>${password}`, ...grants);
    },
    async stop() {
      client.disconnect();
      await server.stop();
    },
  };
}
