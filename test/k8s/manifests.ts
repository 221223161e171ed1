/** The Kustomize base as the cluster would get it: its resources, and the ConfigMap that is generated. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IStatefulSet } from 'kubernetes-models/apps/v1';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1';
import type { IConfigMap, IContainer, IPodSpec, IService } from 'kubernetes-models/v1';
import { parse, parseAllDocuments } from 'yaml';

const folder = join(import.meta.dirname, '../../infra/k8s/base');
const read = (file: string): string => readFileSync(join(folder, file), 'utf8');

type Kustomization = {
  readonly resources: readonly string[];
  readonly configMapGenerator: readonly { readonly name: string; readonly envs: readonly string[] }[];
  readonly images: readonly { readonly name: string; readonly newTag: string }[];
};
export type Resource = { readonly apiVersion: string; readonly kind: string; readonly metadata: { readonly name: string } };
type Kinds = {
  readonly StatefulSet: IStatefulSet;
  readonly Service: IService;
  readonly NetworkPolicy: INetworkPolicy;
  readonly PodDisruptionBudget: IPodDisruptionBudget;
  readonly ConfigMap: IConfigMap;
};

export const kustomization = parse(read('kustomization.yaml')) as Kustomization;
/** Every file of the base but the kustomization itself. */
export const files: readonly string[] = readdirSync(folder).filter((file) => file !== 'kustomization.yaml');

export const resources: readonly Resource[] = [
  ...kustomization.resources.flatMap((file) => parseAllDocuments(read(file), { strict: true }).map((it) => it.toJS() as Resource)),
  ...kustomization.configMapGenerator.map(({ name, envs }) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: Object.fromEntries(envs.flatMap((file) => lines(read(file)))),
  })),
];

/** The lines of an env file, as names and values. */
export function lines(text: string): readonly (readonly [string, string])[] {
  const told = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return told.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
}

export function one<K extends keyof Kinds>(kind: K, name = 'locus', among = resources): Kinds[K] {
  const found = among.filter((it) => it.kind === kind && it.metadata.name === name);
  if (found.length !== 1) throw new Error(`${found.length} of kind ${kind} are named ${name}`);
  return found[0] as unknown as Kinds[K];
}

export const statefulSet = one('StatefulSet').spec as NonNullable<IStatefulSet['spec']>;
export const pod = statefulSet.template.spec as IPodSpec;
export const container = pod.containers[0] as IContainer;

export const POD = { name: 'locus-1', ip: '10.1.2.3' };
const fields: Readonly<Record<string, string>> = { 'metadata.name': POD.name, 'status.podIP': POD.ip };

const podOf = (among: readonly Resource[]) => one('StatefulSet', 'locus', among).spec?.template.spec as IPodSpec;

/** What the process finds in its environment, as the kubelet puts it together. */
export function podEnvironment(among = resources): Readonly<Record<string, string>> {
  const env: Record<string, string> = {};
  const its = podOf(among).containers[0];
  for (const { configMapRef } of its?.envFrom ?? []) Object.assign(env, one('ConfigMap', configMapRef?.name, among).data);
  const own: Record<string, string> = {};
  for (const { name, value, valueFrom } of its?.env ?? []) {
    const found = value ?? fields[valueFrom?.fieldRef?.fieldPath ?? ''];
    if (found === undefined) throw new Error(`nobody knows what ${name} would be`);
    own[name] = found.replace(/\$\((\w+)\)/g, (whole, other: string) => own[other] ?? whole);
  }
  return { ...env, ...own };
}

type Mount = { readonly path: string; readonly kind: 'Secret' | 'ConfigMap'; readonly name: string };
/** Paths below which the keys of a Secret or a ConfigMap lie. */
export function mounts(among = resources): readonly Mount[] {
  const { volumes, containers } = podOf(among);
  return (containers[0]?.volumeMounts ?? []).flatMap<Mount>(({ name: volume, mountPath: path }) => {
    const { secret, configMap } = volumes?.find(({ name }) => name === volume) ?? {};
    if (secret?.secretName !== undefined) return [{ path, kind: 'Secret', name: secret.secretName }];
    return configMap?.name === undefined ? [] : [{ path, kind: 'ConfigMap', name: configMap.name }];
  });
}
