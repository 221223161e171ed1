/** The contracts over TLS, by users who have the rights of docs/links.md and no others. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { redisLeaseStore } from '../../infra/redis/lease-store.ts';
import { redisNotices } from '../../infra/redis/notices.ts';
import { redisRegistry } from '../../infra/redis/registry.ts';
import { redisStateStore } from '../../infra/redis/state-store.ts';
import { systemClock } from '../../src/clock.ts';
import { systemRandom } from '../../src/random.ts';
import { certificates, type SecureRedis, secureRedis } from '../integration/secure.ts';
import { leaseStoreSuite } from './lease-store-suite.ts';
import { quiet } from './quiet.ts';
import { registrySuite } from './registry-suite.ts';
import { stateStoreSuite } from './state-store-suite.ts';

const tools = { clock: systemClock, random: systemRandom, log: quiet };
const PASSWORD = 'of-the-suite';

async function servers<const K extends readonly ('store' | 'lock')[]>(kinds: K) {
  const dir = mkdtempSync(join(tmpdir(), 'locus-secure-'));
  const certs = certificates(dir);
  const nodes = await Promise.all(kinds.map((kind, n) => secureRedis(join(dir, String(n)), certs, kind, PASSWORD)));
  return {
    nodes: nodes as { readonly [I in keyof K]: SecureRedis },
    urls: nodes.map((node) => node.url('locus', PASSWORD)),
    ca: readFileSync(certs.ca, 'utf8'),
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

stateStoreSuite('the state store over TLS', async () => {
  const { nodes, urls, ca, stop } = await servers(['store']);
  const [{ server, tell }] = nodes;
  const [url = ''] = urls;
  return {
    open: () => redisStateStore({ ...tools, url, ca, policy: 'durable', commandTimeoutMs: 500 }),
    restart: () => server.restart(),
    kill: () => server.kill9(),
    freeze: () => server.signal('SIGSTOP'),
    thaw: () => server.signal('SIGCONT'),
    flush: async () => void (await tell('FLUSHALL')),
    forgetScripts: async () => void (await tell('SCRIPT', 'FLUSH')),
    stop,
  };
});

registrySuite('the registry and the notices over TLS', async () => {
  const { nodes, urls, ca, stop } = await servers(['store']);
  const [{ server, tell }] = nodes;
  const options = { ...tools, url: urls[0] ?? '', ca };
  return {
    registry: () => redisRegistry(options),
    notices: () => redisNotices(options),
    kill: () => server.kill9(),
    restart: () => server.restart(),
    flush: async () => void (await tell('FLUSHALL')),
    stop,
  };
});

leaseStoreSuite('the lease store over TLS', async () => {
  const { nodes, urls, ca, stop } = await servers(['lock', 'lock', 'lock']);
  const killed = new Set<number>();
  const at = (n: number) => nodes[n] as SecureRedis;
  return {
    open: () => redisLeaseStore({ ...tools, urls, ca }),
    async kill(n) {
      killed.add(n);
      await at(n).server.kill9();
    },
    silence: async (n) => at(n).server.signal('SIGSTOP'),
    async revive(n) {
      if (killed.delete(n)) await at(n).server.restart();
      else at(n).server.signal('SIGCONT');
    },
    plant: async (n, { address, holder }, ttlMs) => void (await at(n).tell('SET', `lease:${address}`, holder, 'PX', String(ttlMs))),
    async clear() {
      for (const n of [0, 1, 2]) await at(n).tell('FLUSHALL');
    },
    stop,
  };
});
