/** A replica of shelves as a program: its argument says which version of the actor it has. */
import { environment, readConfig } from '../../src/config.ts';
import { run } from '../../src/main.ts';
import { first, second } from '../versions/shelf.ts';

process.exitCode = await run(readConfig(environment()), [process.argv[2] === '2' ? second : first]);
process.exit();
