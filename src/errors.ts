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
  DATA_DIR_INVALID: 'stop',
  LINK_REFUSED: 'stop',
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

/** A server and this program do not accept each other: certificate, password or rights. It stays so until somebody changes one of them. */
export const linkRefused = (faults: readonly Fault[]): LocusError =>
  new LocusError('LINK_REFUSED', faults.map(sentence).join('; '), { faults });

/** One end of a link that should speak TLS, in the words of the configuration. */
export type TlsEnd = {
  /** Such as `the Kafka broker at k1:9093`. */
  readonly server: string;
  /** The variable that holds the address. */
  readonly address: string;
  /** The variable that holds the CA, and whether it is set. */
  readonly ca: string;
  readonly hasCa: boolean;
};
const UNTRUSTED =
  /^(UNABLE_TO_(GET_ISSUER_CERT(_LOCALLY)?|VERIFY_LEAF_SIGNATURE)|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|CERT_(SIGNATURE_FAILURE|UNTRUSTED|REJECTED)|INVALID_(CA|PURPOSE))$/;
const DATED = /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/;
const CLIENT_CERTIFICATE = /CERTIFICATE_REQUIRED|SSLV3_ALERT_(HANDSHAKE_FAILURE|BAD_CERTIFICATE)/;

/** What a TLS handshake failed of, by the code of Node's error (nodejs.org/api/tls.html, X509 certificate error codes); undefined: of something else. */
export function tlsFault({ code = '', message }: { readonly code?: string; readonly message: string }, end: TlsEnd): Fault | undefined {
  const said = (field: string, value: string, rule: string): Fault => ({ code: 'LINK_REFUSED', field, value, rule });
  if (UNTRUSTED.test(code)) {
    const wrong = end.hasCa ? `not the CA of ${end.server}` : `not set, and no CA that Node trusts signed the certificate of ${end.server}`;
    return said(end.ca, wrong, `set it to the PEM of the CA that signed its certificate (${code})`);
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return said(end.address, `not the name in the certificate of ${end.server}`, `use a name that the certificate has (${message})`);
  if (DATED.test(code)) return said(`the certificate of ${end.server}`, code, 'renew it, or set the clock of this machine');
  if (CLIENT_CERTIFICATE.test(code))
    return said('TLS', `refused by ${end.server}`, `it must not ask for a certificate of its clients, as this program has none (${code})`);
  return undefined;
}

/** The message of whatever was thrown, its causes after it. */
export function why(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A host of several addresses fails once for each, and says nothing itself.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(why).join('; ');
  const cause = error.cause === undefined ? '' : why(error.cause);
  // Some libraries wrap an error in one that says the same.
  return error.message.includes(cause) ? error.message : `${error.message}: ${cause}`;
}
