/** What the probes say: what keeps this replica from serving, and what is wrong all the same. */
import type { Health } from '../desk.ts';
import type { LogRefusal } from '../ports.ts';
import type { Replica } from './replica.ts';

/**
 * Not ready is who cannot serve its callers: it is leaving, cannot reach the store, does not read its partitions, or can take no command.
 * The rest is told and changes nothing: what befalls all replicas at once must not take every one of them from callers whom they can answer.
 */
export function health(replica: Replica): Health {
  const { state } = replica;
  const started = state === 'starting' ? 'still starting' : undefined;
  const stops = started !== undefined ? [started] : state === 'serving' ? stopping(replica) : ['draining'];
  return { live: undefined, started, ready: stops.length === 0 ? undefined : stops.join('\n'), told: telling(replica) };
}

function stopping(replica: Replica): readonly string[] {
  const { store } = replica.site;
  const refused = refusalsOf(replica);
  const apart = refused('reading') ?? refused('connections') ?? replica.trouble;
  return [
    ...(store.life() === undefined ? [because('the state store is not reachable', store.trouble?.())] : []),
    ...(replica.joined
      ? told('commands cannot be read', refused('reading'))
      : [because('not in the consumer group: no heartbeat was acknowledged within the session', apart)]),
    ...told('commands cannot be written: none is taken over HTTP, and timers wait', refused('commands')),
    ...(replica.delivery.outboxFull
      ? told('no commands are taken until the events of earlier ones can be published', refused('events'))
      : []),
  ];
}

function telling(replica: Replica): readonly string[] {
  const refused = refusalsOf(replica);
  const { relay, leases } = replica.site;
  return [
    ...told(`events cannot be published: ${relay.depth} wait, safe in the store`, refused('events')),
    ...told(
      'dead letters cannot be written: records that are refused wait, and hold back the offsets of their partitions',
      refused('dead-letters'),
    ),
    ...(replica.joined ? told('Kafka takes no new connections; those that stand go on until they are lost', refused('connections')) : []),
    ...told('the next start will fail', refused('settings')),
    ...(leases.trouble === undefined ? [] : [leases.trouble]),
    ...replica.warnings,
  ];
}

/** All reasons of a kind in one, if there are any. */
const refusalsOf = (replica: Replica) => (kind: LogRefusal['what']) => {
  const reasons = replica.logWatch.refused.filter(({ what }) => what === kind).map(({ why }) => why);
  return reasons.length === 0 ? undefined : reasons.join('; ');
};
const told = (what: string, reason: string | undefined): readonly string[] => (reason === undefined ? [] : [`${what}: ${reason}`]);
const because = (what: string, reason: string | undefined): string => (reason === undefined ? what : `${what}: ${reason}`);
