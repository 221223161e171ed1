/** Who is there, in a process that is always alone: its lives are numbered in the embedded file, its presence needs no disk. */
import { LocusError } from '../../src/errors.ts';
import type { Registry, Replica } from '../../src/ports.ts';
import type { EmbeddedFile } from './file.ts';

export function embeddedRegistry(file: EmbeddedFile): Registry {
  const present = new Map<string, Replica>();
  const note = (said: Omit<Replica, 'seenMs'>) => {
    if (file.life() === undefined) throw new LocusError('STORE_DOWN', 'the embedded file is closed');
    present.set(`${said.replicaId}/${said.life}`, { ...said, seenMs: file.clock.now() });
  };
  const lifeOf = (replicaId: string): number =>
    file.get<{ readonly life: number }>('SELECT life FROM life WHERE replica = ?', replicaId)?.life ?? 0;

  return {
    start: () => file.read(() => {}),
    async stop() {},
    async register(replicaId, url) {
      const sql = 'INSERT INTO life VALUES (?, 1) ON CONFLICT DO UPDATE SET life = life + 1';
      const answer = await file.write(() => {
        file.run(sql, replicaId);
        return lifeOf(replicaId);
      });
      if (answer.kind !== 'written') throw new LocusError('STORE_DOWN', `not registered: ${answer.why}`);
      for (const [name, it] of present) if (it.replicaId === replicaId && it.life < answer.value) present.delete(name);
      note({ replicaId, life: answer.value, url, generation: '', partitions: [] });
      return answer.value;
    },
    async beat(said) {
      note(said);
    },
    remove: (replicaId, life) => file.read(() => void present.delete(`${replicaId}/${life}`)),
    highestLife: (replicaId) => file.read(() => lifeOf(replicaId)),
    list: () => file.read(() => ({ nowMs: file.clock.now(), replicas: [...present.values()] })),
  };
}
