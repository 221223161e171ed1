/** The desk of one replica of a fleet in memory. */
import { memoryNotices } from '../../infra/memory/notices.ts';
import { memoryRegistry } from '../../infra/memory/registry.ts';
import type { Desk } from '../../src/desk.ts';
import { desk } from '../../src/runtime/desk.ts';
import type { Replica } from '../../src/runtime/replica.ts';
import { Waiters } from '../../src/runtime/waiters.ts';
import { BULK, COMMANDS, EVENTS, type fleet, LETTERS } from './fleet.ts';

export async function frontOf(
  { clock, disk, log }: Pick<ReturnType<typeof fleet>, 'clock' | 'disk' | 'log'>,
  replica: Replica,
): Promise<{ readonly front: Desk; readonly waiters: Waiters }> {
  const waiters = new Waiters(clock, 'notify:a');
  const notices = memoryNotices(disk);
  await notices.start();
  await waiters.start(notices);
  const front = desk({
    replica,
    waiters,
    peers: { act: () => Promise.reject(new Error('there is one replica only')) },
    registry: memoryRegistry(disk),
    archive: log.archive(),
    topics: { lanes: [COMMANDS, BULK], events: EVENTS, deadLetters: LETTERS },
    sessionMs: 1_000,
    metrics: async () => ({ type: 'text/plain', text: '' }),
  });
  return { front, waiters };
}
