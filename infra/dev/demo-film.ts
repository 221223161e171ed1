/** Looks at the fleet of the demo again and again while it runs, for the picture that is drawn of it. */
import type { Film, Frame } from './demo-picture.ts';
import { type Show, said } from './demo-stage.ts';
import { metric } from './processes.ts';

const LOOK_MS = 200;

export function startFilm(show: Show): { end(figures: Film['figures']): Film } {
  const startedMs = Date.now();
  const frames: Frame[] = [];
  const look = async () => {
    const alive = [...show.replicas];
    const open = await Promise.all(
      alive.map(async ([id, replica]) => [`replica-${id}`, await metric(replica, 'locus_open_intents')] as const),
    );
    const { done, refused } = show.watch.figures;
    frames.push({ atMs: Date.now() - startedMs, decided: done + refused, underWay: Object.fromEntries(open) });
  };
  const timer = setInterval(() => void look(), LOOK_MS);
  return {
    end(figures) {
      clearInterval(timer);
      const told = said.filter(({ atMs }) => atMs >= startedMs).map(({ atMs, what }) => ({ atMs: atMs - startedMs, what }));
      const overMs = frames.find(({ decided }) => decided >= figures.accepted)?.atMs ?? Number.POSITIVE_INFINITY;
      return { frames: frames.filter(({ atMs }) => atMs <= overMs), told, figures };
    },
  };
}
