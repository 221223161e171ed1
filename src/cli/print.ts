/** Turns rows and objects into text that people read in a terminal. */

export type Row = Readonly<Record<string, unknown>>;
/** A heading and what stands under it. */
export type Column = readonly [heading: string, read: (row: Row) => unknown];

/** Left-aligned columns, two spaces apart; numbers to the right. */
export function table(columns: readonly Column[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map(([, read]) => read(row)));
  const texts = cells.map((line) => line.map(plain));
  const widths = columns.map(([heading], at) => Math.max(heading.length, ...texts.map((line) => line[at]?.length ?? 0)));
  const isNumber = columns.map((_, at) => {
    const known = cells.map((line) => line[at]).filter((cell) => cell !== undefined && cell !== null);
    return known.length > 0 && known.every((cell) => typeof cell === 'number');
  });
  const line = (parts: readonly string[]) =>
    parts
      .map((part, at) => (isNumber[at] ? part.padStart(widths[at] ?? 0) : part.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(columns.map(([heading]) => heading)), ...texts.map(line)].join('\n');
}

/** One field a line, what is nested below its name. */
export function details(row: Row): string {
  const entries = Object.entries(row).filter(([, value]) => value !== undefined && value !== null);
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  const indent = `\n${' '.repeat(width + 2)}`;
  return entries.map(([name, value]) => `${name.padEnd(width)}  ${spread(value).replaceAll('\n', indent)}`).join('\n');
}

const ONE_LINE = 100;
function spread(value: unknown): string {
  if (typeof value !== 'object') return plain(value);
  const short = JSON.stringify(value);
  return short.length <= ONE_LINE ? short : JSON.stringify(value, undefined, 2);
}

function plain(value: unknown): string {
  if (value === undefined || value === null) return '-';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** 950 ms, 12.3 s, 4 min, 3 h. */
export function duration(ms: unknown): string | undefined {
  if (typeof ms !== 'number') return undefined;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 100_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}
