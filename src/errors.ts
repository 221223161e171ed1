/** The closed page of errors: each has a code, a sentence with the values in it, and a fate. */

/** retry: may pass later · refuse: this input never passes · stop: the program must not go on. */
export type Fate = 'retry' | 'refuse' | 'stop';

const fates = {
  // What a sender did wrong: a dead letter over Kafka, a problem over HTTP.
  ADDRESS_INVALID: 'refuse',
  COMMAND_ID_INVALID: 'refuse',
  COMMAND_ID_MISSING: 'refuse',
  KEY_MISSING: 'refuse',
  KEY_MISMATCH: 'refuse',
  TOMBSTONE: 'refuse',
  ENVELOPE_INVALID: 'refuse',
  CONTENT_TYPE_UNSUPPORTED: 'refuse',
  HEADERS_TOO_LARGE: 'refuse',
  JSON_INVALID: 'refuse',
  JSON_TOO_DEEP: 'refuse',
  KEY_FORBIDDEN: 'refuse',
  VALUE_TOO_LARGE: 'refuse',
  TYPE_UNKNOWN: 'refuse',
  COMMAND_UNKNOWN: 'refuse',
  INPUT_INVALID: 'refuse',
  ID_REUSED: 'refuse',
  STALE: 'refuse',
  MISPLACED: 'refuse',
  TIMER_NOT_ARMED: 'refuse',
  CODEC_UNSUPPORTED: 'refuse',
  NOT_FOUND: 'refuse',
  UNAUTHORIZED: 'refuse',
  FORBIDDEN: 'refuse',
  CONFLICT: 'refuse',
  // What may pass later.
  STORE_DOWN: 'retry',
  LOG_DOWN: 'retry',
  LOG_UNACKNOWLEDGED: 'retry',
  BUSY: 'retry',
  DRAINING: 'retry',
  RATE_LIMITED: 'retry',
  REQUEST_TIMEOUT: 'retry',
  PARTITION_REFUSED: 'retry',
  OWNER_UNREACHABLE: 'retry',
  INTERNAL: 'retry',
  // What ends the program, or keeps it from starting.
  CONFIG_INVALID: 'stop',
  STORE_POLICY: 'stop',
  LAYOUT_CHANGED: 'stop',
  TOPICS_INVALID: 'stop',
  SUPERSEDED: 'stop',
  ACTOR_INVALID: 'stop',
} as const satisfies Record<string, Fate>;

export type Code = keyof typeof fates;
export const codes = Object.keys(fates) as readonly Code[];
export const fateOf = (code: Code): Fate => fates[code];
export const isCode = (it: unknown): it is Code => typeof it === 'string' && Object.hasOwn(fates, it);

/** What was wrong with an input, as data: the field (a path such as `input.amount`), its value shortened, and the rule it broke. */
export type Fault = { readonly code: Code; readonly field: string; readonly value: string; readonly rule: string };

const SHOWN = 120;
/** A value as it may be shown to the one who sent it: JSON, cut at 120 characters. */
export function shown(value: unknown): string {
  let text: string;
  try {
    text = typeof value === 'string' ? JSON.stringify(value) : (JSON.stringify(value) ?? String(value));
  } catch {
    text = String(value);
  }
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

export const fault = (code: Code, field: string, value: unknown, rule: string): Fault => ({ code, field, value: shown(value), rule });
export const sentence = (it: Fault): string => `${it.field} is ${it.value}: ${it.rule}`;

export class LocusError extends Error {
  readonly code: Code;
  readonly fate: Fate;
  readonly faults: readonly Fault[];
  constructor(code: Code, message: string, options: { cause?: unknown; faults?: readonly Fault[] } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LocusError';
    this.code = code;
    this.fate = fates[code];
    this.faults = options.faults ?? [];
  }
}

/** The message of whatever was thrown, its causes after it. */
export function why(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${why(error.cause)}`;
}
