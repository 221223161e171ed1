/** Your actor under the simulator: the shipping runtime, three replicas, virtual time, and every fault that one seed draws. */
import { type Actor, type Bound, bind, type Handlers } from '../../src/actor.ts';
import { encodeCommand } from '../../src/message/codec.ts';
import type { Chance } from '../simulation/chance.ts';
import { genericInvariants } from '../simulation/checkers/invariants.ts';
import { START_MS } from '../simulation/kernel.ts';
import { failure, Tally } from '../simulation/report.ts';
import { type Ask, type Play, played } from '../simulation/run.ts';
import { shrunk } from '../simulation/shrink.ts';
import type { Step } from '../simulation/step.ts';

/** One command; without a commandId it gets one of its own. */
type Order<I> = {
  readonly [K in keyof I]: { readonly id: string; readonly command: K; readonly input: I[K]; readonly commandId?: string };
}[keyof I];
export type SimulateOptions<A, I> = {
  /** The next command, drawn by `chance` alone: the same seed must give the same commands. */
  readonly workload: (chance: Chance) => Order<I>;
  /** What stands for the outside, made anew for each seed. Calls to it are lost, delayed and repeated on their way, never by it. */
  readonly handlers?: () => Handlers<A>;
  /** How many seeds, from which on, and how many actions (commands and faults) each. */
  readonly seeds?: number;
  readonly from?: number;
  readonly steps?: number;
};
export type Simulated = { readonly seeds: number; readonly simulatedMs: number; readonly counts: Readonly<Record<string, number>> };

/** Throws with the seed, the broken invariant and the smallest set of faults that still breaks it. */
export async function simulate<S, E, F, X, I, R, Q>(
  actor: Actor<S, E, F, X, I, R, Q>,
  options: SimulateOptions<Actor<S, E, F, X, I, R, Q>, I>,
): Promise<Simulated> {
  const { seeds = 20, from = 1, steps = 300 } = options;
  const tally = new Tally(() => 0);
  for (let seed = from; seed < from + seeds; seed++) {
    const ask: Ask = { seed, steps };
    const play = () => playOf(actor, options);
    const report = await played(ask, play());
    tally.add(report);
    if (report.violation === undefined) continue;
    const small = await shrunk(ask, report, (smaller) => played(smaller, play()));
    throw new Error(
      [...failure(small.ask, small.report).slice(0, -1), `  simulate(…, { from: ${seed}, seeds: 1, steps: ${steps} })`].join('\n'),
    );
  }
  return { seeds: tally.seeds, simulatedMs: tally.simulatedMs, counts: Object.fromEntries(tally.counts) };
}

function playOf<S, E, F, X, I, R, Q>(
  actor: Actor<S, E, F, X, I, R, Q>,
  { workload, handlers }: SimulateOptions<Actor<S, E, F, X, I, R, Q>, I>,
): Play {
  const bound: Bound = bind(actor, handlers === undefined ? ({} as never) : handlers());
  return {
    actors: () => () => [bound],
    carriesEffects: true,
    work: (its) => steps(actor.type, its, workload as (chance: Chance) => Order<Record<string, object>>),
    checkers: genericInvariants([actor as never]),
  };
}

const MEAN_MS = 150;
const WAIT_MS = 2_000;

/** Commands as records and as calls, some of them repeated, at times in bursts and at times far apart. */
function* steps(type: string, its: Chance, workload: (chance: Chance) => Order<Record<string, object>>): Generator<Step> {
  const made: { readonly address: string; readonly name: string; readonly commandId: string; readonly input: object }[] = [];
  let atMs = 1_000;
  for (let n = 1; ; n++) {
    atMs += its.odds(0.01) ? its.next() * 60_000 : its.next() * 2 * MEAN_MS;
    const { id, command, input, commandId = `c-${n}` } = workload(its);
    const fresh = { address: `${type}/${id}`, name: command, commandId, input };
    const next = made.length > 0 && its.odds(0.1) ? its.pick(made) : fresh;
    if (next === fresh) made.push(fresh);
    if (its.odds(0.1)) yield { atMs, do: 'read', client: its.below(3), address: next.address };
    else if (its.odds(0.4)) yield { atMs, do: 'call', call: n, client: its.below(3), waitMs: WAIT_MS, ...next };
    else
      yield {
        atMs,
        do: 'record',
        topic: its.odds(0.2) ? 'bulk' : 'commands',
        ...encodeCommand({ ...next, source: 'simulate', time: TIME }),
      };
  }
}
const TIME = new Date(START_MS).toISOString();
