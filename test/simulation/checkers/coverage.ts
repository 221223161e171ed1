/** Which records are final: each has a durable entry of its own payload, an acknowledged dead letter, or was produced again. */
import type { LogRecord, TopicPartition } from '../../../src/ports.ts';
import type { Happening, Outside } from '../happening.ts';
import { Entries } from './entries.ts';
import { commandFact, letterFact, placeOf, text } from './facts.ts';

const coverages = new WeakMap<Outside, Coverage>();

export class Coverage {
  readonly entries = new Entries();
  readonly records = new Map<string, LogRecord[]>();
  readonly #topics: Outside['topics'];
  readonly #letters = new Map<string, string>();
  /** Records that were produced again where their key belongs, by what they hold. */
  readonly #again = new Set<string>();
  #heard: Happening | undefined;

  private constructor({ topics }: Outside) {
    this.#topics = topics;
  }

  /** The one of a world: all checkers that need it hear the same. */
  static of(outside: Outside): Coverage {
    const its = coverages.get(outside) ?? new Coverage(outside);
    coverages.set(outside, its);
    return its;
  }

  /** Each of the checkers says it. */
  hear(it: Happening): void {
    if (it === this.#heard) return;
    this.#heard = it;
    this.entries.hear(it);
    if (it.kind !== 'produced') return;
    const { record } = it;
    if (record.topic === this.#topics.letters) {
      const { of, reason } = letterFact(record);
      this.#letters.set(of, reason);
    }
    if (record.topic !== this.#topics.commands && record.topic !== this.#topics.bulk) return;
    if (record.headers.locus_rerouted !== undefined) this.#again.add(contentOf(record));
    const name = `${record.topic}/${record.partition}`;
    const shelf = this.records.get(name) ?? [];
    shelf[record.offset] = record;
    this.records.set(name, shelf);
  }

  at({ topic, partition }: TopicPartition): readonly (LogRecord | undefined)[] {
    return this.records.get(`${topic}/${partition}`) ?? [];
  }
  isDead(record: LogRecord): boolean {
    const shelf = this.at(record);
    for (let { offset } = record; ; offset--) {
      const it = shelf[offset];
      const reason = it && this.#letters.get(placeOf(it));
      // One letter stands for a run of records that nobody can read.
      if (reason !== undefined) return offset === record.offset || reason === 'CODEC_UNSUPPORTED';
      if (it === undefined || it.key !== null || it.value !== null) return false;
    }
  }
  wasProducedAgain(record: LogRecord): boolean {
    return this.#again.size > 0 && record.headers.locus_rerouted === undefined && this.#again.has(contentOf(record));
  }
  /** What is durably known of a record's command, if its payload is the one that stands there. */
  told(record: LogRecord) {
    const command = commandFact(record);
    const entry = command && this.entries.get(command.address, command.commandId);
    return entry?.hash === command?.hash ? entry : undefined;
  }
  isFinal(record: LogRecord): boolean {
    return this.told(record) !== undefined || this.isDead(record) || this.wasProducedAgain(record);
  }
}

const contentOf = ({ topic, key, value, headers }: LogRecord): string =>
  [topic, key && text(key), value && text(value), headers.ce_id && text(headers.ce_id), headers.ce_type && text(headers.ce_type)].join(
    '\n',
  );
