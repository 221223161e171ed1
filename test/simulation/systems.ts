/** Lets go of nact's systems: it keeps every one that was ever started, and with it a whole simulated world. */
import { createRequire } from 'node:module';

type Map = { add(system: { readonly name: string }): void; remove(name: string): void };
const map = createRequire(import.meta.url)('nact/lib/system-map.js') as Map;

/** Runs `work`, and forgets the systems that were started meanwhile. */
export async function forgetting<T>(work: () => Promise<T>): Promise<T> {
  const started: string[] = [];
  const { add } = map;
  map.add = (system) => {
    started.push(system.name);
    add(system);
  };
  try {
    return await work();
  } finally {
    map.add = add;
    started.forEach(map.remove);
  }
}
