/** Hints between replicas over Redis pub/sub: lost without a trace whenever a link is, so every new link counts as a gap. */
import type { Redis } from 'ioredis';
import type { Notices } from '../../src/ports.ts';
import { RedisConnection, type RedisOptions } from './connection.ts';

const PREFIX = 'locus:notice:';

export function redisNotices(options: RedisOptions): Notices {
  const ears = new Map<string, ((text: string) => void)[]>();
  const gaps: (() => void)[] = [];
  let hearing: Redis | undefined;
  const speaker = new RedisConnection(options, (client) => client.ping());
  const listener = new RedisConnection(
    options,
    async (client) => {
      hearing = client;
      client.on('message', (channel, text) => ears.get(channel)?.forEach((heard) => void heard(text)));
      // The prefix by itself is a channel that nobody speaks on: a user who may not listen is found out at once.
      await client.subscribe(PREFIX, ...ears.keys());
    },
    () => gaps.forEach((missed) => void missed()),
  );

  return {
    async start() {
      await Promise.all([speaker.start(), listener.start()]);
    },
    async stop() {
      await Promise.all([speaker.stop(), listener.stop()]);
    },
    send: (channel, text) => void speaker.ask((client) => client.publish(PREFIX + channel, text)).catch(() => {}),
    async listen(channel, heard) {
      const name = PREFIX + channel;
      ears.set(name, [...(ears.get(name) ?? []), heard]);
      // Without a link it is made up for by the next one, which is a gap.
      await hearing?.subscribe(name).catch(() => {});
    },
    onGap: (missed) => void gaps.push(missed),
  };
}
