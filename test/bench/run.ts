/** `npm run bench -- W1|W2|memory|lanes|embedded [--runs N] [--records N]`: product beside ceiling from one run; exits 1 below the bar. */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { embedded } from './embedded.ts';
import { type Ground, ground } from './ground.ts';
import { lanes } from './lanes.ts';
import { memory } from './memory.ts';
import { type Measured, w1 } from './w1.ts';
import { w2 } from './w2.ts';

const GIB = 2 ** 30;
const say = (line: string) => process.stdout.write(`${line}\n`);
const whole = (figure: number) => Math.round(figure).toLocaleString('en');
const median = (figures: readonly number[]): number => {
  const sorted = [...figures].sort((a, b) => a - b);
  const [low = Number.NaN, high = low] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return (low + high) / 2;
};

const EMBEDDED_BAR = 2_000;
const EMBEDDED = { runs: 3, records: 20_000 };

/** `bar` is the least that product may be of its ceiling. */
const ratios = {
  W1: {
    bar: 0.2,
    records: 300_000,
    runs: 5,
    measure: w1,
    what: 'commands/s, each with an acknowledged event',
    ceiling: 'raw idempotent producer, same records',
  },
  W2: {
    bar: 0.7,
    records: 300_000,
    runs: 5,
    measure: w2,
    what: 'dispenses/s, the device being a timer in the replica: no gateway over HTTP',
    ceiling: 'limit, 200 locations / 20 ms',
  },
} as const;

/** Each run stands on services of its own: what earlier ones left in the store, in the log and in the page cache is not what is measured. */
async function onFresh<T>(measure: (on: Ground) => Promise<T>): Promise<T> {
  const on = await ground();
  try {
    return await measure(on);
  } finally {
    await on.stop();
  }
}

async function ratio(name: keyof typeof ratios, runs: number, records: number): Promise<boolean> {
  const { bar, measure, what, ceiling } = ratios[name];
  const all: Measured[] = [];
  for (let n = 1; n <= runs; n++) {
    const one = await onFresh((on) => measure(on, records));
    all.push(one);
    say(
      `  run ${n}  product ${whole(one.product).padStart(8)}  ceiling ${whole(one.ceiling).padStart(8)}  ratio ${(one.product / one.ceiling).toFixed(3)}  replica ${one.cpuUs.toFixed(0)} µs of CPU each${one.raw === undefined ? '' : `  raw ${whole(one.raw).padStart(7)}`}`,
    );
  }
  const middle = median(all.map((one) => one.product / one.ceiling));
  say(`${name} product   ${whole(median(all.map((one) => one.product))).padStart(8)} ${what}`);
  const raws = all.flatMap(({ raw }) => (raw === undefined ? [] : [raw]));
  if (raws.length > 0)
    say(`${name} raw       ${whole(median(raws)).padStart(8)} without Locus, as many commits and events of the same size in one process`);
  say(`${name} ceiling   ${whole(median(all.map((one) => one.ceiling))).padStart(8)} ${ceiling}`);
  say(
    `${name} ratio     ${middle.toFixed(3).padStart(8)} median of ${runs}, the bar is ${bar.toFixed(2)}: ${middle >= bar ? 'passed' : 'MISSED'}`,
  );
  return middle >= bar;
}

/** Needs neither broker nor store. */
async function alone(runs: number, commands: number): Promise<boolean> {
  const all: Awaited<ReturnType<typeof embedded>>[] = [];
  for (let n = 1; n <= runs; n++) {
    const one = await embedded(commands);
    all.push(one);
    say(
      `  run ${n}  loads ${whole(one.loads).padStart(7)}  dispenses ${whole(one.dispenses).padStart(7)}  raw commits ${whole(one.raw).padStart(7)}  ${one.cpuUs.toFixed(0)} µs of CPU a load`,
    );
  }
  const middle = (what: (one: (typeof all)[number]) => number) => median(all.map(what));
  const loads = middle((one) => one.loads);
  say(`embedded loads      ${whole(loads).padStart(8)} commands/s over HTTP, each answered once it is on disk`);
  say(
    `embedded dispenses  ${whole(middle((one) => one.dispenses)).padStart(8)} commands/s, the simulated device in the process, over HTTP with a journal of its own`,
  );
  say(`embedded raw        ${whole(middle((one) => one.raw)).padStart(8)} commits/s of one row by themselves, same settings, same disk`);
  const isGood = loads >= EMBEDDED_BAR;
  say(`embedded: median of ${runs}, the bar is ${whole(EMBEDDED_BAR)} loads/s: ${isGood ? 'passed' : 'MISSED'}`);
  return isGood;
}

async function resident(locations: number): Promise<boolean> {
  const { resident: many, bytes } = await onFresh((on) => memory(on, locations));
  const isGood = many >= locations && bytes <= GIB;
  say(
    `memory ${whole(many)} resident locations in ${whole(bytes / 2 ** 20)} MiB, ${(bytes / many / 1024).toFixed(1)} KiB each; the bar is 1,024 MiB: ${isGood ? 'passed' : 'MISSED'}`,
  );
  return isGood;
}

const RAISED_MAX = 1.5;
async function besideBulk(records: number): Promise<boolean> {
  const { aloneMs, besideMs, bulk } = await onFresh((on) => lanes(on, records));
  const isGood = besideMs <= aloneMs * RAISED_MAX;
  say(
    `lanes customers' p99 ${aloneMs.toFixed(1)} ms alone, ${besideMs.toFixed(1)} ms beside ${whole(records)} bulk commands at ${whole(bulk)}/s: ${(besideMs / aloneMs).toFixed(2)} times; the bar is ${RAISED_MAX}: ${isGood ? 'passed' : 'MISSED'}`,
  );
  return isGood;
}

async function main(): Promise<number> {
  const string = { type: 'string' } as const;
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { runs: string, records: string } });
  const names = positionals.length === 0 ? ['W1', 'W2', 'memory', 'lanes'] : positionals;
  const own = ['memory', 'lanes', 'embedded'];
  const strange = names.filter((name) => !own.includes(name) && !Object.hasOwn(ratios, name));
  if (strange.length > 0)
    throw new Error(`no such workload: ${strange.join(', ')}; there are ${[...Object.keys(ratios), ...own].join(', ')}`);
  say(`node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}; load, product and what it stands on share them`);
  let isGood = true;
  if (names.includes('embedded')) isGood = await alone(Number(values.runs ?? EMBEDDED.runs), Number(values.records ?? EMBEDDED.records));
  for (const name of names) {
    if (name === 'memory') isGood = (await resident(Number(values.records ?? 100_000))) && isGood;
    else if (name === 'lanes') isGood = (await besideBulk(Number(values.records ?? 100_000))) && isGood;
    else if (name !== 'embedded') {
      const kind = name as keyof typeof ratios;
      isGood = (await ratio(kind, Number(values.runs ?? ratios[kind].runs), Number(values.records ?? ratios[kind].records))) && isGood;
    }
  }
  return isGood ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
