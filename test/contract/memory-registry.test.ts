import { memoryDisk } from '../../infra/memory/disk.ts';
import { memoryNotices } from '../../infra/memory/notices.ts';
import { memoryRegistry } from '../../infra/memory/registry.ts';
import { systemClock } from '../../src/clock.ts';
import { registrySuite } from './registry-suite.ts';

registrySuite('the registry and the notices in memory', async () => {
  const disk = memoryDisk(systemClock);
  return {
    registry: () => memoryRegistry(disk),
    notices: () => memoryNotices(disk),
    kill: async () => disk.goDown(),
    restart: async () => disk.restart(),
    flush: async () => disk.flush(),
    stop: async () => {},
  };
});
