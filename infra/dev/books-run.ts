/**
 * Prints the books of a fleet and exits 1 when anything does not add up. Reads only the topics and the device's journal.
 *
 * `node dist/infra/dev/books-run.js --brokers B --commands T --events T --dead-letters T --journal FILE --redelivered N [--json]`
 *
 * `--commands` takes the topics of all lanes, separated by commas.
 * With `--take-over-ms N` nobody was killed: then 99 of 100 take-overs must have taken at most N ms; else something must have been recovered and redelivered.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Books, booksOf } from './books.ts';
import { PLACES } from './books-cash.ts';
import { quantile } from './books-gaps.ts';
import { readTopics } from './books-topics.ts';

const FAULTS_SHOWN = 20;
const say = (line: string) => process.stdout.write(`${line}\n`);
const row = (name: string, figure: string | number) => say(`  ${name.padEnd(22)}${String(figure).padStart(14)}`);

async function main(): Promise<number> {
  const string = { type: 'string' } as const;
  const options = {
    ...{ brokers: string, commands: string, events: string, 'dead-letters': string },
    ...{ journal: string, redelivered: string, 'take-over-ms': string },
  };
  const { values } = parseArgs({ options: { ...options, json: { type: 'boolean' } } });
  const named = (name: keyof typeof options): string => {
    const value = values[name];
    if (value === undefined) throw new Error(`--${name} is missing`);
    return value;
  };
  const topics = [named('events'), named('dead-letters'), ...named('commands').split(',')];
  const [events = [], deadLetters = [], ...lanes] = await readTopics(named('brokers'), topics);
  const commands = lanes.flat();
  const journal = readFileSync(named('journal'), 'utf8');
  const books = booksOf({ commands, events, deadLetters, journal, redelivered: Number(named('redelivered')) });
  const limit = values['take-over-ms'];
  const faults = [...books.faults, ...(limit === undefined ? unbitten(books) : slow(books, Number(limit)))];
  if (values.json) say(JSON.stringify({ ...books, faults }));
  else print(books, faults);
  return faults.length === 0 ? 0 : 1;
}

function unbitten({ recovered, redelivered }: Books): readonly string[] {
  return [
    ...(recovered === 0 ? ['no intent was recovered: the fault did not bite'] : []),
    ...(redelivered === 0 ? ['no record was redelivered: the fault did not bite'] : []),
  ];
}
function slow({ takeOversMs }: Books, limitMs: number): readonly string[] {
  const p99 = quantile(takeOversMs, 0.99);
  if (takeOversMs.length === 0) return ['nothing was taken over: the rollout moved nothing'];
  return p99 > limitMs ? [`of 100 take-overs the slowest took ${p99} ms, more than ${limitMs}`] : [];
}

function print(books: Books, faults: readonly string[]): void {
  const { faults: _, slowest, takeOversMs, cash, ...figures } = books;
  say('books, from the topics and the journal of the device alone');
  for (const [name, figure] of Object.entries(figures))
    row(
      name.replace(/[A-Z]/g, (it) => ` ${it.toLowerCase()}`),
      figure,
    );
  const until = new Date(slowest.untilMs).toISOString().slice(11, 23);
  row('slowest location', `${(slowest.outageMs / 1_000).toFixed(2)} s`);
  say(`    ${slowest.address}, until ${until}`);
  row('taken over', takeOversMs.length);
  const [p50, p99, most] = [0.5, 0.99, 1].map((share) => (quantile(takeOversMs, share) / 1_000).toFixed(2));
  if (takeOversMs.length > 0)
    say(`    within p50 ${p50} s, p99 ${p99} s, all ${most} s of their last event or their first waiting command`);
  say(`\n  notes              ${PLACES.map((place) => place.replace(/[A-Z]/g, (it) => ` ${it.toLowerCase()}`).padStart(11)).join('')}`);
  for (const name of Object.keys(cash.supplied).sort()) {
    say(`  ${name.padEnd(19)}${PLACES.map((place) => String(cash[place][name] ?? 0).padStart(11)).join('')}`);
  }
  say('');
  for (const fault of faults.slice(0, FAULTS_SHOWN)) say(`  WRONG  ${fault}`);
  if (faults.length > FAULTS_SHOWN) say(`  WRONG  and ${faults.length - FAULTS_SHOWN} more`);
  if (faults.length === 0) say('  cash is conserved in every location and denomination; every command has one outcome');
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
