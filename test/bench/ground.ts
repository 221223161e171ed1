/** The ground a bench stands on: real Kafka and Redis, topics of its own for each run, and commands to fill them with. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Backing, outsideOf, startBacking } from '../../infra/dev/backing.ts';
import { type Running, startReplica } from '../../infra/dev/processes.ts';
import { type Message, openTopics, type Topics } from './topics.ts';

export const PARTITIONS = 12;

export type Ground = {
  readonly dir: string;
  readonly topics: Topics;
  readonly services: Backing['env'];
  /** Fresh topics and a fresh group, created before any replica is there. */
  run(name: string): Promise<Run>;
  stop(): Promise<void>;
};
export type Run = {
  readonly name: string;
  readonly commands: string;
  readonly events: string;
  /** Starts the one replica of the run; resolves when it is ready. */
  replica(more?: Readonly<Record<string, string>>, program?: string): ReturnType<typeof startReplica>;
};

export async function ground(): Promise<Ground> {
  const parent = join(process.cwd(), '.services');
  mkdirSync(parent, { recursive: true });
  const dir = mkdtempSync(join(parent, 'bench-'));
  const backing = await startBacking(dir, outsideOf(process.env));
  const topics = await openTopics(backing.env.KAFKA_BROKERS);
  return {
    dir,
    topics,
    services: backing.env,
    async run(kind) {
      const name = `${kind}-${Date.now().toString(36)}`;
      const [commands, events, deadLetters] = ['commands', 'events', 'dead-letters'].map((it) => `${name}.${it}`) as [
        string,
        string,
        string,
      ];
      await topics.create(commands, PARTITIONS);
      await topics.create(`${commands}.bulk`, PARTITIONS);
      const env = {
        ...backing.env,
        KAFKA_GROUP_ID: name,
        COMMANDS_TOPIC: commands,
        EVENTS_TOPIC: events,
        DEAD_LETTERS_TOPIC: deadLetters,
        COMMANDS_PARTITIONS: String(PARTITIONS),
        LOG_LEVEL: 'warn',
      };
      return { name, commands, events, replica: (more = {}, program) => startReplica(name, dir, { ...env, ...more }, program) };
    },
    async stop() {
      await topics.stop();
      await backing.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A structured CloudEvent with about 100 bytes of input. */
export const command = (run: string, location: number, name: string, id: string, data: object): Message => ({
  key: `cash-location/${run}-${location}`,
  value: JSON.stringify({
    specversion: '1.0',
    id,
    type: `cash-location.${name}`,
    source: 'bench',
    subject: `cash-location/${run}-${location}`,
    time: '2026-01-01T00:00:00Z',
    data,
  }),
  headers: { 'content-type': 'application/cloudevents+json' },
});

export const loaded = (count: number) => ({
  currency: 'USD',
  cassettes: [
    { denomination: 2_000, count },
    { denomination: 5_000, count },
  ],
});

export async function leave(running: Running): Promise<void> {
  running.signal('SIGTERM');
  await running.gone;
}
