/** The archive's memory twin: what the world of the memory log holds, some records at a time. */
import { LocusError } from '../../src/errors.ts';
import type { Archive } from '../../src/ports.ts';
import type { World } from './log-world.ts';

/** Few, so that whoever reads has to go on. */
const PAGE = 2;

export function memoryArchive(world: World): Archive {
  const there = () => {
    if (world.fault === 'down' || world.faults.away) throw new LocusError('LOG_DOWN', 'the log is away');
  };
  return {
    stop: async () => {},
    async bounds(topic) {
      there();
      return world.shelves(topic).map(({ low, high }) => ({ low, high }));
    },
    async read(at, from) {
      there();
      const shelf = world.shelf(at);
      const first = Math.max(from, shelf.low);
      const next = Math.min(first + PAGE, shelf.high);
      if (next <= first) return { records: [], next: from };
      return { records: Array.from({ length: next - first }, (_, n) => shelf.at(first + n) ?? []).flat(), next };
    },
  };
}
