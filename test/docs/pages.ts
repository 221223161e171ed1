/** A page of the documentation as its tests see it: fenced blocks with their language and what stands behind it, links, and names in the text. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');
export const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Every page that a reader is sent to. */
export const PAGES = [
  'README.md',
  ...['writing-an-actor', 'operating', 'configuration', 'errors', 'links'].map((name) => `docs/${name}.md`),
];

export type Block = {
  readonly page: string;
  /** Of its first line. */
  readonly line: number;
  readonly language: string;
  /** What stands behind the language: the file that it is an excerpt of. */
  readonly of: string;
  readonly text: string;
};

export function blocksOf(page: string, text = read(page)): readonly Block[] {
  return [...text.matchAll(/^```(\S*)[ \t]*(.*)\n([\s\S]*?)^```$/gm)].map(({ index, 1: language = '', 2: of = '', 3: body = '' }) => ({
    page,
    line: text.slice(0, index).split('\n').length + 1,
    language,
    of: of.trim(),
    text: body,
  }));
}

const dedented = (line: string): string => line.trim();
/** Whether the lines of `excerpt` stand in `file`, one after the other, however far they are indented. */
export function standsIn(excerpt: string, file: string): boolean {
  const wanted = excerpt.trimEnd().split('\n').map(dedented);
  const lines = file.split('\n').map(dedented);
  return lines.some((_, at) => wanted.every((line, n) => lines[at + n] === line));
}

/** Command lines of a shell block, without comments; a line that ends with `\` goes on. */
export const linesOf = (text: string): readonly string[] =>
  text
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) =>
      line
        .replace(/^\$ /, '')
        .replace(/\s+#\s.*$/, '')
        .trim(),
    )
    .filter((line) => line !== '' && !line.startsWith('#'));

/** The words of one command, quoted as a shell would have them. */
export const wordsOf = (line: string): readonly string[] =>
  [...line.matchAll(/(?:'([^']*)'|"([^"]*)"|([^\s'"]+))/g)].map(([, one, two, bare]) => one ?? two ?? bare ?? '');

/** The text outside of blocks. */
export const prose = (page: string): string => read(page).replaceAll(/^```[\s\S]*?^```$/gm, '');

/** Anchors of its headings, as GitHub makes them. */
export const anchorsOf = (page: string): ReadonlySet<string> =>
  new Set(
    [...prose(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
