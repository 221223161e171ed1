/** `npm run fuzz [-- --count N --seed N]`: so many requests and records, in rounds, each from a seed of its own. Exit 1 at the first that finds something. */
import { parseArgs } from 'node:util';
import { round } from './round.ts';

const ROUND = 2_000;
const { values } = parseArgs({ options: { count: { type: 'string', default: '200000' }, seed: { type: 'string', default: '1' } } });
const [count, from] = [Number(values.count), Number(values.seed)];
if (!(Number.isSafeInteger(count) && count > 0 && Number.isSafeInteger(from))) {
  process.stderr.write('fuzz: --count and --seed must be whole numbers\n');
  process.exit(2);
}

const total = { requests: 0, records: 0, accepted: 0, refused: 0, dispensed: 0 };
const beganMs = Date.now();
for (let seed = from; total.requests + total.records < count; seed++) {
  const tally = await round({ seed, cases: Math.min(ROUND, count - total.requests - total.records) });
  for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += tally[key];
  if ((seed - from) % 10 === 9)
    process.stdout.write(`${total.requests + total.records} after ${((Date.now() - beganMs) / 1_000).toFixed(0)} s\n`);
}
process.stdout.write(
  `${total.requests} requests (${total.accepted} accepted, ${total.refused} refused) and ${total.records} records, cash dispensed ${total.dispensed} times: nothing found, ${((Date.now() - beganMs) / 1_000).toFixed(0)} s\n`,
);
