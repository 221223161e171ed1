/** Does to a world what its faults say, takes it back in time, and keeps as many replicas running as there should be. */
import type { LockNode } from '../../infra/memory/lock-node.ts';
import { soundLog } from '../../infra/memory/log-faults.ts';
import { soundDevice } from './device.ts';
import type { Fault, Harm, Nature } from './faults.ts';
import type { Point, Weather } from './links.ts';
import type { Node } from './node.ts';
import type { World } from './world.ts';

/** Where one replica runs; whoever supervises it begins another when it is gone. */
type Slot = { replicaId: string; restartMs: number; closed: boolean; renamed: boolean };
type Undo = { readonly alarm: { cancel(): void }; readonly undo: () => void };
const RESTART_MS = 1_000;
const LOCK_SLOW_MS = 150;

export class Harming {
  readonly #world: World;
  readonly #slots: Slot[] = [];
  readonly #undos = new Set<Undo>();
  readonly #base: Partial<Weather>;
  readonly #storms = new Set<Extract<Harm, { readonly kind: 'weather' }>>();
  readonly #device = new Set<object>();
  readonly #log = new Set<object>();
  readonly #nature: Nature;
  /** Faults that wait for somebody to pass their point, and how often that must happen yet. */
  #armed: { readonly fault: Fault; left: number }[] = [];
  readonly #store = { away: 0, dies: false };
  #names = 0;
  #isCalm = false;

  constructor(world: World, nature: Nature) {
    this.#world = world;
    this.#nature = nature;
    this.#base = nature.base;
    world.onPoint = (node, point) => this.#passed(node, point);
    world.onGone = (node) => this.#gone(node);
    this.#weather();
    this.#logIs();
    this.#deviceIs();
    for (let n = 0; n < world.settings.replicas; n++) this.#open();
  }

  /** Now, or once its point is passed often enough. */
  apply(fault: Fault): void {
    if (this.#isCalm) return;
    if (fault.point !== undefined) this.#armed.push({ fault, left: fault.nth ?? 1 });
    else this.#do(fault, this.#at('slot' in fault ? fault.slot : 0));
  }
  /** All faults end for good, and everything that is away comes back. */
  calm(): void {
    this.#isCalm = true;
    this.#armed = [];
    for (const it of [...this.#undos]) this.#undo(it);
    this.#weather();
    this.#logIs();
    this.#world.device.setFault(soundDevice);
    this.#world.storeWakesMs = 0;
  }

  /** How many replicas there should be. */
  get wanted(): number {
    return this.#slots.filter((slot) => !slot.closed).length;
  }

  #passed(node: Node, point: Point): void {
    for (const armed of this.#armed) {
      if (armed.fault.point !== point || --armed.left > 0) continue;
      this.#armed = this.#armed.filter((it) => it !== armed);
      this.#do(armed.fault, node);
      return;
    }
  }

  #do(fault: Fault, node: Node | undefined): void {
    const { kind, atMs, ...detail } = fault;
    const needed = 'slot' in fault;
    if (needed && (node === undefined || node.state === 'gone')) return;
    this.#world.count(`fault ${kind}`);
    this.#world.hear({ kind: 'fault', name: kind, detail: needed ? { ...detail, who: node?.who } : detail });
    const undo = node === undefined || !needed ? this.#toAll(fault) : this.#toOne(fault, node);
    if (undo === undefined || !('forMs' in fault)) return;
    const { kernel } = this.#world;
    const it: Undo = { undo, alarm: kernel.after(kernel.world, fault.forMs, `${kind} ends`, () => this.#undo(it)) };
    this.#undos.add(it);
  }
  #undo(it: Undo): void {
    if (!this.#undos.delete(it)) return;
    it.alarm.cancel();
    it.undo();
  }

  #toOne(harm: Harm, node: Node): (() => void) | undefined {
    const { kernel } = this.#world;
    const { process, who } = node;
    const slot = this.#slots.find((it) => it.replicaId === node.replicaId);
    switch (harm.kind) {
      case 'kill':
        if (slot !== undefined) Object.assign(slot, { restartMs: harm.restartMs, renamed: harm.renamed });
        return void node.kill();
      case 'drain':
        if (slot !== undefined) slot.restartMs = harm.restartMs;
        return void node.drain();
      case 'freeze':
      case 'replace':
        if (process.state !== 'running') return undefined;
        kernel.freeze(process);
        this.#world.hear({ kind: 'frozen', who });
        if (harm.kind === 'replace') this.#world.start(node.replicaId);
        return () => {
          if (process.state !== 'frozen') return;
          kernel.thaw(process);
          this.#world.hear({ kind: 'thawed', who });
        };
      case 'slow':
        process.slowMs = harm.byMs;
        return () => {
          process.slowMs = 0;
        };
      case 'log-cut':
        node.member?.cut(true);
        return () => node.member?.cut(false);
      case 'log-rejoin':
        return void node.member?.restart();
      case 'clock':
        return this.#skew(process, harm.skewMs);
      case 'lapse': {
        const undos = [this.#skew(process, -harm.backMs), ...this.#world.locks.nodes.slice(1).map((lock) => harmLock(lock, 'silent'))];
        return () => {
          for (const undo of undos) undo?.();
        };
      }
      default:
        return undefined;
    }
  }

  #skew(process: Node['process'], byMs: number): () => void {
    process.skewMs += byMs;
    return () => {
      process.skewMs -= byMs;
    };
  }

  #toAll(harm: Harm): (() => void) | undefined {
    const { device, locks } = this.#world;
    switch (harm.kind) {
      case 'join': {
        const slot = this.#open();
        return () => {
          slot.closed = true;
          for (const node of this.#world.nodes) if (node.replicaId === slot.replicaId) node.drain();
        };
      }
      case 'store-restart':
      case 'store-cut':
        return this.#storeAway(harm.kind === 'store-restart');
      case 'weather':
        this.#storms.add(harm);
        this.#weather();
        return () => {
          this.#storms.delete(harm);
          this.#weather();
        };
      case 'store-freeze':
        this.#world.storeWakesMs = Math.max(this.#world.storeWakesMs, this.#world.kernel.nowMs + harm.forMs);
        return undefined;
      case 'log':
        this.#log.add(harm.is);
        this.#logIs();
        return () => {
          this.#log.delete(harm.is);
          this.#logIs();
        };
      case 'lock': {
        const node = locks.nodes[harm.node];
        return node && harmLock(node, harm.is);
      }
      case 'device':
        this.#device.add(harm.is);
        this.#deviceIs();
        return () => {
          this.#device.delete(harm.is);
          this.#deviceIs();
        };
      case 'amnesia':
        return void device.forget();
      case 'device-restart':
        return void device.restart();
      default:
        return undefined;
    }
  }

  /** Several may have taken it away: it is back with the last of them. */
  #storeAway(dies: boolean): () => void {
    const { disk } = this.#world;
    const store = this.#store;
    store.away++;
    store.dies ||= dies;
    disk.goDown();
    return () => {
      if (--store.away > 0) return;
      if (!store.dies) return disk.comeBack();
      store.dies = false;
      disk.restart();
      this.#world.hear({ kind: 'store-restarted', life: disk.life() ?? '' });
    };
  }

  /** Storms over one wire come together: the worst of each. */
  #weather(): void {
    for (const [name, wire] of Object.entries(this.#world.weather)) {
      const base = this.#isCalm ? {} : this.#base;
      Object.assign(wire, { spikes: 0, spikeMs: 0, loseRequest: 0, loseReply: 0, belated: 0 }, base);
      for (const { wire: its, is } of this.#storms)
        if (its === name)
          for (const [key, value] of Object.entries(is)) wire[key as keyof Weather] = Math.max(wire[key as keyof Weather], value);
    }
  }
  #logIs(): void {
    this.#world.log.setFault(Object.assign({}, soundLog, this.#isCalm ? {} : this.#nature.log, ...this.#log));
  }
  #deviceIs(): void {
    this.#world.device.setFault(Object.assign({}, soundDevice, this.#nature.device, ...this.#device));
  }

  // ── Who runs where ──

  #open(): Slot {
    const slot: Slot = { replicaId: `r${++this.#names}`, restartMs: RESTART_MS, closed: false, renamed: false };
    this.#slots.push(slot);
    this.#world.start(slot.replicaId);
    return slot;
  }
  #at(place: number): Node | undefined {
    const slot = this.#slots[place];
    return this.#world.nodes.findLast((node) => node.replicaId === slot?.replicaId);
  }
  #gone(node: Node): void {
    const { kernel } = this.#world;
    const slot = this.#slots.find((it) => it.replicaId === node.replicaId);
    if (slot === undefined || slot.closed || this.#world.nodes.some((it) => it.replicaId === node.replicaId)) return;
    const { restartMs, renamed } = slot;
    slot.restartMs = RESTART_MS;
    slot.renamed = false;
    if (renamed) slot.replicaId = `r${++this.#names}`;
    const again = () => {
      if (slot.closed) return;
      this.#world.count('restarts');
      this.#world.start(slot.replicaId);
    };
    kernel.after(kernel.world, restartMs, 'begins again', again);
  }
}

function harmLock(node: LockNode, is: Extract<Harm, { readonly kind: 'lock' }>['is']): (() => void) | undefined {
  switch (is) {
    case 'down':
      node.up = false;
      return () => {
        node.up = true;
      };
    case 'silent':
      node.silent = true;
      return () => {
        node.silent = false;
      };
    case 'slow':
      node.slowMs = LOCK_SLOW_MS;
      return () => {
        node.slowMs = 0;
      };
    case 'ahead':
      node.aheadMs = 5_000;
      return () => {
        node.aheadMs = 0;
      };
    case 'empty':
      return void node.restart();
  }
}
