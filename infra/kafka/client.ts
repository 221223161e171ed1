/** Builds kafkajs clients: how they connect, how long they try, and what of their log is worth whose attention. */
import { Kafka, type LogEntry, logLevel, type RetryOptions, type SASLOptions } from 'kafkajs';
import type { Log } from '../../src/ports.ts';
import { install } from './patches.ts';

/** How a cluster is reached. */
export type KafkaAccess = {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly log: Log;
  /** Speak TLS; `ca`: the only CAs that are trusted, in PEM; without it those that Node trusts. */
  readonly tls?: { readonly ca: string | undefined } | undefined;
  readonly sasl?: Sasl | undefined;
  /** What to call a variable whose value came from elsewhere, such as a file. */
  readonly named?: (variable: string) => string;
};
export type Sasl = {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
  readonly username: string;
  readonly password: string;
};

/** kafkajs tries again after 0.1 to 1 s; at 5 tries a restarted broker is found again, and one that is gone is reported, within 5 s. */
export const RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, multiplier: 2, factor: 0.2, retries: 5 } as const;
const CONNECT_WITHIN_MS = 3_000;
/** A broker that is frozen must not hold a request for kafkajs's 30 s. */
const ANSWER_WITHIN_MS = 10_000;

export function kafkaClient({ brokers, clientId, log, tls, sasl }: KafkaAccess, retry: RetryOptions = RETRY): Kafka {
  install();
  return new Kafka({
    brokers: [...brokers],
    clientId,
    connectionTimeout: CONNECT_WITHIN_MS,
    requestTimeout: ANSWER_WITHIN_MS,
    retry,
    ...(tls === undefined ? {} : { ssl: tls.ca === undefined ? true : { ca: tls.ca } }),
    ...(sasl === undefined ? {} : { sasl: { ...sasl, mechanism: sasl.mechanism.toLowerCase() } as SASLOptions }),
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => write(log, entry),
  });
}

/** What happens in every rebalance, though kafkajs calls it an error. */
const ORDINARY = /rebalanc|re-join|not aware of this member|coordinator is (loading|not available)/i;

/** kafkajs retries most of what it reports: what it gives up on reaches us as a rejection or a crash, and is told there. */
function write(log: Log, { namespace, level, log: { message, timestamp: _, logger: __, ...fields } }: LogEntry): void {
  const kind = kindOf(level, `${message} ${String(fields.error ?? '')}`);
  log[kind]({ room: 'kafka', part: namespace, detail: message, ...plain(fields) }, 'kafkajs says');
}

function kindOf(level: logLevel, text: string): keyof Log {
  // The outlet replaces a producer that gave up, which keeps what the limit would endanger.
  if (text.startsWith('Limiting retries')) return 'debug';
  if (level === logLevel.ERROR) return ORDINARY.test(text) ? 'info' : 'warn';
  return level === logLevel.WARN ? 'info' : 'debug';
}

/** Without stacks, and without the assignments of whole groups. */
function plain(fields: Readonly<Record<string, unknown>>): object {
  const shown = Object.entries(fields).filter(([name]) => name !== 'stack' && name !== 'memberAssignment');
  return Object.fromEntries(shown.map(([name, value]) => [name, value instanceof Error ? value.message : value]));
}
