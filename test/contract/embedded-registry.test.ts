import { embeddedRegistry } from '../../infra/embedded/registry.ts';
import { memoryDisk } from '../../infra/memory/disk.ts';
import { memoryNotices } from '../../infra/memory/notices.ts';
import { systemClock } from '../../src/clock.ts';
import { embeddedWorld } from './embedded-world.ts';
import { registrySuite } from './registry-suite.ts';

// As the embedded mode has them: one registry in the one process, over the file, and notices that never leave memory.
registrySuite('the registry in the embedded file, with notices in memory', async () => {
  const { file, flush, stop } = embeddedWorld();
  const disk = memoryDisk(systemClock);
  let registry = embeddedRegistry(file);
  return {
    registry: () => registry,
    notices: () => memoryNotices(disk),
    async kill() {
      file.close();
      disk.goDown();
    },
    async restart() {
      file.open();
      disk.restart();
    },
    async flush() {
      await flush();
      registry = embeddedRegistry(file);
    },
    stop,
  };
});
