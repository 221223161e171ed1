/** Who is there, among replicas of one process: the memory twin of the registry in Redis. */
import { LocusError } from '../../src/errors.ts';
import type { Registry, Replica } from '../../src/ports.ts';
import type { MemoryDisk } from './disk.ts';

const FORGET_AFTER_MS = 86_400_000;

export function memoryRegistry(disk: MemoryDisk): Registry {
  const reachable = () => {
    if (disk.life() === undefined) throw new LocusError('STORE_DOWN', 'the registry is away');
  };
  const note = (said: Omit<Replica, 'seenMs'>, seenMs: number) => disk.replicas.set(`${said.replicaId}/${said.life}`, { ...said, seenMs });

  return {
    async start() {
      reachable();
    },
    async stop() {},
    async register(replicaId, url) {
      reachable();
      const nowMs = disk.clock.now();
      return disk.execute(() => {
        const life = (disk.lives.get(replicaId) ?? 0) + 1;
        disk.lives.set(replicaId, life);
        note({ replicaId, life, url, generation: '', partitions: [] }, nowMs);
        for (const [name, it] of disk.replicas)
          if ((it.replicaId === replicaId && it.life < life) || it.seenMs < nowMs - FORGET_AFTER_MS) disk.replicas.delete(name);
        return life;
      });
    },
    async beat(said) {
      reachable();
      const nowMs = disk.clock.now();
      disk.execute(() => note(said, nowMs));
    },
    async remove(replicaId, life) {
      reachable();
      disk.execute(() => disk.replicas.delete(`${replicaId}/${life}`));
    },
    async highestLife(replicaId) {
      reachable();
      return disk.lives.get(replicaId) ?? 0;
    },
    async list() {
      reachable();
      return { nowMs: disk.clock.now(), replicas: [...disk.replicas.values()] };
    },
  };
}
