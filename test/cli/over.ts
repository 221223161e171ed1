/** The command line's client over a real admin port, whose desk looks into topics in memory. */
import { startAdmin } from '../../infra/http/admin.ts';
import { memoryLog } from '../../infra/memory/log.ts';
import { type Client, client } from '../../src/cli/client.ts';
import { systemClock } from '../../src/clock.ts';
import type { LogMessage } from '../../src/ports.ts';
import { findLetter, findLetters, replayLetter } from '../../src/runtime/dead-letters.ts';
import { publishedEvents } from '../../src/runtime/published.ts';
import { fakeDesk, fakeLog } from '../http/fake-desk.ts';

export type Lain = LogMessage & { readonly partition?: number };
export type Over = {
  readonly replica: Client;
  /** What was produced to the commands topic, as text. */
  sent(): readonly { readonly key: string; readonly value: string; readonly headers: Readonly<Record<string, string>> }[];
  lay(topic: 'events' | 'letters', message: Lain): void;
  /** The topics forget what lies below `low` of a partition. */
  truncate(topic: 'events' | 'letters', partition: number, low: number): void;
  readonly lines: ReturnType<typeof fakeLog>['lines'];
  stop(): Promise<void>;
};
const NAMES = { events: 'locus.events', letters: 'locus.dead-letters' } as const;
const COMMANDS = 'locus.commands';

/** Appended a second apart, in the order of the list. */
export async function over(topic: 'events' | 'letters', lain: readonly Lain[]): Promise<Over> {
  let nowMs = Date.parse('2026-01-31T12:02:00.000Z');
  const clock = { ...systemClock, now: () => (nowMs += 1_000) };
  const topics = memoryLog({ topics: [COMMANDS, NAMES.events, NAMES.letters], partitions: 4, clock });
  const archive = topics.archive();
  const { log, lines } = fakeLog();
  const writer = topics.writer({ eventsTopic: NAMES.events, deadLettersTopic: NAMES.letters });
  const letters = { archive, writer, log, topic: NAMES.letters, lanes: [COMMANDS] };
  const { desk } = fakeDesk({
    events: (address, asked) => publishedEvents(archive, NAMES.events, address, asked),
    letters: (asked) => findLetters(letters, asked),
    letter: (id) => findLetter(letters, id),
    replayLetter: (id, replaying) => replayLetter(letters, id, replaying),
  });
  const admin = await startAdmin({ host: '127.0.0.1', port: 0, token: undefined, desk, log });
  const lay: Over['lay'] = (name, { partition, ...message }) => void topics.produce(NAMES[name], message, partition);
  for (const message of lain) lay(topic, message);
  return {
    replica: client(admin.url, undefined, systemClock),
    sent: () =>
      topics.records(COMMANDS).map(({ key, value, headers }) => ({
        key: textOf(key),
        value: textOf(value),
        headers: Object.fromEntries(Object.entries(headers).map(([name, it]) => [name, textOf(it)])),
      })),
    lay,
    truncate: (name, partition, low) => topics.truncate({ topic: NAMES[name], partition }, low),
    lines,
    stop: admin.stop,
  };
}
const textOf = (bytes: Uint8Array | null | undefined): string => (bytes ? Buffer.from(bytes).toString() : '');
