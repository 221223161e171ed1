/** What the world outside does to a fleet: records, calls, reads and an operator's actions, step by step as a workload has them. */

import { isDeepStrictEqual } from 'node:util';
import type { Acted, Action } from '../../src/desk.ts';
import { LocusError } from '../../src/errors.ts';
import type { Chance } from './chance.ts';
import type { Node } from './node.ts';
import { topics } from './stage.ts';
import type { Step } from './step.ts';
import type { World } from './world.ts';

type CallStep = Extract<Step, { readonly do: 'call' }>;
type ActStep = Extract<Step, { readonly do: 'act' }>;
const TRIES = 6;
const AGAIN_MS = 400;
/** How long a client waits longer than it asked the fleet to. */
const PATIENCE_MS = 3_000;

export class Clients {
  /** Calls without an answer yet. */
  pending = 0;
  readonly #world: World;
  readonly #chance: Chance;
  /** By client and address, the highest seq it saw. */
  readonly #seen = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
    this.#chance = world.kernel.chance('clients');
  }

  run(step: Step): void {
    this.#world.count(`steps ${step.do}`);
    switch (step.do) {
      case 'record': {
        const record = this.#world.log.produce(topics[step.topic], step, step.partition);
        this.#world.hear({ kind: 'produced', who: 'client', record });
        return;
      }
      case 'call':
        return void this.#call(step);
      case 'read':
        return void this.#read(step.client, step.address, step.query);
      case 'act':
        return void this.#act(step);
      case 'raise':
        return void this.#anyone()
          ?.ask('raise', () => this.#anyone()?.desk.raiseGeneration('a step') as Promise<Acted>)
          .catch(() => {});
    }
  }

  /** As an HTTP client: it gives up an answer that does not come, and repeats the same key elsewhere. */
  async #call(step: CallStep): Promise<void> {
    const { call, address, commandId, name, input, waitMs } = step;
    const { kernel } = this.#world;
    this.#world.hear({ kind: 'called', call, address, commandId, name, input });
    this.pending++;
    const deadlineMs = step.deadlineInMs === undefined ? undefined : this.#world.outside.now() + step.deadlineInMs;
    const ifSeq = step.ifSeq === undefined ? undefined : (this.#seen.get(`${step.client} ${address}`) ?? 0);
    const submission = {
      address,
      name,
      commandId,
      input,
      waitMs,
      ...(deadlineMs !== undefined && { deadlineMs }),
      ...(ifSeq !== undefined && { ifSeq }),
    };
    for (let tries = 0; tries < TRIES; tries++) {
      const told = await this.#within(waitMs + PATIENCE_MS, (node) => node.desk.submit(submission)).catch(notNow);
      if (told !== undefined) {
        if (told.kind === 'final') this.#saw(step.client, address, JSON.parse(told.text).seq);
        this.#world.hear({ kind: 'answered', call, answer: told });
        break;
      }
      await new Promise<void>((resolve) => kernel.after(kernel.world, AGAIN_MS * (1 + this.#chance.next()), 'tries again', resolve));
    }
    this.pending--;
  }

  async #read(client: number, address: string, query: string | undefined): Promise<void> {
    const askedMs = this.#world.outside.now();
    const found = await this.#within(PATIENCE_MS, (node) => node.desk.query(address, query)).catch(notNow);
    if (found === undefined || found === 'no-such-query') return;
    this.#world.hear({ kind: 'read', client, address, seq: found.seq, stale: false, askedMs });
    this.#saw(client, address, found.seq);
  }

  async #act(step: ActStep): Promise<void> {
    const { verb, key, because } = step;
    const commandId = step.target === undefined ? step.commandId : this.#target(step.address, step.target);
    const evidence = verb === 'settle' ? this.evidenceOf(step.address, commandId) : undefined;
    if ((step.target !== undefined && commandId === undefined) || (verb === 'settle' && evidence === undefined)) return;
    await this.act(step.address, {
      verb,
      key,
      because,
      ...(commandId !== undefined && { commandId }),
      ...(evidence !== undefined && { evidence }),
    });
  }
  async act(address: string, action: Action): Promise<Acted | undefined> {
    const acted = await this.#within(PATIENCE_MS, (node) => node.desk.act(address, action, false)).catch(notNow);
    this.#world.count(`acted ${action.verb} ${acted === undefined ? 'unanswered' : acted.kind === 'acted' ? 'done' : acted.code}`);
    return acted;
  }

  #target(address: string, target: 'parked' | 'open'): string | undefined {
    const text = this.#world.disk.locations.get(address)?.header.get(target === 'open' ? 'intent' : 'parked');
    return text === undefined || text === '' ? undefined : (JSON.parse(text) as { readonly commandId?: string }).commandId;
  }
  /** What an operator finds out at the device: what it did for this command, or that it never will. */
  evidenceOf(address: string, commandId: string | undefined): unknown {
    const id = address.slice(address.indexOf('/') + 1);
    const its = this.#world.device.lines.filter((it) => 'commandId' in it && it.location === id && it.commandId === commandId);
    const line = its.find((it) => it.kind === 'moved');
    if (line?.kind !== 'moved') return its.length === 0 ? undefined : { status: 'failed', code: 'BY_HAND' };
    const intent = this.#world.disk.locations.get(address)?.header.get('intent') ?? '';
    const ordered = intent === '' ? undefined : (JSON.parse(intent) as { readonly order: { readonly notes: object } }).order.notes;
    // What no books can hold is booked as it was ordered; the note too many is for whoever mends the device.
    if (ordered !== undefined && !isDeepStrictEqual(ordered, line.ordered))
      return { status: 'confirmed', result: { status: 'dispensed', notes: ordered } };
    const { status, notes, retracted, rejected } = line;
    if (status === 'failed') return { status: 'failed', code: 'BY_HAND' };
    return { status: 'confirmed', result: { status, notes, retracted, rejected } };
  }

  #saw(client: number, address: string, seq: number): void {
    const name = `${client} ${address}`;
    this.#seen.set(name, Math.max(seq, this.#seen.get(name) ?? 0));
  }
  #anyone(): Node | undefined {
    const up = this.#world.nodes.filter((node) => node.serves);
    return up.length === 0 ? undefined : this.#chance.pick(up);
  }
  /** Undefined: nobody is there, or no answer came. */
  #within<T>(ms: number, work: (node: Node) => Promise<T>): Promise<T | undefined> {
    const node = this.#anyone();
    if (node === undefined) return Promise.resolve(undefined);
    const { kernel } = this.#world;
    return new Promise((resolve, reject) => {
      const alarm = kernel.after(kernel.world, ms, 'a client gives up', () => resolve(undefined));
      node
        .ask('call', () => work(node))
        .finally(() => alarm.cancel())
        .then(resolve, reject);
    });
  }
}

function notNow(error: unknown): undefined {
  if (error instanceof LocusError) return undefined;
  throw error;
}
