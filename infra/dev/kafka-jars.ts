/** The jars of a Kafka broker: fetched once by Maven into the project's own cache, then used as they lie there. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tool } from './tools.ts';

const FETCH = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/** The folder of the jars that infra/dev/kafka/pom.xml names; another pom has another folder. */
export function kafkaJars(): string {
  const root = projectRoot(dirname(fileURLToPath(import.meta.url)));
  const pom = join(root, 'infra', 'dev', 'kafka', 'pom.xml');
  const version = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 12);
  const services = join(root, '.services');
  const jars = join(services, `kafka-jars-${version}`);
  if (existsSync(jars)) return jars;
  mkdirSync(services, { recursive: true });
  // Fetched aside and moved into place whole, so that two that start at once never see half a set.
  const aside = mkdtempSync(join(services, 'fetching-'));
  try {
    fetch(pom, aside);
    if (!existsSync(jars)) renameSync(aside, jars);
  } catch (error) {
    if (!existsSync(jars)) throw error;
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  return jars;
}

function fetch(pom: string, folder: string): void {
  const goal = ['-q', '-B', '-f', pom, FETCH, `-DoutputDirectory=${folder}`, '-DincludeScope=runtime'];
  try {
    execFileSync(tool('mvn'), goal, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    throw new Error(`Maven could not fetch the jars that ${pom} names: is its repository within reach?`, { cause: error });
  }
}

/** Compiled code lies in dist/, which has no package.json of its own. */
function projectRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('no package.json above this file: where is the project?');
  return projectRoot(parent);
}
