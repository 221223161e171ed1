/** Holds manifests against the schemas of Kubernetes, and against its types: the schemas let unknown fields pass, the types do not. */
import { join } from 'node:path';
import ts from 'typescript';
import type { Resource } from './manifests.ts';

type Model = new (data: unknown) => { validate(): void };
const moduleOf = ({ apiVersion }: Resource): string => `kubernetes-models/${apiVersion}`;

/** What its JSON schema says of each resource that breaks it. */
export async function againstSchema(resource: Resource): Promise<readonly string[]> {
  const models = (await import(moduleOf(resource))) as Readonly<Record<string, Model>>;
  const Known = models[resource.kind];
  if (Known === undefined) return [`${resource.apiVersion} has no ${resource.kind}`];
  try {
    new Known(resource).validate();
    return [];
  } catch (error) {
    return [`${resource.kind} ${resource.metadata.name}: ${(error as Error).message}`];
  }
}

/** What the compiler says of the resources as literals: a field that nobody knows is an error there. */
export function againstTypes(resources: readonly Resource[]): readonly string[] {
  const path = join(import.meta.dirname, 'literals.ts');
  const text = resources
    .map((it, n) => {
      const literal = `export const it${n}: import('${moduleOf(it)}').I${it.kind} = ${JSON.stringify(it)};`;
      return literal;
    })
    .join('\n');
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (file) => file === path || fileExists(file);
  host.readFile = (file) => (file === path ? text : readFile(file));
  host.getSourceFile = (file, ...rest) =>
    file === path ? ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true) : getSourceFile(file, ...rest);
  const program = ts.createProgram([path], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
}
