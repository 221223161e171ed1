/** A simulated gateway as a process of its own, to be killed. Arguments: the journal's path, the switches as JSON. */
import { startSimulatedGateway } from '../../infra/device/simulated-gateway.ts';
import { systemClock } from '../../src/clock.ts';
import { systemRandom } from '../../src/random.ts';

const [, , journalPath = '', switches = '{}'] = process.argv;
const quiet = () => {};
const { url } = await startSimulatedGateway({
  journalPath,
  switches: JSON.parse(switches),
  clock: systemClock,
  random: systemRandom,
  log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
});
process.stdout.write(`${url}\n`);
