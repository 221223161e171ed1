/** The events topic as an outsider reads it: first occurrences per location and seq, outcomes by commandId, and what does not add up. */
import type { Kafka } from 'kafkajs';

type Event = {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly locusepoch: number;
  readonly locusseq: number;
  readonly locuscommand: string;
  readonly locusreply?: string;
  readonly data: { readonly notes?: Record<string, number> };
};
export type Ledger = Awaited<ReturnType<typeof follow>>;

export async function follow(kafka: Kafka, topics: { readonly events: string; readonly letters: string }, groupId: string) {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 30_000, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topics.events, topics.letters], fromBeginning: true });
  const bySubject = new Map<string, Map<number, Event>>();
  const outcomes = new Map<string, { readonly status: string; readonly event: Event }[]>();
  const letters: { readonly reason: string; readonly value: string | undefined; readonly offset: string }[] = [];
  const faults: string[] = [];

  function take(event: Event): void {
    const seqs = bySubject.get(event.subject) ?? new Map<number, Event>();
    bySubject.set(event.subject, seqs);
    const first = seqs.get(event.locusseq);
    if (first !== undefined) {
      if (JSON.stringify(first) !== JSON.stringify(event)) faults.push(`${event.id} was published with two contents`);
      return;
    }
    if (event.locusseq !== seqs.size + 1) faults.push(`${event.id} came before ${event.subject}:${seqs.size + 1}`);
    seqs.set(event.locusseq, event);
    const status: string = event.locusreply === undefined ? '' : JSON.parse(event.locusreply).status;
    if (status !== 'done' && status !== 'refused') return;
    const key = `${event.subject} ${event.locuscommand}`;
    const known = outcomes.get(key) ?? [];
    known.push({ status, event });
    outcomes.set(key, known);
    if (known.length > 1) faults.push(`${key} has ${known.length} outcomes`);
  }

  await consumer.run({
    eachMessage: async ({ topic, message }) => {
      if (topic === topics.events) take(JSON.parse(message.value?.toString() ?? '{}'));
      else
        letters.push({
          reason: message.headers?.dlq_reason?.toString() ?? '',
          value: message.value?.toString(),
          offset: message.headers?.dlq_offset?.toString() ?? '',
        });
    },
  });

  const all = () => [...bySubject.values()].flatMap((seqs) => [...seqs.values()]);
  return {
    letters,
    faults: () => faults,
    all,
    of: (address: string) => [...(bySubject.get(address)?.values() ?? [])],
    outcome: (address: string, commandId: string) => outcomes.get(`${address} ${commandId}`)?.[0],
    missing: (commands: readonly { readonly address: string; readonly commandId: string }[]) =>
      commands.filter(({ address, commandId }) => !outcomes.has(`${address} ${commandId}`)),
    /** Cash booked as taken, by commandId. */
    booked: () =>
      new Map(
        all()
          .filter((event) => event.type === 'cash-location.Dispensed')
          .map((event) => [`${event.subject.split('/')[1]} ${event.locuscommand}`, event.data.notes ?? {}]),
      ),
    stop: () => consumer.disconnect(),
  };
}
