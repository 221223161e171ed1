/** Looks into the topics of the embedded file for people: in the process that holds the file, as nobody else can. */
import type { Archive } from '../../src/ports.ts';
import type { EmbeddedFile } from './file.ts';
import type { EmbeddedLog } from './log.ts';

/** The loop stands still while a page is read: about 5 ms. */
const PAGE = 500;

/** Tells nothing that is not on disk yet. */
export function embeddedArchive(file: EmbeddedFile, log: EmbeddedLog): Archive {
  return {
    stop: async () => {},
    bounds: (topic) => file.read(() => log.shelves(topic).map(({ low, high }) => ({ low, high }))),
    read: (at, from) =>
      file.read(() => {
        const shelf = log.shelf(at);
        const first = Math.max(from, shelf.low);
        const next = Math.min(first + PAGE, shelf.high);
        if (next <= first) return { records: [], next: from };
        return { records: Array.from({ length: next - first }, (_, n) => shelf.at(first + n) ?? []).flat(), next };
      }),
  };
}
