/** One seed: a world, its workload and its faults for so many steps, then calm, until nothing is pending. */
import { type Chance, chance } from './chance.ts';
import { Course } from './course.ts';
import type { Fault } from './faults.ts';
import { type MakeChecker, Violation } from './happening.ts';
import { settingsOf } from './settings.ts';
import type { Leases } from './stage.ts';
import type { Step } from './step.ts';
import { forgetting } from './systems.ts';
import { World, type WorldOptions } from './world.ts';

export type Ask = {
  readonly seed: number;
  readonly steps: number;
  readonly leases?: Leases;
  /** Of the seed's faults only those with these places. */
  readonly only?: readonly number[];
  /** Keep every line of the trace. */
  readonly readable?: boolean;
};
/** Who plays, and what must hold. */
export type Play = Pick<WorldOptions, 'actors' | 'carriesEffects'> & {
  readonly work: (chance: Chance) => Generator<Step>;
  readonly checkers: readonly MakeChecker[];
};
export type Report = {
  readonly seed: number;
  readonly steps: number;
  readonly simulatedMs: number;
  readonly events: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly hash: string;
  /** What was applied of the seed's faults, by their places. */
  readonly faults: readonly { readonly place: number; readonly fault: Fault }[];
  readonly violation?: { readonly invariant: string; readonly message: string };
  readonly trace?: readonly string[];
};

export const played = (ask: Ask, play: Play): Promise<Report> => forgetting(() => run(ask, play));

async function run(ask: Ask, play: Play): Promise<Report> {
  const { actors, carriesEffects, checkers } = play;
  const settings = settingsOf(chance(ask.seed, 'settings'));
  const world = await World.create({ seed: ask.seed, settings, leases: ask.leases ?? 'honest', actors, carriesEffects, checkers });
  const { kernel } = world;
  if (ask.readable) kernel.trace.lines = [];
  const work = play.work(kernel.chance('workload'));
  const course = new Course(world, { steps: ask.steps, work, ...(ask.only && { only: ask.only }) });
  let violation: Report['violation'];
  try {
    course.begin();
    await kernel.run(() => course.over);
    world.end();
  } catch (error) {
    violation = violated(error);
  }
  return {
    seed: ask.seed,
    steps: course.steps,
    simulatedMs: Math.round(kernel.nowMs),
    events: kernel.events,
    counts: world.counts,
    hash: kernel.trace.hash,
    faults: course.applied,
    ...(violation && { violation }),
    ...(kernel.trace.lines && { trace: kernel.trace.lines }),
  };
}

/** A throw that nobody caught would end a process of production: that is a defect too. */
function violated(error: unknown): NonNullable<Report['violation']> {
  if (error instanceof Violation) return { invariant: error.invariant, message: error.message };
  return { invariant: 'crash', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
