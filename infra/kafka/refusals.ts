/** Tells what stands between this program and the brokers: who refuses whom, over what, and what to change. Never holds a password. */
import { type Code, type Fault, LocusError, linkRefused, tlsFault, why } from '../../src/errors.ts';
import type { KafkaAccess } from './client.ts';

/** What kafkajs's errors may carry; the first is at the bottom of their causes. */
type Told = Error & { readonly code?: unknown; readonly type?: unknown; readonly broker?: unknown };

const said = (field: string, value: string, rule: string): Fault => ({ code: 'LINK_REFUSED', field, value, rule });
const nameOf = (variable: string, { named = (it) => it }: KafkaAccess): string => named(variable);

/** Why the link was refused, if it was; undefined: anything that may pass by itself. */
export function refusal(error: unknown, access: KafkaAccess): Fault | undefined {
  if (!(error instanceof Error) || error instanceof LocusError) return undefined;
  return (
    overTls(error, access) ??
    (access.sasl === undefined ? undefined : overSasl(error, access, access.sasl)) ??
    overRights(error, access) ??
    refusal(error.cause, access)
  );
}

const brokerIn = (error: Told, { brokers }: KafkaAccess): string =>
  `the Kafka broker at ${typeof error.broker === 'string' ? error.broker : brokers.join(' or ')}`;

function overTls(error: Told, access: KafkaAccess): Fault | undefined {
  const end = {
    server: brokerIn(error, access),
    address: nameOf('KAFKA_BROKERS', access),
    ca: nameOf('KAFKA_SSL_CA', access),
    hasCa: access.tls?.ca !== undefined,
  };
  return tlsFault({ code: String(error.code), message: error.message }, end);
}

/** kafkajs calls it a failed authentication too when the link went while it asked. */
const NO_ANSWER = /closed connection|connection (error|timeout|closed)|not connected|timed out/i;
function overSasl(error: Told, access: KafkaAccess, { mechanism, username }: NonNullable<KafkaAccess['sasl']>): Fault | undefined {
  const broker = brokerIn(error, access);
  if (error.type === 'UNSUPPORTED_SASL_MECHANISM' || /mechanism is not supported/.test(error.message))
    return said(
      nameOf('KAFKA_SASL_MECHANISM', access),
      `${mechanism}, which ${broker} does not offer`,
      'use one of its sasl.enabled.mechanisms',
    );
  if (error.name !== 'KafkaJSSASLAuthenticationError' || NO_ANSWER.test(error.message)) return undefined;
  const refused = `refused by ${broker} for user ${username} (${mechanism})`;
  return said(nameOf('KAFKA_SASL_PASSWORD', access), refused, 'write the password that this user has there, or see to KAFKA_SASL_USERNAME');
}

function overRights(error: Told, { sasl }: KafkaAccess): Fault | undefined {
  const type = String(error.type);
  if (!type.endsWith('_AUTHORIZATION_FAILED')) return undefined;
  return said('ACL of Kafka', `without a right of ${principal(sasl)}`, `grant what docs/links.md lists (${type})`);
}
/** As Kafka's ACLs name who this program is. */
const principal = (sasl: KafkaAccess['sasl']): string => `User:${sasl?.username ?? 'ANONYMOUS'}`;

/** Rights on one topic or group that the user lacks, with the line that grants them. */
export function lacking(sasl: KafkaAccess['sasl'], rights: readonly string[], kind: 'topic' | 'group', name: string): Fault {
  const who = principal(sasl);
  const line = `kafka-acls.sh --add --allow-principal ${who} ${rights.map((it) => `--operation ${it}`).join(' ')} --${kind} ${name}`;
  return said(`ACL of Kafka's ${kind} ${name}`, `without ${rights.join(', ')} for ${who}`, line);
}

/** What an attempt met, as what to stop for or as what may pass. */
export function failure(error: unknown, access: KafkaAccess, code: Code, message: string): LocusError {
  if (error instanceof LocusError) return error;
  const fault = refusal(error, access);
  return fault === undefined ? new LocusError(code, `${message}${hint(error, access)}`, { cause: error }) : linkRefused([fault]);
}

/** The reason in words. */
export function told(error: unknown, access: KafkaAccess): string {
  const fault = refusal(error, access);
  return fault === undefined ? `${why(error)}${hint(error, access)}` : linkRefused([fault]).message;
}

/** A broker hangs up on a client that speaks otherwise than its listener does, without a word. */
function hint(error: unknown, { tls, sasl }: KafkaAccess): string {
  if (/find group coordinator/i.test(why(error))) return ` (perhaps ${principal(sasl)} may not read with its group: see docs/links.md)`;
  if (!/closed connection|ECONNRESET|disconnected before secure|socket hang up|timed? ?out/i.test(why(error))) return '';
  const unset = [...(tls === undefined ? ['KAFKA_SSL=true'] : []), ...(sasl === undefined ? ['KAFKA_SASL_MECHANISM'] : [])];
  return unset.length > 0
    ? ` (perhaps that listener asks for ${unset.join(' or ')})`
    : ' (perhaps that listener does not speak TLS: see KAFKA_SSL)';
}
