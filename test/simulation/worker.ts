/** A thread that runs one seed after another, as it is asked. */
import { parentPort } from 'node:worker_threads';
import { simulated } from './cash.ts';
import type { Ask } from './run.ts';

// A world throws often and nobody looks at where: a seed that fails is run again by whoever asked, with traces.
Error.stackTraceLimit = 0;

parentPort?.on('message', async (ask: Ask) => parentPort?.postMessage(await simulated(ask)));
