/** A replica as `locus serve` runs it, but for its device. */
import { environment, readConfig } from '../../src/config.ts';
import { run } from '../../src/main.ts';
import { slowDevice } from './slow-device.ts';

process.exitCode = await run(readConfig(environment()), [slowDevice]);
process.exit();
