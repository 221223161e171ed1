/** A fresh fleet of tills with its device for one test, taken down after it. */
import { afterEach } from 'vitest';
import type { Change, Claim, StateStore } from '../../src/ports.ts';
import { fleet } from './fleet.ts';
import { mood, TillDevice } from './till.ts';

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  mood.throws = 0;
  mood.settleThrows = false;
  for (const it of running.splice(0)) await it.stop();
});

export function setup(options: Parameters<typeof fleet>[1] = {}) {
  const device = new TillDevice();
  const it = fleet(device.bound(), options);
  running.push(it);
  const types = (id: string) => it.events(id).map((event) => event.type.slice('till.'.length));
  return { ...it, device, types };
}

/** A gate that a test holds shut until it releases it. */
export function held(): { readonly gate: Promise<void>; release(): void } {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { gate, release };
}

/** The store with some of its calls replaced, the others as they are. */
export const bent =
  (bend: (store: StateStore) => Partial<StateStore>) =>
  (store: StateStore): StateStore => {
    const bends = bend(store);
    return new Proxy(store, { get: (target, name) => Reflect.get(bends, name) ?? Reflect.get(target, name) });
  };

/** A store that is told of some commits, or of all, once the gate is open. */
export const slow = (gate: Promise<void>, isMeant: (claim: Claim, change: Change) => boolean = () => true) =>
  bent((store) => ({
    async commit(claim, change) {
      if (isMeant(claim, change)) await gate;
      return store.commit(claim, change);
    },
  }));
