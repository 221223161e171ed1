/** What a log in memory does badly, as real brokers and their clients do; every switch may be set at any moment. */
import type { Random } from '../../src/ports.ts';

/** Rates are shares, 0 to 1; what is `…Ms` is drawn evenly between nothing and that. */
export type LogFaults = {
  /** The brokers are gone: nothing is read, written or acknowledged. Sessions count anew once they are back. */
  readonly away: boolean;
  /** Writes that never arrive; their callers hear LOG_UNACKNOWLEDGED. */
  readonly lostWriteRate: number;
  /** Such a write arrives after all, so long after its caller gave it up. 0: never. */
  readonly lateWriteMs: number;
  /** Writes that are appended, and whose callers hear LOG_UNACKNOWLEDGED. */
  readonly lostAckRate: number;
  /** A producer that did not hear sends again: what lost its acknowledgement is appended twice, the second time within `lateWriteMs`. */
  readonly duplicateOnLostAck: boolean;
  /** What a fetch takes, and a look at where a partition's log lies. */
  readonly fetchMs: number;
  /** Fetches that begin some records early: those come a second time. */
  readonly repeatRate: number;
  /** Batches that were fetched already and are read after the member has told the group that it is ready to share. */
  readonly lateBatchRate: number;
  /** Until a member notices that the group shares anew. */
  readonly noticeMs: number;
  /** How long offsets are on their way to the group, after the member was asked whether they may be sent. */
  readonly commitMs: number;
};
export const soundLog: LogFaults = {
  away: false,
  lostWriteRate: 0,
  lateWriteMs: 0,
  lostAckRate: 0,
  duplicateOnLostAck: false,
  fetchMs: 0,
  repeatRate: 0,
  lateBatchRate: 0,
  noticeMs: 0,
  commitMs: 0,
};

/** Faults and the chance they are drawn from; a log that knows neither is sound. */
export type Faulty = { readonly faults?: LogFaults; readonly random?: Pick<Random, 'next'> | undefined };

export const happens = ({ random }: Faulty, rate: number | undefined): boolean =>
  rate !== undefined && rate > 0 && (random?.next() ?? 0) < rate;
export const drawnMs = ({ random }: Faulty, ms: number | undefined): number =>
  ms === undefined || ms === 0 ? 0 : (random?.next() ?? 0.5) * ms;
