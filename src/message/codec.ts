/** Commands as CloudEvents 1.0 on Kafka records: binary and structured mode in, structured mode out. */

import { hash as digest } from 'node:crypto';
import { type Fault, fault } from '../errors.ts';
import { type Address, checkCommandId, parseAddress } from './address.ts';
import { canonicalOf } from './canonical.ts';
import type { Command, Lane } from './envelope.ts';
import { DEPTH_MAX, parseJson } from './json.ts';
import { parseTime } from './time.ts';

/** What of a log's record makes a command. */
export type CommandRecord = {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, Uint8Array | undefined>>;
  /** When the log appended it, ms since the epoch. */
  readonly appendedMs: number;
};

export const VALUE_MAX_BYTES = 262_144;
const STRUCTURED = 'application/cloudevents+json';
const JSON_TYPE = /^application\/json$|^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+\+json$/;
const COMMAND_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const NOTIFY_MAX = 200;

/** SHA-256, base64url (43 characters), over the RFC 8785 JSON of `{input, type}`; `type` is the whole `ce_type`, such as `cash-location.dispense`. */
export const hashOf = (type: string, input: unknown): string => digest('sha256', canonicalOf(type, input), 'base64url');

/** The attributes of a CloudEvent by what they mean, wherever they stood; `names` says where, for whoever has to mend it. */
type Attributes = {
  readonly specversion: unknown;
  readonly id: unknown;
  readonly type: unknown;
  readonly subject: unknown;
  readonly deadline: unknown;
  readonly ifSeq: unknown;
  readonly version: unknown;
  readonly notify: unknown;
  readonly traceparent: unknown;
};
type Event = { readonly attributes: Attributes; readonly names: Readonly<Record<keyof Attributes, string>>; readonly input: unknown };

const BINARY_NAMES = {
  specversion: 'ce_specversion',
  id: 'ce_id',
  type: 'ce_type',
  subject: 'ce_subject',
  deadline: 'locus_deadline',
  ifSeq: 'locus_if_seq',
  version: 'locus_version',
  notify: 'locus_notify',
  traceparent: 'traceparent',
} as const;
const STRUCTURED_NAMES = {
  specversion: 'specversion',
  id: 'id',
  type: 'type',
  subject: 'subject',
  deadline: 'locusdeadline',
  ifSeq: 'locusifseq',
  version: 'locusversion',
  notify: 'locusnotify',
  traceparent: 'traceparent',
} as const;

/** A record as a command, or the first thing that is wrong with it. Attributes that Locus does not use are not judged. */
export function decode(record: CommandRecord, lane: Lane): Command | Fault {
  if (record.key === null) return fault('KEY_MISSING', 'key', null, 'must be the address of a location, type/id');
  const place = parseAddress(text(record.key), 'key');
  if ('code' in place) return place;
  const event = open(record);
  if ('code' in event) return event;
  const { attributes: at, names, input } = event;

  if (at.specversion !== '1.0') return fault('ENVELOPE_INVALID', names.specversion, at.specversion, 'must be "1.0"');
  if (at.id === undefined || at.id === '') return fault('COMMAND_ID_MISSING', names.id, at.id, 'must be the commandId, unique per address');
  if (typeof at.id !== 'string') return fault('COMMAND_ID_INVALID', names.id, at.id, 'must be a string');
  const badId = checkCommandId(at.id, names.id);
  if (badId) return badId;
  if (at.subject !== place.address)
    return fault('KEY_MISMATCH', names.subject, at.subject, `must be the record's key, ${JSON.stringify(place.address)}`);
  const name = typeof at.type === 'string' && at.type.startsWith(`${place.type}.`) ? at.type.slice(place.type.length + 1) : '';
  if (!COMMAND_NAME.test(name))
    return fault('ENVELOPE_INVALID', names.type, at.type, `must be "${place.type}.<command>", ${place.type} being the type in the key`);
  const appendedMs = firstAppendedMs(record);
  if (typeof appendedMs !== 'number') return appendedMs;
  const { address, type, id } = place;
  const hash = hashOf(`${type}.${name}`, input);
  return extended({ address, type, id, name, commandId: at.id, input, hash, lane, appendedMs }, at, names);
}

function open(record: CommandRecord): Event | Fault {
  const { value, headers } = record;
  if (value === null) return fault('TOMBSTONE', 'value', null, 'must be JSON: a command cannot be deleted');
  if (value.byteLength > VALUE_MAX_BYTES)
    return fault('VALUE_TOO_LARGE', 'value', `${value.byteLength} bytes`, `must be at most ${VALUE_MAX_BYTES} bytes`);
  return headers.ce_specversion === undefined ? openStructured(value, headers) : openBinary(value, headers);
}

function openBinary(value: Uint8Array, headers: CommandRecord['headers']): Event | Fault {
  const wrongType = checkContentType(headerText(headers['content-type']), 'content-type', 'binary');
  if (wrongType) return wrongType;
  const parsed = parseJson(value, 'input', DEPTH_MAX);
  if ('code' in parsed) return parsed;
  const of = (name: string) => headerText(headers[name]);
  return {
    attributes: {
      specversion: of('ce_specversion'),
      id: of('ce_id'),
      type: of('ce_type'),
      subject: of('ce_subject'),
      deadline: of('locus_deadline'),
      ifSeq: of('locus_if_seq'),
      version: of('locus_version'),
      notify: of('locus_notify'),
      traceparent: of('traceparent') ?? of('ce_traceparent'),
    },
    names: BINARY_NAMES,
    input: parsed.json,
  };
}

function openStructured(value: Uint8Array, headers: CommandRecord['headers']): Event | Fault {
  const wrongType = checkContentType(headerText(headers['content-type']), 'content-type', 'structured');
  if (wrongType) return wrongType;
  const parsed = parseJson(value, 'value', DEPTH_MAX + 1);
  if ('code' in parsed) return parsed;
  const envelope = parsed.json as Readonly<Record<string, unknown>>;
  if (typeof envelope !== 'object' || envelope === null || Array.isArray(envelope) || envelope.specversion === undefined)
    return fault(
      'ENVELOPE_INVALID',
      'ce_specversion',
      undefined,
      'must be a header "1.0" (binary mode), or the value must be a CloudEvent with specversion and data (structured mode)',
    );
  if (envelope.data === undefined)
    return fault('ENVELOPE_INVALID', 'data', undefined, 'must be the input as JSON; data_base64 is not accepted');
  const wrongData =
    envelope.datacontenttype === undefined ? undefined : checkContentType(String(envelope.datacontenttype), 'datacontenttype', 'binary');
  if (wrongData) return wrongData;
  // An attribute that is null counts as absent (CloudEvents JSON format, section 2.2).
  return {
    attributes: {
      specversion: envelope.specversion,
      id: envelope.id,
      type: envelope.type,
      subject: envelope.subject,
      deadline: envelope.locusdeadline ?? undefined,
      ifSeq: envelope.locusifseq ?? undefined,
      version: envelope.locusversion ?? undefined,
      notify: envelope.locusnotify ?? undefined,
      traceparent: envelope.traceparent,
    },
    names: STRUCTURED_NAMES,
    input: envelope.data,
  };
}

/** Assigns one by one: spreading objects of changing shape costs as much as all the rest of decoding. */
function extended(command: { -readonly [K in keyof Command]: Command[K] }, at: Attributes, names: Event['names']): Command | Fault {
  if (at.deadline !== undefined) {
    const deadlineMs = typeof at.deadline === 'string' ? parseTime(at.deadline) : undefined;
    if (deadlineMs === undefined)
      return fault('ENVELOPE_INVALID', names.deadline, at.deadline, 'must be an RFC 3339 time such as 2026-01-31T12:00:00Z');
    command.deadlineMs = deadlineMs;
  }
  if (at.ifSeq !== undefined) {
    const ifSeq = wholeOf(at.ifSeq);
    if (ifSeq === undefined)
      return fault('ENVELOPE_INVALID', names.ifSeq, at.ifSeq, 'must be the seq of the location, an integer of at least 0');
    command.ifSeq = ifSeq;
  }
  if (at.version !== undefined) {
    const version = wholeOf(at.version);
    if (version === undefined || version < 1)
      return fault('ENVELOPE_INVALID', names.version, at.version, 'must be the version of the actor, an integer of at least 1');
    command.version = version;
  }
  if (at.notify !== undefined) {
    if (typeof at.notify !== 'string' || at.notify.length > NOTIFY_MAX)
      return fault('ENVELOPE_INVALID', names.notify, at.notify, `must be the name of a channel, at most ${NOTIFY_MAX} characters`);
    command.notify = at.notify;
  }
  // As W3C Trace Context demands, a malformed traceparent is dropped and breaks nothing.
  if (typeof at.traceparent === 'string' && TRACEPARENT.test(at.traceparent)) command.traceparent = at.traceparent;
  return command;
}

/** A header says it in digits. */
function wholeOf(given: unknown): number | undefined {
  const number = typeof given === 'string' && /^\d{1,16}$/.test(given) ? Number(given) : given;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}

/** What a record is judged by: its own append time, or an older one that a re-production wrote down. */
export function firstAppendedMs(record: Pick<CommandRecord, 'headers' | 'appendedMs'>): number | Fault {
  const written = headerText(record.headers.locus_appended);
  if (written === undefined) return record.appendedMs;
  const ms = /^\d{1,16}$/.test(written) ? Number(written) : parseTime(written);
  if (ms === undefined) return fault('ENVELOPE_INVALID', 'locus_appended', written, 'must be ms since the epoch or an RFC 3339 time');
  return Math.min(ms, record.appendedMs);
}

/** Was it already produced again to the partition where its key belongs? A second time would be for ever. */
export const isRerouted = (record: Pick<CommandRecord, 'headers'>): boolean => record.headers.locus_rerouted !== undefined;

/** Headers for producing a misplaced record again: its own, and the age it keeps. */
export const reroutedHeaders = (record: Pick<CommandRecord, 'headers'>, appendedMs: number): Record<string, string | Uint8Array> => ({
  ...(Object.fromEntries(Object.entries(record.headers).filter(([, value]) => value !== undefined)) as Record<string, Uint8Array>),
  locus_appended: String(appendedMs),
  locus_rerouted: '1',
});

export type Sendable = {
  readonly address: Address;
  readonly name: string;
  readonly commandId: string;
  readonly input: unknown;
  readonly source: string;
  /** RFC 3339. */
  readonly time: string;
  readonly deadlineMs?: number;
  readonly ifSeq?: number;
  /** Of the actor, as the sender knows it; the first is not told. */
  readonly version?: number;
  readonly notify?: string;
  readonly traceparent?: string;
};

/** Structured mode with one header: each header costs a producer about 2 µs. */
export function encodeCommand(it: Sendable): {
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
} {
  const type = it.address.slice(0, it.address.indexOf('/'));
  const value = JSON.stringify({
    specversion: '1.0',
    id: it.commandId,
    type: `${type}.${it.name}`,
    source: it.source,
    subject: it.address,
    time: it.time,
    datacontenttype: 'application/json',
    locusdeadline: it.deadlineMs === undefined ? undefined : new Date(it.deadlineMs).toISOString(),
    locusifseq: it.ifSeq,
    locusversion: it.version === 1 ? undefined : it.version,
    locusnotify: it.notify,
    traceparent: it.traceparent,
    data: it.input,
  });
  return { key: it.address, value, headers: { 'content-type': STRUCTURED } };
}

function checkContentType(given: string | undefined, field: string, mode: 'binary' | 'structured'): Fault | undefined {
  if (given === undefined || (given === STRUCTURED && mode === 'structured')) return undefined;
  const media = given.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const fits = mode === 'structured' ? media === STRUCTURED || media === 'application/json' : JSON_TYPE.test(media) && media !== STRUCTURED;
  return fits ? undefined : unsupported(given, field, mode);
}
const unsupported = (given: string, field: string, mode: 'binary' | 'structured'): Fault =>
  fault(
    'CONTENT_TYPE_UNSUPPORTED',
    field,
    given,
    mode === 'binary' ? 'must be absent, application/json or */*+json' : `must be absent, ${STRUCTURED} or application/json`,
  );

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
const headerText = (bytes: Uint8Array | undefined): string | undefined => (bytes === undefined ? undefined : text(bytes));
