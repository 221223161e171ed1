/** The component that has Kafka and Redis spoken to over TLS: laid over the base it is what Kubernetes and the program ask for. */
import { expect, it } from 'vitest';
import { type FleetConfig, readConfig } from '../../src/config.ts';
import { variables } from '../../src/variables.ts';
import { CA } from '../ca.ts';
import { withComponent } from './component.ts';
import * as k8s from './manifests.ts';
import { againstSchema, againstTypes } from './schemas.ts';

const { resources, files, named } = withComponent('tls');
/** What README.md beside the base has an overlay generate. */
const GIVEN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'Secret locus': {
    REDIS_URL: 'rediss://locus:password@redis-store:6380',
    LOCK_REDIS_URLS:
      'rediss://locus:password@lock-0.redis:6380,rediss://locus:password@lock-1.redis:6380,rediss://locus:password@lock-2.redis:6380',
    ADMIN_TOKEN: 'a-token-of-enough-length',
    KAFKA_SASL_USERNAME: 'locus',
    KAFKA_SASL_PASSWORD: 'password',
  },
  'ConfigMap locus-ca': { 'kafka.pem': CA, 'redis.pem': CA },
};
const asked: string[] = [];
const machine = {
  hostName: 'not-asked',
  readFile(path: string) {
    const mount = k8s.mounts(resources).find((one) => path.startsWith(`${one.path}/`));
    const value = GIVEN[`${mount?.kind} ${mount?.name}`]?.[path.slice((mount?.path.length ?? 0) + 1)];
    if (value === undefined) throw new Error(`nothing is mounted at ${path}`);
    asked.push(path);
    return `${value}\n`;
  },
};
const env = k8s.podEnvironment(resources);
const config = readConfig(env, machine) as FleetConfig;

it('is all of its folder, and what Kubernetes knows', { timeout: 60_000 }, async () => {
  expect([...named].sort()).toEqual([...files].sort());
  for (const resource of resources) expect(await againstSchema(resource)).toEqual([]);
  expect(againstTypes(resources)).toEqual([]);
});

it('has the program speak TLS with both, trust the CAs that are mounted, and show Kafka who it is', () => {
  expect(config).toMatchObject({
    kafkaSsl: true,
    kafkaSslCa: CA,
    redisSslCa: CA,
    kafkaSaslMechanism: 'SCRAM-SHA-512',
    kafkaSaslUsername: 'locus',
    kafkaSaslPassword: 'password',
  });
});

it('holds only variables that the program knows, reads every secret from a file, and leaves none of them unread', () => {
  const byName = new Map(Object.values(variables).map((one) => [one.name, one]));
  const added = Object.keys(env).filter((name) => !(name in k8s.podEnvironment()));
  expect(added.filter((name) => !byName.has(name.replace(/_FILE$/, '')))).toEqual([]);
  expect(Object.keys(env).filter((name) => byName.get(name)?.secret)).toEqual([]);
  const files = Object.values(GIVEN).flatMap((one) => Object.keys(one));
  expect(new Set(asked.map((path) => path.split('/').at(-1)))).toEqual(new Set(files));
});

it('mounts the CAs for reading only, and changes nothing of what a pod may do', () => {
  const pod = k8s.one('StatefulSet', 'locus', resources).spec?.template.spec;
  expect(pod?.containers[0]?.volumeMounts?.map(({ readOnly }) => readOnly)).toEqual([true, true]);
  expect([pod?.securityContext, pod?.containers[0]?.securityContext]).toEqual([k8s.pod.securityContext, k8s.container.securityContext]);
});

it('lets out to the ports that speak TLS, and no more to those that do not', () => {
  const rules = k8s.one('NetworkPolicy', 'locus', resources).spec?.egress ?? [];
  const portsTo = (name: string) =>
    rules
      .filter(({ to }) => to?.some(({ podSelector }) => podSelector?.matchLabels?.['app.kubernetes.io/name'] === name))
      .flatMap(({ ports }) => ports?.map(({ port }) => String(port)));
  expect(portsTo('kafka')).toEqual([...new Set(config.kafkaBrokers.map((at) => new URL(`kafka://${at}`).port))]);
  expect(portsTo('redis')).toEqual([...new Set([config.redisUrl, ...config.lockRedisUrls].map((url) => new URL(url).port))]);
  expect(rules).toHaveLength(k8s.one('NetworkPolicy').spec?.egress?.length ?? 0);
});
