import { embeddedStateStore } from '../../infra/embedded/state-store.ts';
import { systemRandom } from '../../src/random.ts';
import { embeddedWorld } from './embedded-world.ts';
import { stateStoreSuite } from './state-store-suite.ts';

stateStoreSuite('the state store in the embedded file', async () => {
  const { file, flush, stop } = embeddedWorld();
  return {
    open: () => embeddedStateStore(file, { random: systemRandom }),
    async restart() {
      file.close();
      file.open();
    },
    kill: async () => file.close(),
    freeze() {
      file.lying = true;
    },
    thaw() {
      file.lying = false;
      file.open();
    },
    flush,
    forgetScripts: async () => {},
    stop,
  };
});
