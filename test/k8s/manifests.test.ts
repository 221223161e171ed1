import { afterEach, describe, expect, it } from 'vitest';
import { CashLocation } from '../../actors/cash-location/actor.ts';
import { startAdmin } from '../../infra/http/admin.ts';
import { type FleetConfig, readConfig } from '../../src/config.ts';
import { variables } from '../../src/variables.ts';
import { fakeDesk, fakeLog } from '../http/fake-desk.ts';
import { last, stages } from './dockerfile.ts';
import * as k8s from './manifests.ts';
import { againstSchema, againstTypes } from './schemas.ts';

const { container, pod, statefulSet } = k8s;
const LABELS = { 'app.kubernetes.io/name': 'locus' };
const TOKEN = 'a-token-of-enough-length';
/** What an operator puts into the Secret. */
const SECRETS: Readonly<Record<string, string>> = {
  REDIS_URL: 'redis://:password@redis-store:6379',
  LOCK_REDIS_URLS: 'redis://lock-0.redis:6379,redis://lock-1.redis:6379,redis://lock-2.redis:6379',
  ADMIN_TOKEN: TOKEN,
};
const machine = {
  hostName: 'not-asked',
  readFile(path: string) {
    const mount = k8s.mounts().find((it) => path.startsWith(`${it.path}/`));
    const value = mount?.kind === 'Secret' && mount.name === 'locus' ? SECRETS[path.slice(mount.path.length + 1)] : undefined;
    if (value === undefined) throw new Error(`nothing is mounted at ${path}`);
    return `${value}\n`;
  },
};
const env = k8s.podEnvironment();
const config = readConfig(env, machine) as FleetConfig;
const portNamed = (name: unknown) => container.ports?.find((it) => it.name === name)?.containerPort;
const policy = k8s.one('NetworkPolicy').spec;
const probes = { startup: container.startupProbe, liveness: container.livenessProbe, readiness: container.readinessProbe };

describe('the manifests', () => {
  it('are all of the base, and name only what is there', () => {
    const named = [...k8s.kustomization.resources, ...k8s.kustomization.configMapGenerator.flatMap(({ envs }) => envs)];
    expect([...named].sort()).toEqual([...k8s.files].sort());
    expect(k8s.kustomization.images.map(({ name }) => name)).toEqual([container.image]);
    expect(k8s.one('Service', statefulSet.serviceName).spec?.clusterIP).toBe('None');
    for (const resource of k8s.resources.filter(({ kind }) => kind !== 'ConfigMap'))
      expect(resource.metadata).toHaveProperty('labels', LABELS);
  });

  it('are what the schemas of Kubernetes ask for', async () => {
    for (const resource of k8s.resources) expect(await againstSchema(resource)).toEqual([]);
  });

  it('hold no field that Kubernetes does not know', { timeout: 60_000 }, () => {
    expect(againstTypes(k8s.resources)).toEqual([]);
  });

  it('would be found out: by the schemas for a wrong value, by the types for an unknown field', { timeout: 60_000 }, async () => {
    const spoiled = (bend: (spec: { containers: Record<string, unknown>[] }) => void) => {
      const copy = structuredClone(k8s.one('StatefulSet')) as unknown as k8s.Resource & { spec: { template: { spec: never } } };
      bend(copy.spec.template.spec);
      return copy;
    };
    const wrong = spoiled((spec) => Object.assign(spec.containers[0] ?? {}, { ports: [{ containerPort: 'http' }] }));
    expect(await againstSchema(wrong)).toEqual([expect.stringContaining('containerPort must be integer')]);
    const unknown = spoiled((spec) => Object.assign(spec.containers[0] ?? {}, { livenesProbe: {} }));
    expect(againstTypes([unknown])).toEqual([expect.stringContaining('livenesProbe')]);
  });
});

describe('a replica', () => {
  it('is named by its pod, which keeps its ordinal', () => {
    expect(k8s.one('StatefulSet').kind).toBe('StatefulSet');
    expect(config.replicaId).toBe(k8s.POD.name);
  });

  it('is replaced one at a time, and only after the one before is ready', () => {
    expect(statefulSet.updateStrategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { partition: 0 } });
    expect(statefulSet.minReadySeconds).toBeGreaterThan(0);
    expect(k8s.one('PodDisruptionBudget').spec).toEqual({
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: LABELS },
    });
  });

  it('is one of several, of which each has work', () => {
    expect(statefulSet.replicas).toBeGreaterThanOrEqual(3);
    expect(statefulSet.replicas).toBeLessThanOrEqual(config.commandsPartitions);
  });

  it('is spread over nodes, and over zones where there are any', () => {
    expect(pod.topologySpreadConstraints).toMatchObject([
      { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: LABELS } },
      {
        maxSkew: 1,
        topologyKey: 'topology.kubernetes.io/zone',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: LABELS },
      },
    ]);
  });

  it('has time to stop serving, to drain and for its longest effect before it is killed', () => {
    const effectsMs = Object.values(CashLocation.effects).map(({ timeoutMs }) => timeoutMs);
    const pauseMs = (container.lifecycle?.preStop?.sleep?.seconds ?? 0) * 1_000;
    expect(pauseMs).toBeGreaterThan(0);
    expect((pod.terminationGracePeriodSeconds ?? 0) * 1_000).toBeGreaterThan(pauseMs + config.drainMs + Math.max(...effectsMs));
  });

  it('may wait two sessions for a silent one before it has started', () => {
    const { periodSeconds = 0, failureThreshold = 0 } = probes.startup ?? {};
    expect(periodSeconds * failureThreshold * 1_000).toBeGreaterThan(2 * config.sessionTimeoutMs + 60_000);
  });

  it('has its memory for itself, more than its heap, and is never throttled', () => {
    const heapMiB = Number(/^--max-old-space-size=(\d+)$/.exec(container.args?.[0] ?? '')?.[1]);
    const { requests, limits } = container.resources ?? {};
    expect(requests?.memory).toBe(limits?.memory);
    const newMiB = 3 * Number(/--max-semi-space-size=(\d+)/.exec(last(stages().at(-1), 'ENTRYPOINT') ?? '')?.[1]);
    expect(Number(/^(\d+)Mi$/.exec(String(limits?.memory))?.[1])).toBeGreaterThanOrEqual(heapMiB + newMiB + 256);
    expect(requests?.cpu).toBeDefined();
    expect(limits).not.toHaveProperty('cpu');
  });
});

describe('a pod', () => {
  it('runs as nobody, may do nothing, and writes nowhere', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(pod.securityContext?.runAsUser).toBeGreaterThan(0);
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.volumeMounts?.filter(({ readOnly }) => readOnly !== true)).toEqual([]);
    for (const name of ['hostNetwork', 'hostPID', 'hostIPC', 'initContainers', 'serviceAccountName']) expect(pod).not.toHaveProperty(name);
    expect(pod.containers).toHaveLength(1);
  });

  it('runs as the user of the image', () => {
    const { runAsUser, runAsGroup, fsGroup } = pod.securityContext ?? {};
    expect(last(stages().at(-1), 'USER')).toBe(`${runAsUser}:${runAsGroup}`);
    expect(fsGroup).toBe(runAsGroup);
  });

  it('has no token of the cluster, and no variable that a Service of another name could set', () => {
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.enableServiceLinks).toBe(false);
  });
});

describe('the configuration', () => {
  it('holds only variables that the program knows, or that another is made of', () => {
    const known = Object.values(variables).flatMap(({ name, secret }) => (secret ? [name, `${name}_FILE`] : [name]));
    const made = (container.env ?? []).flatMap(({ value }) => [...(value ?? '').matchAll(/\$\((\w+)\)/g)].map((it) => it[1]));
    expect(Object.keys(env).filter((name) => !known.includes(name) && !made.includes(name))).toEqual([]);
  });

  it('has every secret in a file of the Secret, and the Secret nothing else', () => {
    const secret = Object.values(variables)
      .filter((it) => it.secret)
      .map(({ name }) => name);
    expect(Object.keys(env).filter((name) => secret.includes(name))).toEqual([]);
    const asked = Object.keys(env).filter((name) => name.endsWith('_FILE'));
    expect(asked.map((name) => name.slice(0, -'_FILE'.length)).sort()).toEqual(Object.keys(SECRETS).sort());
    expect(container.env?.filter(({ valueFrom }) => valueFrom?.secretKeyRef !== undefined)).toEqual([]);
    const mounted = pod.volumes?.find((volume) => volume.secret !== undefined)?.secret;
    // 0440: for the group that the pod runs as.
    expect(mounted).toEqual({ secretName: 'locus', defaultMode: 0o440 });
  });

  it('is accepted, and opens both ports beyond loopback under a token', () => {
    expect(config).toMatchObject({ durability: 'store', httpHost: '0.0.0.0', adminHost: '0.0.0.0', adminToken: TOKEN });
  });

  it('has peers reach this pod by its address', () => {
    expect(config.advertiseUrl).toBe(`http://${k8s.POD.ip}:${config.adminPort}`);
  });
});

describe('ports and probes', () => {
  const ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });

  it('are those of the program', () => {
    expect([portNamed('http'), portNamed('admin')]).toEqual([config.httpPort, config.adminPort]);
    expect(last(stages().at(-1), 'EXPOSE')).toBe(`${config.httpPort} ${config.adminPort}`);
    const services = ['locus', 'locus-replicas'].map((name) => k8s.one('Service', name).spec);
    expect(services.map((it) => it?.selector)).toEqual([LABELS, LABELS]);
    expect(services.map((it) => it?.ports?.map(({ port, targetPort }) => [port, portNamed(targetPort)]))).toEqual([
      [[config.httpPort, config.httpPort]],
      [[config.adminPort, config.adminPort]],
    ]);
  });

  it('are asked on the admin port, each at its own path', () => {
    const asked = Object.entries(probes).map(([name, probe]) => [name, probe?.httpGet?.path, portNamed(probe?.httpGet?.port)]);
    expect(asked).toEqual([
      ['startup', '/startupz', config.adminPort],
      ['liveness', '/livez', config.adminPort],
      ['readiness', '/readyz', config.adminPort],
    ]);
  });

  it.each([
    ['startup', { started: 'still starting', live: undefined, ready: 'still starting', told: [] }, [503, 200, 503]],
    ['drain', { started: undefined, live: undefined, ready: 'draining', told: [] }, [200, 200, 503]],
  ])('are served without the token, as the kubelet asks: at %s', async (_when, health, statuses) => {
    const { desk } = fakeDesk({ health: () => health });
    const admin = await startAdmin({ host: '127.0.0.1', port: 0, token: config.adminToken, desk, log: fakeLog().log });
    ends.push(() => admin.stop());
    const asked = Object.values(probes).map(async (probe) => (await fetch(`${admin.url}${probe?.httpGet?.path}`)).status);
    expect(await Promise.all(asked)).toEqual(statuses);
  });
});

describe('the network', () => {
  type Peer = { readonly podSelector?: { readonly matchLabels?: object }; readonly namespaceSelector?: object };
  const rules = (
    list: readonly { readonly ports?: readonly object[]; readonly to?: readonly object[]; readonly from?: readonly object[] }[] = [],
  ) =>
    list.map(({ ports, to, from }) => ({
      who: ((to ?? from ?? []) as readonly Peer[]).map((it) =>
        Object.entries(it.podSelector?.matchLabels ?? {})
          .join()
          .replace(',', '='),
      ),
      ports: (ports ?? []).map((it) => Object.values(it).join(' ')),
    }));

  it('denies what it does not name, in and out', () => {
    expect(policy?.podSelector).toEqual({ matchLabels: LABELS });
    expect(policy?.policyTypes).toEqual(['Ingress', 'Egress']);
    for (const rule of [...(policy?.ingress ?? []), ...(policy?.egress ?? [])]) {
      const who = 'from' in rule ? rule.from : 'to' in rule ? rule.to : [];
      expect(who?.every((it) => Object.keys(it.podSelector?.matchLabels ?? {}).length > 0)).toBe(true);
      expect([who?.length, rule.ports?.length]).not.toContain(0);
    }
  });

  it('lets callers in at the public port, and at the admin port only peers and who is allowed to', () => {
    expect(rules(policy?.ingress)).toEqual([
      { who: ['locus-access=commands'], ports: ['TCP http'] },
      { who: ['app.kubernetes.io/name=locus', 'locus-access=admin'], ports: ['TCP admin'] },
    ]);
  });

  it('lets out to peers, Kafka, Redis, the device and the names of the cluster, at the ports that the configuration has', () => {
    const portOf = (url: string) => `TCP ${new URL(url).port}`;
    const ports = (urls: readonly string[]) => [...new Set(urls.map(portOf))];
    expect(rules(policy?.egress)).toEqual([
      { who: ['app.kubernetes.io/name=locus'], ports: ['TCP admin'] },
      { who: ['app.kubernetes.io/name=kafka'], ports: ports(config.kafkaBrokers.map((it) => `kafka://${it}`)) },
      { who: ['app.kubernetes.io/name=redis'], ports: ports([config.redisUrl, ...config.lockRedisUrls]) },
      { who: ['app.kubernetes.io/name=device-gateway'], ports: ports([config.deviceUrl]) },
      { who: ['k8s-app=kube-dns'], ports: ['UDP 53', 'TCP 53'] },
    ]);
  });
});
