/** The course of one run: workload and faults side by side for so many steps, then calm, until nothing is pending. */
import type { Action } from '../../src/desk.ts';
import { Clients } from './clients.ts';
import { type Fault, faults, natureOf } from './faults.ts';
import { Violation } from './happening.ts';
import { Harming } from './harm.ts';
import { GROUP, topics } from './stage.ts';
import type { Step } from './step.ts';
import type { World } from './world.ts';

/** Everything pending must end in this time once all faults have stopped, ms of the world. */
const CALM_MS = 15 * 60_000;
/** What does not end by itself is settled by hand after this time. */
const BY_HAND_MS = 60_000;
const LOOK_MS = 500;
const SIZE_MS = 1_000;

export type CourseOptions = {
  readonly steps: number;
  readonly work: Generator<Step>;
  /** No faults at all, or of the seed's those with these places; left out: all of them. */
  readonly only?: readonly number[];
};

export class Course {
  over = false;
  /** Actions of the workload and of the faults so far. */
  steps = 0;
  /** Those of the seed's faults that were applied, or armed, by their places. */
  readonly applied: { readonly place: number; readonly fault: Fault }[] = [];
  readonly #world: World;
  readonly #options: CourseOptions;
  readonly #clients: Clients;
  readonly #harming: Harming;
  readonly #faults: Generator<Fault>;
  #place = 0;
  #work: Step | undefined;
  #fault: Fault | undefined;
  #calmSinceMs = 0;
  #byHand = 0;

  constructor(world: World, options: CourseOptions) {
    this.#world = world;
    this.#options = options;
    this.#clients = new Clients(world);
    const chance = world.kernel.chance('faults');
    const nature = natureOf(chance.fork('nature'));
    const isCalm = options.only?.length === 0;
    this.#harming = new Harming(world, isCalm ? { ...nature, base: {}, device: {}, log: {} } : nature);
    this.#faults = faults(chance, nature, world.settings.replicas);
  }

  begin(): void {
    this.#measure();
    this.#next();
  }

  #next(): void {
    const { kernel } = this.#world;
    this.#work ??= this.#options.work.next().value as Step | undefined;
    this.#fault ??= this.#faults.next().value as Fault;
    const work = this.#work;
    const fault = this.#fault;
    // A workload may end; faults alone are no work.
    if (work === undefined || this.steps >= this.#options.steps) {
      this.#calm();
      return;
    }
    const isWork = work.atMs <= fault.atMs;
    kernel.after(kernel.world, (isWork ? work : fault).atMs - kernel.nowMs, isWork ? 'step' : 'fault', () => {
      this.steps++;
      if (isWork) {
        this.#work = undefined;
        this.#clients.run(work);
      } else {
        this.#fault = undefined;
        this.#apply(fault);
      }
      this.#next();
    });
  }
  #apply(fault: Fault): void {
    const place = this.#place++;
    if (this.#options.only?.includes(place) === false) return;
    this.applied.push({ place, fault });
    this.#harming.apply(fault);
  }

  #measure(): void {
    const { kernel, nodes } = this.#world;
    for (const { who, state, replica } of nodes)
      if (state === 'up') {
        const [residents, mailbox, inflight] = [replica.router.size, replica.router.waiting().depth, replica.delivery.inflight];
        this.#world.hear({ kind: 'sized', who, residents, mailbox, inflight });
      }
    kernel.after(kernel.world, SIZE_MS, 'sizes', () => this.#measure());
  }

  // ── Once faults have stopped ──

  #calm(): void {
    const { kernel } = this.#world;
    this.#harming.calm();
    this.#calmSinceMs = kernel.nowMs;
    const said = () => {
      if (this.#world.nodes.every((node) => node.state === 'up') && this.#world.nodes.length === this.#harming.wanted) {
        this.#world.hear({ kind: 'calm' });
        kernel.after(kernel.world, LOOK_MS, 'looks', () => this.#look());
      } else if (this.#isLate()) kernel.fail(new Violation('I10', `not all replicas are up ${CALM_MS} ms after the last fault`));
      else kernel.after(kernel.world, LOOK_MS, 'looks', said);
    };
    said();
  }
  #isLate(): boolean {
    return this.#world.kernel.nowMs - this.#calmSinceMs > CALM_MS;
  }
  #look(): void {
    const { kernel } = this.#world;
    const left = this.#pending();
    if (left === undefined) {
      this.over = true;
      return;
    }
    if (this.#isLate()) kernel.fail(new Violation('I10', `still pending ${CALM_MS} ms after the last fault: ${left}`));
    if (kernel.nowMs - this.#calmSinceMs > BY_HAND_MS && this.#byHand++ % 20 === 0) this.#settleByHand();
    kernel.after(kernel.world, LOOK_MS, 'looks', () => this.#look());
  }

  /** The first thing that has not come to an end. */
  #pending(): string | undefined {
    const { disk, log, settings } = this.#world;
    if (this.#clients.pending > 0) return `${this.#clients.pending} clients wait`;
    for (const topic of [topics.commands, topics.bulk])
      for (let partition = 0; partition < settings.partitions; partition++) {
        const high = log.high({ topic, partition });
        // Whoever begins where the store says that all is done has nothing to commit.
        const applied = disk.applied.get(JSON.stringify([GROUP, topic, partition]))?.offset ?? 0;
        const committed = Math.max(applied, log.committed(GROUP, { topic, partition }) ?? 0);
        if (committed < high) return `${topic}/${partition} is committed to ${committed} of ${high}`;
      }
    for (const [address, at] of disk.locations) {
      const held = (['intent', 'parked', 'frozen', 'paused'] as const).find((name) => (at.header.get(name) ?? '') !== '');
      if (held !== undefined) return `${address} has ${held} ${at.header.get(held)}`;
      const published = this.#world.published.get(address) ?? 0;
      if (published < at.seq) return `${address} has published ${published} of ${at.seq}`;
      if (at.inbox.customer.size + at.inbox.bulk.size > 0) return `${address} has an inbox`;
    }
    return undefined;
  }

  /** As an operator does with what the fleet shows: evidence from the device's own journal, and an end to what is parked. */
  #settleByHand(): void {
    const because = 'the faults are over';
    for (const [address, at] of this.#world.disk.locations) {
      const has = (name: string) => (at.header.get(name) ?? '') !== '';
      const act = (action: Omit<Action, 'key' | 'because'>) =>
        void this.#clients.act(address, { key: `by-hand-${address}-${this.#byHand}-${action.verb}`, because, ...action });
      const idIn = (name: string) => (JSON.parse(at.header.get(name) ?? '{}') as { readonly commandId: string }).commandId;
      if (has('paused')) act({ verb: 'resume' });
      else if (has('frozen') && !(at.header.get('intent') ?? '').includes('"unbooked"')) act({ verb: 'unfreeze' });
      else if (has('parked')) act({ verb: 'drop', commandId: idIn('parked') });
      else if (has('intent')) {
        const evidence = this.#clients.evidenceOf(address, idIn('intent'));
        if (evidence !== undefined) act({ verb: 'settle', commandId: idIn('intent'), evidence });
      }
    }
  }
}
