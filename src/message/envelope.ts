/** A command and an event as the rest of the house sees them, free of how a log carries them. */
import type { Address } from './address.ts';

/** control before customer before bulk. The topic is the lane; control cannot be asked for from outside. */
export type Lane = 'control' | 'customer' | 'bulk';

export type Command = {
  readonly address: Address;
  readonly type: string;
  readonly id: string;
  /** The command's name within its actor, such as `dispense`. */
  readonly name: string;
  readonly commandId: string;
  readonly input: unknown;
  /** SHA-256 over the RFC 8785 JSON of `{input, type}`, base64url, 43 characters: what makes two payloads the same. */
  readonly hash: string;
  readonly lane: Lane;
  /** When the log first appended it, ms since the epoch: what its age is judged by. */
  readonly appendedMs: number;
  /** No effect and no decision after this, ms since the epoch. */
  readonly deadlineMs?: number;
  /** Only at this seq of the location. */
  readonly ifSeq?: number;
  /** The version of the actor that the sender knew; absent: 1, or none in particular. */
  readonly version?: number;
  /** The channel of the replica that waits for the outcome: a hint may be sent there. */
  readonly notify?: string;
  readonly traceparent?: string;
};

/**
 * How long the text of an event may be, bytes in UTF-8: with its key and frame it must pass a broker's message.max.bytes, 1,048,588 unless
 * told otherwise. One that does not would be sent again for ever, and hold back every event behind it.
 */
export const EVENT_MAX_BYTES = 750_000;
/** One event, ready for the store and for the events topic; `text` is its CloudEvents structured JSON. */
export type EventText = { readonly address: Address; readonly seq: number; readonly text: string };

/** What the runtime puts around the data of every event of one claim. */
export type EventHead = {
  readonly address: Address;
  readonly actor: string;
  /** Of the actor that wrote it; not told of the first. */
  readonly version: number;
  readonly epoch: number;
  readonly source: string;
};
/** The texts between what changes from event to event: put together once for each claim. */
export type EventFrame = {
  readonly actor: string;
  readonly beforeId: string;
  readonly beforeTime: string;
  readonly beforeSeq: string;
  readonly versioned: string;
};
export type EventCause = { readonly commandId: string; readonly traceparent?: string | undefined };
/** Stands on the last event of a turn: `reply` is the outcome as JSON text, `input` the hash of the command's payload. */
export type EventTail = { readonly reply: string; readonly input: string };

export const eventFrame = ({ address, actor, version, epoch, source }: EventHead): EventFrame => ({
  actor,
  beforeId: `{"specversion":"1.0","id":"${address}:`,
  beforeTime: `,"source":${JSON.stringify(source)},"subject":"${address}","time":"`,
  beforeSeq: `","datacontenttype":"application/json","locusepoch":${epoch},"locusseq":`,
  versioned: version === 1 ? '' : `"locusversion":${version},`,
});

/**
 * CloudEvents 1.0 structured JSON (https://github.com/cloudevents/spec, JSON event format). Extension values are simple
 * types, as the specification demands: `locusreply` is therefore text that holds JSON. Put together by hand, since JSON.stringify of the
 * whole takes three times as long; addresses, times and hashes hold nothing that JSON escapes (see address.ts). `data` is JSON already.
 */
export function eventText(
  frame: EventFrame,
  { commandId, traceparent }: EventCause,
  time: string,
  seq: number,
  type: string,
  data: string,
  tail?: EventTail,
): string {
  const { actor, beforeId, beforeTime, beforeSeq, versioned } = frame;
  const traced = traceparent === undefined ? '' : `"traceparent":${JSON.stringify(traceparent)},`;
  const ended = tail === undefined ? '' : `"locusreply":${JSON.stringify(tail.reply)},"locusinput":"${tail.input}",`;
  return `${beforeId}${seq}","type":${JSON.stringify(`${actor}.${type}`)}${beforeTime}${time}${beforeSeq}${seq},"locuscommand":${JSON.stringify(commandId)},${versioned}${traced}${ended}"data":${data}}`;
}
