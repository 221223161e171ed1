/** One seeded bug: exact pieces of the sources, what stands there instead, and the test that must go red. */

export type Edit = { readonly file: string; readonly search: string; readonly replace: string };
export type Mutant = {
  readonly name: string;
  /** What the bug is. */
  readonly about: string;
  readonly testFile: string;
  /** The test's full name as vitest prints it: its groups before it, joined by spaces. */
  readonly testName: string;
  readonly edits: readonly Edit[];
};

/**
 * Reads a mutant's text: a first line `# what the bug is`, a line `test: file > full name of the test`, then edits, each
 * `file: path`, `<<<<`, the exact text, `====`, what replaces it, `>>>>`. Lines count whole.
 */
export function parseMutant(name: string, text: string): Mutant {
  const about = /^# (.+)$/m.exec(text)?.[1];
  const test = /^test: (\S+) > (.+)$/m.exec(text);
  const edits = editsIn(text);
  if (about === undefined || test === null || edits.length === 0)
    throw new Error(`mutant ${name} lacks what it is about, its test or its edits`);
  return { name, about, testFile: test[1] as string, testName: test[2] as string, edits };
}

export const editsIn = (text: string): readonly Edit[] =>
  [...text.matchAll(/^file: (\S+)\n<<<<\n([\s\S]*?)^====\n([\s\S]*?)^>>>>$/gm)].map(
    ([, file = '', search = '', replace = '']): Edit => ({ file, search, replace }),
  );

/** The text with the edit in it; throws unless what is searched for stands there exactly once. */
export function applied(edit: Edit, text: string): string {
  const pieces = text.split(edit.search);
  if (pieces.length !== 2) throw new Error(`${edit.file} holds what is searched for ${pieces.length - 1} times, not once`);
  return pieces.join(edit.replace);
}

/** What vitest's JSON report says of one test. */
export type Report = {
  readonly testResults: readonly {
    readonly name: string;
    readonly message?: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
};
export type Verdict = 'passed' | 'failed' | 'not run';

export function verdictOn(mutant: Mutant, report: Report): Verdict {
  const file = report.testResults.find(({ name }) => name.replaceAll('\\', '/').endsWith(mutant.testFile));
  const status = file?.assertionResults.find(({ fullName }) => fullName === mutant.testName)?.status;
  return status === 'passed' || status === 'failed' ? status : 'not run';
}

/** Undefined: found. Else what is wrong with the mutant, or with the test that should find it. */
export function complaint(before: Verdict, after: Verdict): string | undefined {
  if (before === 'not run') return 'there is no test of this name';
  if (before === 'failed') return 'its test is red without it';
  if (after === 'not run') return 'its test did not run: the mutant does not even load';
  return after === 'failed' ? undefined : 'SURVIVED: its test stays green';
}
