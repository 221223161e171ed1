/**
 * Prints the books of a fleet and exits 1 when anything does not add up. Reads only the topics and the device's journal.
 *
 * `node dist/infra/dev/books-run.js --brokers B --commands T --events T --dead-letters T --journal FILE --redelivered N [--json]`
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Books, booksOf } from './books.ts';
import { PLACES } from './books-cash.ts';
import { readTopics } from './books-topics.ts';

const FAULTS_SHOWN = 20;
const say = (line: string) => process.stdout.write(`${line}\n`);
const row = (name: string, figure: string | number) => say(`  ${name.padEnd(22)}${String(figure).padStart(14)}`);

async function main(): Promise<number> {
  const string = { type: 'string' } as const;
  const options = { brokers: string, commands: string, events: string, 'dead-letters': string, journal: string, redelivered: string };
  const { values } = parseArgs({ options: { ...options, json: { type: 'boolean' } } });
  const named = (name: keyof typeof options): string => {
    const value = values[name];
    if (value === undefined) throw new Error(`--${name} is missing`);
    return value;
  };
  const topics = [named('commands'), named('events'), named('dead-letters')];
  const [commands = [], events = [], deadLetters = []] = await readTopics(named('brokers'), topics);
  const journal = readFileSync(named('journal'), 'utf8');
  const books = booksOf({ commands, events, deadLetters, journal, redelivered: Number(named('redelivered')) });
  if (values.json) say(JSON.stringify(books));
  else print(books);
  return books.faults.length === 0 && books.recovered > 0 && books.redelivered > 0 ? 0 : 1;
}

function print(books: Books): void {
  const { faults, slowest, cash, ...figures } = books;
  say('books, from the topics and the journal of the device alone');
  for (const [name, figure] of Object.entries(figures))
    row(
      name.replace(/[A-Z]/g, (it) => ` ${it.toLowerCase()}`),
      figure,
    );
  const until = new Date(slowest.untilMs).toISOString().slice(11, 23);
  row('slowest location', `${(slowest.outageMs / 1_000).toFixed(2)} s`);
  say(`    ${slowest.address}, until ${until}`);
  say(`\n  notes              ${PLACES.map((place) => place.replace(/[A-Z]/g, (it) => ` ${it.toLowerCase()}`).padStart(11)).join('')}`);
  for (const name of Object.keys(cash.supplied).sort()) {
    say(`  ${name.padEnd(19)}${PLACES.map((place) => String(cash[place][name] ?? 0).padStart(11)).join('')}`);
  }
  say('');
  for (const fault of faults.slice(0, FAULTS_SHOWN)) say(`  WRONG  ${fault}`);
  if (faults.length > FAULTS_SHOWN) say(`  WRONG  and ${faults.length - FAULTS_SHOWN} more`);
  if (books.recovered === 0) say('  WRONG  no intent was recovered: the fault did not bite');
  if (books.redelivered === 0) say('  WRONG  no record was redelivered: the fault did not bite');
  if (faults.length === 0) say('  cash is conserved in every location and denomination; every command has one outcome');
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
