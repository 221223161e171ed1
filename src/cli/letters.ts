/** `locus dead-letters`: what could never run, why, and how it is sent again once its cause is mended. */
import type { Command } from 'commander';
import type { DeadLetter, LettersFound } from '../desk.ts';
import { type Format, type Said, usage } from './ask.ts';
import { type Client, EXIT, Failure } from './client.ts';
import { type Column, details, type Row, table } from './print.ts';
import { admin, because, type Common, command, newKey, output, say, toAdmin, whole } from './words.ts';

export type Asked = {
  readonly format: Format;
  readonly where: readonly string[];
  readonly max: number;
};
export type Replaying = {
  /** `partition:offset`; none: all that `where` allows. */
  readonly ids: readonly string[];
  readonly because: string;
  readonly dryRun: boolean;
  /** The operator states that what is STALE never ran. */
  readonly neverRan: boolean;
};

const COLUMNS: readonly Column[] = [
  ['ID', (row) => row.id],
  ['REASON', (row) => row.reason],
  ['KEY', (row) => row.key],
  ['FROM', (row) => (row.topic === '' ? undefined : `${row.topic}/${row.partition}@${row.offset}`)],
  ['FAILED', (row) => row.failed || row.at],
];

export async function listLetters(replica: Client, asked: Asked): Promise<Said> {
  const { letters, topic, note } = await found(replica, asked);
  const none = `no dead letter ${asked.where.length > 0 ? `of ${asked.where.join(' and ')} ` : ''}is on ${topic}`;
  const text = asked.format === 'json' ? JSON.stringify({ letters }) : letters.length === 0 ? none : table(COLUMNS, letters);
  return { text, ...note };
}

export async function showLetter(replica: Client, id: string, format: Format): Promise<Said> {
  const { text } = await replica.call({ path: `/admin/dead-letters/${idIn(id)}` });
  return { text: format === 'json' ? text : details(JSON.parse(text) as Row) };
}

/** One after the other: letters of one location go back in the order in which they came. */
export async function replayLetters(replica: Client, asked: Asked, replaying: Replaying): Promise<Said> {
  const { ids, ...order } = replaying;
  if (ids.length === 0 && asked.where.length === 0)
    throw usage('name letters by their ID, or by --where: all of them at once is seldom meant');
  if (ids.length > 0 && asked.where.length > 0) throw usage('name letters by their ID or by --where, not by both');
  const named = ids.map((id) => ({ id: idIn(id) }));
  const { letters, note } = named.length > 0 ? { letters: named, note: {} } : await found(replica, asked);
  const rows: Row[] = [];
  let isWell = letters.length > 0;
  for (const letter of letters) {
    const { refused, row } = await replayOne(replica, letter.id, order);
    isWell &&= !refused;
    rows.push({ ...letter, ...row });
  }
  const columns: readonly Column[] = [...COLUMNS.slice(0, 3), ['RESULT', (it) => it.result]];
  const text = rows.length === 0 ? 'nothing to replay' : table(columns, rows);
  return { text: asked.format === 'json' ? JSON.stringify({ letters: rows }) : text, exit: isWell ? EXIT.done : EXIT.failed, ...note };
}

/** A refusal keeps none of the others back; no answer ends all, because the next would get none either. */
async function replayOne(replica: Client, id: string, order: Omit<Replaying, 'ids'>): Promise<{ refused: boolean; row: Row }> {
  const headers = { 'idempotency-key': newKey() };
  try {
    const { text } = await replica.call({ method: 'POST', path: `/admin/dead-letters/${id}:replay`, headers, body: JSON.stringify(order) });
    return { refused: false, row: JSON.parse(text) as Row };
  } catch (error) {
    const status = error instanceof Failure ? error.answer?.status : undefined;
    if (status === 404 || status === 409) return { refused: true, row: { result: `refused: ${detailIn(error as Failure)}` } };
    const unsure = error instanceof Failure && (error.unsure || status === 503);
    throw unsure ? new Failure(error.exit, `${error.message}; repeat it for ${id} and those after it: none runs twice`, error) : error;
  }
}
const detailIn = ({ answer, message }: Failure): string =>
  String((JSON.parse(answer?.text ?? '{}') as { readonly detail?: unknown }).detail ?? message);

// ── Finding them ─────────────────────────────────────────────────────────────────────────────────────────────────────

const FIELDS = ['reason', 'key', 'topic'] as const;
function queryOf(where: readonly string[]): string {
  const query = new URLSearchParams();
  for (const text of where) {
    const cut = text.indexOf('=');
    const field = FIELDS.find((name) => name === text.slice(0, cut));
    if (field === undefined) throw usage(`--where is "${text}": must be one of ${FIELDS.join('=…, ')}=…`);
    if (query.has(field)) throw usage(`--where is "${text}": names ${field} a second time`);
    query.set(field, text.slice(cut + 1));
  }
  return query.toString();
}
function idIn(id: string): string {
  if (!/^\d{1,9}:\d{1,15}$/.test(id)) throw usage(`ID is "${id}": must be partition:offset, as \`locus dead-letters ls\` names it`);
  return id;
}

/** How many are asked for at once. */
const PAGE = 1_000;

/** The oldest `max` of each partition are kept, so that a long topic fits into memory; then the oldest of all. */
async function found(replica: Client, { where, max }: Asked) {
  const query = queryOf(where);
  const kept = new Map<string, DeadLetter[]>();
  let topic = '';
  for (let next: string | undefined = '0:0'; next !== undefined; ) {
    const path = `/admin/dead-letters?limit=${PAGE}&from=${next}${query === '' ? '' : `&${query}`}`;
    const page = JSON.parse((await replica.call({ path })).text) as LettersFound;
    ({ topic, next } = page);
    for (const letter of page.letters) {
      const mine = kept.get(partitionIn(letter.id)) ?? [];
      kept.set(partitionIn(letter.id), mine);
      if (mine.length <= max) mine.push(letter);
    }
    // Of this partition there are enough: on to the one after it.
    if (next !== undefined && (kept.get(partitionIn(next))?.length ?? 0) > max) next = `${Number(partitionIn(next)) + 1}:0`;
  }
  // Within a partition they are in their order already, and sorting leaves what is equal as it was.
  const all = [...kept.values()].flat().sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return { topic, letters: all.slice(0, max), note: all.length > max ? { note: `only the first ${max}: see --max` } : {} };
}
const partitionIn = (id: string): string => id.slice(0, id.indexOf(':'));

// ── Commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────

type Options = Common & { readonly where?: readonly string[]; readonly max: number };

const onLetters = (verb: string, summary: string) => command(`dead-letters ${verb}`, summary).addOption(toAdmin()).addOption(output());
const some = (it: Command) =>
  it
    .option('--where <field=value...>', 'only those: reason=…, key=… (an address) or topic=… (where it came from)')
    .option('--max <n>', 'at most so many, the oldest first', whole(1, 10_000), 100);
const askedIn = ({ output: format, where = [], max }: Options): Asked => ({ format, where, max });

export const deadLetters = (): Command =>
  command('dead-letters', 'records that could never run, with the reason')
    .addCommand(some(onLetters('ls', 'list them')).action((options: Options) => say(listLetters(admin(options), askedIn(options)))))
    .addCommand(
      onLetters('show', 'show one, with its value and its headers')
        .argument('<ID>', 'partition:offset, as `locus dead-letters ls` names it')
        .action((id: string, options: Options) => say(showLetter(admin(options), id, options.output))),
    )
    .addCommand(
      some(onLetters('replay', 'send them again as they were, after their cause is mended'))
        .argument('[ID...]', 'partition:offset; without any, those that --where allows')
        .addOption(because())
        .option('--dry-run', 'only say what would be sent')
        .option('--never-ran', 'state that they never ran: then those with the reason STALE are sent too, as if they were new')
        .action((ids: readonly string[], options: Options & { because: string; dryRun?: boolean; neverRan?: boolean }) => {
          const { because: reason, dryRun = false, neverRan = false } = options;
          return say(replayLetters(admin(options), askedIn(options), { ids, because: reason, dryRun, neverRan }));
        }),
    );
