/** What the demo sends: plain CloudEvents, as any other program would make them; kafkajs is allowed here, the demo plays the outside world. */
import { Kafka, logLevel, Partitioners } from 'kafkajs';

const BATCH = 2_000;
const MALFORMED_EVERY = 997;
/** Of 50 commands of a location 34 are dispenses: 32 that can be paid, one of no note mix, one of too much. */
const KINDS = 50;

export type Sent = { readonly address: string; readonly commandId: string };
type Message = { readonly key: string; readonly value: string; readonly headers: Readonly<Record<string, string>> };
export type Load = {
  /** Commands and malformed records sent so far. */
  readonly figures: { readonly records: number; readonly dispenses: number; readonly malformed: number };
  /** Every location's first cash. */
  fill(): Promise<readonly Sent[]>;
  /** At least `count` more records, as fast as the producer takes them; answers the commands that must come to an outcome. */
  send(count: number): Promise<readonly Sent[]>;
  stop(): Promise<void>;
};

export async function startLoad(brokers: string, topic: string, locations: readonly string[]): Promise<Load> {
  const kafka = new Kafka({ clientId: 'locus-demo-load', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const figures = { records: 0, dispenses: 0, malformed: 0 };
  let round = 0;

  async function send(messages: readonly Message[]): Promise<void> {
    for (let at = 0; at < messages.length; at += BATCH) await producer.send({ topic, messages: messages.slice(at, at + BATCH) });
    figures.records += messages.length;
  }

  return {
    figures,
    async fill() {
      await send(locations.map((id) => message(id, 'load', `${id}-fill`, cassettes(2_000, 1_000))));
      return locations.map((id) => ({ address: addressOf(id), commandId: `${id}-fill` }));
    },
    async send(count) {
      const sent: Sent[] = [];
      const messages: Message[] = [];
      for (; messages.length < count; round++) {
        for (const [at, id] of locations.entries()) {
          const next = commandOf(id, at, round);
          messages.push(next);
          sent.push({ address: addressOf(id), commandId: idOf(id, at, round) });
          if (kindOf(at, round) < 34) figures.dispenses++;
          if ((round * locations.length + at) % MALFORMED_EVERY === 0) messages.push(malformed(next, figures.malformed++));
        }
      }
      await send(messages);
      return sent;
    },
    stop: () => producer.disconnect(),
  };
}

const addressOf = (id: string): string => `cash-location/${id}`;
const kindOf = (at: number, round: number): number => (round * 7 + at) % KINDS;
const isRepeat = (at: number, round: number): boolean => round > 0 && [37, 38].includes(kindOf(at, round));
/** A repeat carries the id, and the payload, of the round before it. */
const idOf = (id: string, at: number, round: number): string => (isRepeat(at, round) ? idOf(id, at, round - 1) : `${id}-${round}`);

function commandOf(id: string, at: number, round: number): Message {
  const kind = kindOf(at, round);
  if (isRepeat(at, round)) return commandOf(id, at, round - 1);
  const commandId = idOf(id, at, round);
  if (kind < 32)
    return message(id, 'dispense', commandId, { amount: [2_000, 4_000, 5_000, 7_000, 9_000][(round + at) % 5], currency: 'USD' });
  if (kind === 32) return message(id, 'dispense', commandId, { amount: 300, currency: 'USD' });
  if (kind === 33) return message(id, 'dispense', commandId, { amount: 900_000_000, currency: 'USD' });
  if (kind < 37) return message(id, 'reverse', commandId, { commandId: originalOf(id, at, round), reason: 'demo' });
  if (kind === 39) return message(id, 'count', commandId, cassettes(1_500, 800));
  return message(id, 'load', commandId, cassettes(10, 5));
}

/** The nearest earlier dispense of the same location, or one that will never come. */
function originalOf(id: string, at: number, round: number): string {
  for (let earlier = round - 1; earlier >= 0; earlier--) if (kindOf(at, earlier) < 32) return `${id}-${earlier}`;
  return `${id}-never`;
}

const cassettes = (twenties: number, fifties: number) => ({
  currency: 'USD',
  cassettes: [
    { denomination: 2_000, count: twenties },
    { denomination: 5_000, count: fifties },
  ],
});

const message = (id: string, name: string, commandId: string, data: object): Message => ({
  key: addressOf(id),
  value: JSON.stringify({
    specversion: '1.0',
    id: commandId,
    type: `cash-location.${name}`,
    source: 'demo',
    subject: addressOf(id),
    time: new Date().toISOString(),
    data,
  }),
  headers: { 'content-type': 'application/cloudevents+json' },
});

/** What no producer should send, each in its own way. */
function malformed(good: Message, n: number): Message {
  const envelope = JSON.parse(good.value) as Record<string, unknown>;
  const spoiled: readonly Record<string, unknown>[] = [
    { ...envelope, id: undefined },
    { ...envelope, id: `bad-${n}`, type: 'cash-location.explode' },
    { ...envelope, id: `bad-${n}`, subject: 'cash-location/elsewhere' },
    { ...envelope, id: `bad-${n}`, type: 'cash-location.dispense', data: { amount: -2_000, currency: 'USD' } },
  ];
  const value = n % 5 === 4 ? good.value.slice(0, -2) : JSON.stringify(spoiled[n % 5]);
  return { ...good, value };
}
