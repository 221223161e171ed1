/** Hints between replicas of one process: the memory twin of Redis pub/sub. */
import type { Notices } from '../../src/ports.ts';
import type { MemoryDisk } from './disk.ts';

export function memoryNotices(disk: MemoryDisk): Notices {
  const gaps: (() => void)[] = [];
  let stopListening: () => void = () => {};
  let running = false;
  return {
    async start() {
      if (!running) stopListening = disk.onReturn(() => gaps.forEach((missed) => void missed()));
      running = true;
    },
    async stop() {
      running = false;
      stopListening();
    },
    send(channel, text) {
      if (disk.life() === undefined) return;
      disk.clock.soon(() => disk.channels.get(channel)?.forEach((heard) => void heard(text)));
    },
    async listen(channel, heard) {
      const ears = disk.channels.get(channel) ?? new Set();
      ears.add((text) => running && heard(text));
      disk.channels.set(channel, ears);
    },
    onGap: (missed) => void gaps.push(missed),
  };
}
