import { defineConfig } from 'vitest/config';

/** Tests over real Kafka and Redis: they alone pay for starting them. */
const real = ['test/integration/**/*.test.ts', 'test/contract/**/{kafka,redis}*.test.ts'];
const everything = ['test/**/*.test.ts'];
const never = ['dist/**', 'node_modules/**'];

export default defineConfig({
  test: {
    reporters: ['default', ['json', { outputFile: 'dist/test-result.json' }]],
    projects: [
      {
        test: {
          name: 'unit',
          include: everything,
          exclude: [...never, ...real],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'integration',
          include: real,
          exclude: never,
          globalSetup: ['test/setup/services.ts'],
          // One file at a time: each runs several processes, and a fault must not meet another test's load.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
