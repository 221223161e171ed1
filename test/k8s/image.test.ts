import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { copyOf, last, stages, visible } from './dockerfile.ts';
import { container } from './manifests.ts';

const root = join(import.meta.dirname, '../..');
const started = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } }).scripts.start;
const [build, image, ...others] = stages();
const copies = (stage = build) => (stage?.instructions ?? []).filter(({ verb }) => verb === 'COPY').map(({ rest }) => copyOf(rest));
const runs = (stage = build) => (stage?.instructions ?? []).filter(({ verb }) => verb === 'RUN').map(({ rest }) => rest);

describe('the image', () => {
  it('is built in one stage and run from another, of the same Debian', () => {
    expect(others).toEqual([]);
    expect([build?.name, build?.base, image?.base]).toEqual([
      'build',
      expect.stringMatching(/^node:20\.\d+-bookworm-slim$/),
      'debian:bookworm-slim',
    ]);
  });

  it('has no tool to build with: its last stage runs nothing and takes only what it names from the first', () => {
    expect(runs(image)).toEqual([]);
    expect(copies(image).map(({ from }) => from)).toEqual(copies(image).map(() => build?.name));
    expect(copies(image).flatMap(({ sources }) => sources)).toEqual([
      '/usr/local/bin/node',
      '/app/package.json',
      '/app/node_modules',
      ...['src', 'actors', 'infra'].map((wing) => `/app/dist/${wing}`),
      '/app/infra/redis/lua',
    ]);
  });

  it('has the dependencies of production alone, without the compiler', () => {
    expect(runs().at(-1)).toBe('npm ci --omit=dev --ignore-scripts && rm -rf node_modules/typescript node_modules/.bin');
  });

  it('runs as a number that is not root, and starts node itself', () => {
    expect(last(image, 'USER')).toMatch(/^[1-9]\d{4,}:[1-9]\d{4,}$/);
    // What `npm start` runs, flags and all.
    const command = [...JSON.parse(last(image, 'ENTRYPOINT') ?? ''), ...JSON.parse(last(image, 'CMD') ?? '')];
    expect(command.join(' ')).toBe(started);
    expect(command[0]).toBe('node');
    expect(container.args?.slice(-2)).toEqual(JSON.parse(last(image, 'CMD') ?? ''));
    expect(container).not.toHaveProperty('command');
  });
});

describe('what the build sees', () => {
  const sees = visible();
  it('is all that it copies', () => {
    for (const source of copies().flatMap(({ sources }) => sources))
      expect([source, existsSync(join(root, source)), sees(source)]).toEqual([source, true, true]);
    expect(sees('infra/redis/lua/commit-2.lua')).toBe(true);
  });

  it('is nothing else', () => {
    for (const path of [
      '.git/config',
      '.npmrc',
      'node_modules/nact/package.json',
      'dist/src/cli.js',
      'test/config.test.ts',
      'infra/dev/tools.ts',
      'infra/k8s/Dockerfile',
    ])
      expect([path, sees(path)]).toEqual([path, false]);
  });
});
