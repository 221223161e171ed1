/** What happens to a command's record: opened, judged, handed to its location, closed on its final outcome. The road starts and ends here. */
import { pause } from '../clock.ts';
import { type Fault, fault, LocusError, why } from '../errors.ts';
import { isOwnId } from '../message/address.ts';
import { decode, firstAppendedMs, isRerouted, reroutedHeaders } from '../message/codec.ts';
import type { Command, Lane } from '../message/envelope.ts';
import { partitionOf } from '../message/partition.ts';
import type { LogRecord, TopicPartition } from '../ports.ts';
import { jitter } from '../random.ts';
import { type Checked, checkCommand, checkInput } from './definition.ts';
import { Intake } from './intake.ts';
import { letterOf, shortLetterOf, whyOf } from './letter.ts';
import type { Verdict, Waiting } from './mailbox.ts';
import type { OffsetTracker, Slot } from './offset-tracker.ts';
import type { Partitions } from './partitions.ts';
import type { Router } from './router.ts';
import type { Site } from './site.ts';
import { timerOf } from './timers.ts';

const RETRY_MS = 200;
const HOUR_MS = 3_600_000;

/** A record on its way: its slot is closed once, by its verdict. */
class Delivered implements Waiting {
  readonly command: Command;
  readonly checked: Checked;
  readonly origin: LogRecord;
  readonly sinceMs: number;
  readonly #slot: Slot;
  readonly #delivery: Delivery;
  constructor(delivery: Delivery, slot: Slot, command: Command, checked: Checked, record: LogRecord, sinceMs: number) {
    this.#delivery = delivery;
    this.#slot = slot;
    this.command = command;
    this.checked = checked;
    this.origin = record;
    this.sinceMs = sinceMs;
  }
  get offset(): number {
    return this.origin.offset;
  }
  conclude(verdict: Verdict): void {
    this.#delivery.conclude(this.#slot, this.origin, this.command, verdict);
  }
}

export class Delivery {
  readonly #site: Site;
  readonly #partitions: Partitions;
  readonly #router: Router;
  readonly #lanes: ReadonlyMap<string, Exclude<Lane, 'control'>>;
  readonly #intake: Intake;
  #draining = false;

  constructor(
    site: Site,
    partitions: Partitions,
    router: Router,
    lanes: ReadonlyMap<string, Exclude<Lane, 'control'>>,
    resume: (at: readonly LogRecord[]) => void,
  ) {
    this.#site = site;
    this.#partitions = partitions;
    this.#router = router;
    this.#lanes = lanes;
    const { clock, limits, relay } = site;
    this.#intake = new Intake({
      clock,
      inflightMax: limits.inflightMax,
      partitions: () => partitions.heldCount,
      outbox: () => relay.depth,
      resume,
    });
  }

  /** Records that were taken and have no verdict yet. */
  get inflight(): number {
    return this.#intake.inflight;
  }
  /** No more is taken before events are published. */
  get outboxFull(): boolean {
    return this.#intake.outboxFull;
  }
  drain(): void {
    this.#draining = true;
  }

  /** The road of one record. false: no room, it will be offered again. */
  take(record: LogRecord): boolean {
    const site = this.#site;
    const tracker = this.#partitions.tracker(record);
    const lane = this.#lanes.get(record.topic);
    if (tracker === undefined || lane === undefined || this.#draining) return false;
    if (record.offset <= tracker.highest) {
      // A repeat: its first delivery closes the offset, this one touches nothing.
      site.meters.redelivered();
      return true;
    }
    // Who owns the customers' partition owns the location: without it, or before it, its other lanes wait.
    if (!this.#partitions.held(record.partition) || !this.#intake.hasRoom(tracker, lane)) return this.#hold(tracker, lane, record);

    const command = decode(record, lane);
    if ('code' in command) return this.#setAside(tracker, record, lane, command);
    const checked = this.#checked(record, tracker, command);
    if (checked === 'repeat') {
      this.#close(this.#open(tracker, record, lane), lane, true);
      return true;
    }
    if ('code' in checked) return this.#setAside(tracker, record, lane, checked);
    const right = partitionOf(record.key as Uint8Array, this.#partitions.count);
    if (right !== record.partition) return this.#misplaced(tracker, record, lane, right);

    const before = tracker.highest;
    const slot = this.#open(tracker, record, lane);
    if (this.#router.route(new Delivered(this, slot, command, checked, record, site.clock.monotonic()))) return true;
    // Nothing was told of this record yet: as if it had not been seen.
    tracker.unopen(slot, before);
    this.#intake.closed(tracker, lane);
    return this.#hold(tracker, lane, record);
  }

  /** Everything that is known of a record's fate without asking its location, else its input as the actor's schema sees it. */
  #checked(record: LogRecord, tracker: OffsetTracker, command: Command): Fault | 'repeat' | Checked {
    const { limits, definitions } = this.#site;
    const newestMs = Math.max(this.#partitions.newestMs(record.partition), record.appendedMs);
    if (newestMs - command.appendedMs > limits.dedupeWindowMs - HOUR_MS) {
      // Its commandId may be forgotten by now: never executed on first sight.
      if (record.offset < (tracker.applied ?? 0)) return 'repeat';
      return fault(
        'STALE',
        'record',
        new Date(command.appendedMs).toISOString(),
        'is older than the time for which commandIds are remembered; replay it only if it never ran',
      );
    }
    const definition = definitions.get(command.type);
    if (isOwnId(command.commandId)) {
      if (definition === undefined || timerOf(command.commandId) === undefined) return notArmed(command);
      // A timer's record is judged by its location: by what is armed there, and what became of it.
      return checkCommand(definition, command.name, command.input);
    }
    if (definition === undefined)
      return fault('TYPE_UNKNOWN', 'ce_type', command.type, `must be one of ${[...definitions.keys()].join(', ')}`);
    // What this program cannot judge waits, in its place, for one that can.
    if ((command.version ?? 1) > definition.version) return checkCommand(definition, command.name, command.input);
    const shape = Object.hasOwn(definition.commands, command.name) ? definition.commands[command.name] : undefined;
    if (shape === undefined)
      return fault(
        'COMMAND_UNKNOWN',
        'ce_type',
        command.name,
        `${command.type} has the commands ${Object.keys(definition.commands).join(', ')}`,
      );
    const checked = checkInput(shape, command.input);
    return 'faults' in checked ? (checked.faults[0] as Fault) : checked;
  }

  conclude(slot: Slot, record: LogRecord, command: Command, verdict: Verdict): void {
    const lane = command.lane === 'bulk' ? 'bulk' : 'customer';
    if (verdict === 'id-reused' || verdict === 'unarmed') {
      const reused = fault('ID_REUSED', 'ce_id', command.commandId, 'stands for another payload at this address already');
      const it = verdict === 'unarmed' ? notArmed(command) : reused;
      void this.#deadLetter(record, it).then((written) => this.#close(slot, lane, written));
      return;
    }
    this.#close(slot, lane, verdict !== 'abandoned');
  }
  #close(slot: Slot, lane: 'customer' | 'bulk', final: boolean): void {
    if (final && !slot.tracker.forgotten) slot.tracker.close(slot);
    this.#intake.closed(slot.tracker, lane);
    this.freed();
  }
  #open(tracker: OffsetTracker, record: LogRecord, lane: 'customer' | 'bulk', last = record.offset): Slot {
    const slot = tracker.open(record.offset, record.appendedMs, last);
    if (slot === undefined) throw new Error(`offset ${record.offset} is a repeat and was opened`);
    this.#intake.opened(tracker, lane);
    return slot;
  }

  /** To the partition where its key belongs: its offset closes once it is there for sure. */
  #misplaced(tracker: OffsetTracker, record: LogRecord, lane: 'customer' | 'bulk', right: number): boolean {
    const rule = `its key belongs to partition ${right}: produce with the murmur2 partitioner`;
    if (isRerouted(record)) return this.#setAside(tracker, record, lane, fault('MISPLACED', 'partition', record.partition, rule));
    const slot = this.#open(tracker, record, lane);
    const appendedMs = firstAppendedMs(record);
    const headers = reroutedHeaders(record, typeof appendedMs === 'number' ? appendedMs : record.appendedMs);
    const { topic, key, value } = record;
    const { writer } = this.#site;
    const tooLarge = fault('MISPLACED', 'partition', record.partition, `${rule}; it is too large to be produced again`);
    const again = () => unlessTooLarge(writer.command(topic, { key, value, headers }, right), () => this.#deadLetter(record, tooLarge));
    void this.#persist(tracker, 'misplaced record', again).then((written) => this.#close(slot, lane, written));
    return true;
  }

  /** A dead letter, acknowledged before the offset closes. */
  #setAside(tracker: OffsetTracker, record: LogRecord, lane: 'customer' | 'bulk', it: Fault, last = record.offset): boolean {
    const slot = this.#open(tracker, record, lane, last);
    void this.#deadLetter(record, it).then((written) => this.#close(slot, lane, written));
    return true;
  }
  async #deadLetter(record: LogRecord, it: Fault): Promise<boolean> {
    const tracker = this.#partitions.tracker(record);
    if (tracker === undefined) return false;
    const { clock, writer, meters, log } = this.#site;
    const nowMs = clock.now();
    const written = await this.#persist(tracker, 'dead letter', () =>
      unlessTooLarge(writer.deadLetter(letterOf(record, it, nowMs)), () => writer.deadLetter(shortLetterOf(record, it, nowMs))),
    );
    if (written) meters.deadLetter(it.code);
    const { topic, partition, offset } = record;
    if (written) log.warn({ topic, partition, offset, reason: it.code, why: whyOf(it) }, 'dead letter');
    return written;
  }
  /** Offsets of a batch that nobody here can read: one dead letter for all, then they close. */
  unreadable(at: TopicPartition, from: number, to: number, codec: string): boolean {
    const tracker = this.#partitions.tracker(at);
    const lane = this.#lanes.get(at.topic);
    if (tracker === undefined || lane === undefined || this.#draining) return false;
    if (to <= tracker.highest) return true;
    const first = Math.max(from, tracker.highest + 1);
    const record: LogRecord = { ...at, offset: first, key: null, value: null, headers: {}, appendedMs: tracker.newestMs };
    return this.#setAside(
      tracker,
      record,
      lane,
      fault('CODEC_UNSUPPORTED', 'compression', codec, `offsets ${first} to ${to} cannot be read: produce with gzip or none`),
      to,
    );
  }

  /** Until it is acknowledged, or the partition is somebody else's and they will do it. */
  async #persist(tracker: OffsetTracker, what: string, write: () => Promise<void>): Promise<boolean> {
    while (!tracker.forgotten) {
      try {
        await write();
        return true;
      } catch (error) {
        this.#site.log.warn({ why: why(error) }, `${what} not acknowledged, sent again`);
        await pause(this.#site.clock, jitter(this.#site.random, RETRY_MS));
      }
    }
    return false;
  }

  #hold(tracker: OffsetTracker, lane: 'customer' | 'bulk', record: LogRecord): false {
    this.#intake.hold(tracker, lane, record);
    return false;
  }
  freed(): void {
    if (!this.#draining) this.#intake.freed();
  }
}

const notArmed = ({ commandId }: Command): Fault =>
  fault('TIMER_NOT_ARMED', 'ce_id', commandId, 'ids that begin with ~ belong to the runtime, and no such timer is armed with this payload');

/** Sends the one, or does the other where the log takes nothing so large. */
async function unlessTooLarge(sent: Promise<void>, other: () => Promise<unknown>): Promise<void> {
  try {
    await sent;
  } catch (error) {
    if (!(error instanceof LocusError && error.code === 'VALUE_TOO_LARGE')) throw error;
    await other();
  }
}
