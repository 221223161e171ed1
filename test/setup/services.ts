/** Starts real Kafka and Redis once for a run that holds tests over them, and hands out where they are. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { outsideOf, startBacking } from '../../infra/dev/backing.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Kafka's bootstrap servers. */
    brokers: string;
    /** The durable store. */
    redisUrl: string;
    /** Three lock nodes, comma-separated. */
    lockUrls: string;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = mkdtempSync(join(tmpdir(), 'locus-test-'));
  const backing = await startBacking(dir, outsideOf(process.env));
  Object.assign(process.env, backing.env);
  project.provide('brokers', backing.env.KAFKA_BROKERS);
  project.provide('redisUrl', backing.env.REDIS_URL);
  project.provide('lockUrls', backing.env.LOCK_REDIS_URLS);
  return async () => {
    await backing.stop();
    rmSync(dir, { recursive: true, force: true });
  };
}
