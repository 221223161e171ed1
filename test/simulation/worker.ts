/** A thread that runs one seed after another, as it is asked. */
import { parentPort } from 'node:worker_threads';
import { simulated } from './cash.ts';
import type { Ask } from './run.ts';

parentPort?.on('message', async (ask: Ask) => parentPort?.postMessage(await simulated(ask)));
