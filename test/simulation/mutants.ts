/** Seeded bugs for the simulator: what each is, which invariant ought to find it, and its patch. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { applied, type Edit, editsIn } from '../mutants/mutant.ts';

export type SimMutant = {
  readonly name: string;
  readonly about: string;
  /** The invariant that ought to find it first. */
  readonly invariant: string;
  readonly edits: readonly Edit[];
};

export const FOLDER = join('test', 'simulation', 'mutants');

/** Its text: `# what the bug is`, `invariant: its name`, then edits as in test/mutants. */
export function parseSimMutant(name: string, text: string): SimMutant {
  const about = /^# (.+)$/m.exec(text)?.[1];
  const invariant = /^invariant: (\S+)$/m.exec(text)?.[1];
  const edits = editsIn(text);
  if (about === undefined || invariant === undefined || edits.length === 0)
    throw new Error(`mutant ${name} lacks what it is about, its invariant or its edits`);
  return { name, about, invariant, edits };
}

export function simMutants(root: string): readonly SimMutant[] {
  const files = readdirSync(join(root, FOLDER)).filter((file) => file.endsWith('.mutant'));
  return files.sort().map((file) => parseSimMutant(file.replace(/\.mutant$/, ''), readFileSync(join(root, FOLDER, file), 'utf8')));
}

/** What the sources are after all its edits, by path. */
export function patched(root: string, { edits }: SimMutant): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const edit of edits) texts.set(edit.file, applied(edit, texts.get(edit.file) ?? readFileSync(join(root, edit.file), 'utf8')));
  return texts;
}

const COPIED = ['src', 'actors', 'infra', join('test', 'simulation'), join('test', 'examples')];

/** A copy of the compiled program, into which one mutant after the other is put. */
export class Workshop {
  readonly dir = mkdtempSync(join(tmpdir(), 'locus-sim-mutants-'));
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    symlinkSync(join(root, 'node_modules'), join(this.dir, 'node_modules'));
    cpSync(join(root, 'package.json'), join(this.dir, 'package.json'));
    for (const folder of COPIED) cpSync(join(root, 'dist', folder), join(this.dir, 'dist', folder), { recursive: true });
  }

  /** Compiles the patched sources alone; answers how to put back what was there. */
  put(mutant: SimMutant): () => void {
    const texts = patched(this.#root, mutant);
    const before = [...texts.keys()].map((file) => [file, readFileSync(this.#compiled(file))] as const);
    for (const [file, text] of texts) {
      mkdirSync(dirname(this.#compiled(file)), { recursive: true });
      writeFileSync(this.#compiled(file), compiled(text));
    }
    return () => {
      for (const [file, text] of before) writeFileSync(this.#compiled(file), text);
    };
  }
  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
  #compiled(file: string): string {
    return join(this.dir, 'dist', file.replace(/\.ts$/, '.js'));
  }
}

const compiled = (text: string): string =>
  ts.transpileModule(text, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  }).outputText;
