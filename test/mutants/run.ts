/** `npm run mutants [-- NAME…]`: seeds one bug after the other into a copy of the sources and demands that its test goes red. */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applied, complaint, type Mutant, parseMutant, type Report, verdictOn } from './mutant.ts';

const COPIED = ['src', 'actors', 'infra', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts'];
/** Installed packages, and the broker's jars where they were fetched already. */
const LINKED = ['node_modules', '.services'];

const root = process.cwd();
const say = (line: string) => process.stdout.write(`${line}\n`);

function mutantsOf(names: readonly string[]): readonly Mutant[] {
  const folder = join(root, 'test', 'mutants');
  const files = readdirSync(folder).filter((file) => file.endsWith('.mutant'));
  const all = files.map((file) => parseMutant(file.replace(/\.mutant$/, ''), readFileSync(join(folder, file), 'utf8')));
  const strange = names.filter((name) => !all.some((mutant) => mutant.name === name));
  if (strange.length > 0) throw new Error(`no such mutant: ${strange.join(', ')}`);
  return names.length === 0 ? all : all.filter((mutant) => names.includes(mutant.name));
}

function copy(): string {
  const to = mkdtempSync(join(tmpdir(), 'locus-mutants-'));
  for (const name of COPIED) cpSync(join(root, name), join(to, name), { recursive: true });
  for (const name of LINKED) symlinkSync(join(root, name), join(to, name));
  return to;
}

/** Runs the test of one mutant in the copy. */
async function test(dir: string, mutant: Mutant): Promise<Report> {
  // Where vitest.config.ts puts it.
  const report = join(dir, 'dist', 'test-result.json');
  rmSync(report, { force: true });
  const pattern = `^${mutant.testName.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', mutant.testFile, '-t', pattern];
  const child = spawn(process.execPath, args, { cwd: dir, stdio: 'ignore' });
  await new Promise((resolve) => child.once('exit', resolve));
  try {
    return JSON.parse(readFileSync(report, 'utf8')) as Report;
  } catch {
    return { testResults: [] };
  }
}

async function mutate(dir: string, mutant: Mutant): Promise<Report> {
  const files = [...new Set(mutant.edits.map(({ file }) => file))];
  const originals = files.map((file) => [file, readFileSync(join(dir, file), 'utf8')] as const);
  try {
    for (const edit of mutant.edits) writeFileSync(join(dir, edit.file), applied(edit, readFileSync(join(dir, edit.file), 'utf8')));
    return await test(dir, mutant);
  } finally {
    for (const [file, text] of originals) writeFileSync(join(dir, file), text);
  }
}

async function found(dir: string, mutant: Mutant): Promise<string | undefined> {
  try {
    const before = verdictOn(mutant, await test(dir, mutant));
    if (before !== 'passed') return complaint(before, 'not run');
    return complaint(before, verdictOn(mutant, await mutate(dir, mutant)));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function main(): Promise<number> {
  const mutants = mutantsOf(process.argv.slice(2));
  const dir = copy();
  let survived = 0;
  try {
    for (const mutant of mutants) {
      const wrong = await found(dir, mutant);
      if (wrong !== undefined) survived++;
      say(`${wrong === undefined ? 'found' : 'WRONG'}  ${mutant.name.padEnd(32)} ${mutant.testFile} > ${mutant.testName}`);
      if (wrong !== undefined) say(`       ${wrong}`);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  say(`${mutants.length - survived} of ${mutants.length} mutants found`);
  return survived === 0 && mutants.length > 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
