/** What a replica says of itself: log lines and metrics. The only file that knows pino and prom-client. */
import { pino } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, type Histogram, Registry } from 'prom-client';
import { every, systemClock } from '../clock.ts';
import type { Clock, Log } from '../ports.ts';
import { redacted } from './redaction.ts';
import type { Meters } from './site.ts';

export type TelemetryOptions = {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly replica: string;
  readonly version: string;
  readonly clock?: Clock;
  /** Where the lines go; default: standard output. */
  readonly write?: (line: string) => void;
};

/** Figures that are read when somebody scrapes: what nobody gives is not exported. */
export type Readings = Partial<Record<keyof typeof readings, () => number>>;

export type Telemetry = {
  readonly log: Log;
  readonly meters: Meters;
  /** How much of a lease was left when it was renewed, ms. */
  readonly leaseMargin: (ms: number) => void;
  readonly watch: (given: Readings) => void;
  readonly metrics: () => Promise<{ readonly type: string; readonly text: string }>;
  readonly stop: () => void;
};

const readings = {
  active: ['locus_active', 'Locations in memory.'],
  mailboxDepth: ['locus_mailbox_depth', 'Commands that wait in memory, over all locations.'],
  mailboxOldestSeconds: ['locus_mailbox_oldest_seconds', 'Age of the oldest command that waits in memory.'],
  parked: ['locus_parked', 'Locations held by a parked command.'],
  outboxUnpublished: ['locus_outbox_unpublished', 'Committed events not yet on the events topic.'],
  watermarkLag: ['locus_watermark_lag', 'Records taken whose offsets cannot be committed yet.'],
} as const;

const FAST_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const SLOW_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60];

export function telemetry({ level, replica, version, clock = systemClock, write }: TelemetryOptions): Telemetry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const info = { name: 'locus_build_info', help: 'Always 1; its labels say what runs.', labelNames: ['version', 'node', 'replica'] };
  new Gauge({ ...info, registers: [registry] }).set({ version, node: process.version, replica }, 1);
  const stopLag = watchEventLoop(registry, clock);
  const seconds = histograms(registry);
  return {
    log: logTo(level, replica, write),
    meters: metersOf(registry, seconds),
    leaseMargin: seconds('locus_lease_margin_seconds', 'Time left on a lease when it was renewed.', SLOW_S),
    watch(given) {
      for (const [key, read] of Object.entries(given)) {
        const [name, help] = readings[key as keyof typeof readings];
        gauge(registry, name, help, read);
      }
    },
    metrics: async () => ({ type: registry.contentType, text: await registry.metrics() }),
    stop: stopLag,
  };
}

function logTo(level: string, replica: string, write?: (line: string) => void): Log {
  const options = {
    level,
    base: { replica },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }), log: redacted },
    // redacted has made plain objects of errors already.
    serializers: { err: (error: unknown) => error },
  };
  return write === undefined ? pino(options) : pino(options, { write });
}

type Seconds = (name: string, help: string, buckets: number[]) => (ms: number) => void;
/** Counted here and handed to prom-client only when somebody scrapes, as the counters below: three a dispense cost it as much as a decision. */
const histograms =
  (registry: Registry): Seconds =>
  (name, help, buckets) => {
    const counts = buckets.map(() => 0);
    let count = 0;
    let sum = 0;
    const values = () => {
      let below = 0;
      const upTo = buckets.map((le, i) => {
        below += counts[i] ?? 0;
        return { metricName: `${name}_bucket`, labels: { le }, value: below };
      });
      return [
        ...upTo,
        { metricName: `${name}_bucket`, labels: { le: '+Inf' }, value: count },
        { metricName: `${name}_sum`, labels: {}, value: sum },
        { metricName: `${name}_count`, labels: {}, value: count },
      ];
    };
    registry.registerMetric({
      name,
      get: async () => ({ name, help, type: 'histogram', aggregator: 'sum', values: values() }),
    } as unknown as Histogram);
    return (ms) => {
      const seconds = ms / 1_000;
      sum += seconds;
      count++;
      for (let i = 0; i < buckets.length; i++)
        if (seconds <= (buckets[i] as number)) {
          counts[i] = (counts[i] ?? 0) + 1;
          return;
        }
    };
  };

/** Counts in a map and hands the sums to prom-client only when somebody scrapes: its own label look-up costs a microsecond a time. */
function counter(registry: Registry, name: string, help: string, labelNames: readonly string[] = []): (...labels: string[]) => void {
  const sums = new Map<string, { readonly labels: Record<string, string>; sum: number }>();
  if (labelNames.length === 0) sums.set('', { labels: {}, sum: 0 });
  new Counter({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, sum } of sums.values()) this.inc(labels, sum);
    },
  });
  // Most are what the one before was.
  let last: readonly string[] = [];
  let at = sums.get('');
  return (...values) => {
    if (at === undefined || values.length !== last.length || values.some((value, i) => value !== last[i])) {
      const key = values.join('\n');
      at = sums.get(key) ?? { labels: Object.fromEntries(labelNames.map((label, i) => [label, values[i] ?? ''])), sum: 0 };
      sums.set(key, at);
      last = values;
    }
    at.sum++;
  };
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

function metersOf(registry: Registry, seconds: Seconds): Meters {
  const count = (name: string, help: string, labels?: readonly string[]) => counter(registry, name, help, labels);
  const commands = count('locus_commands_total', 'Commands by their outcome.', ['type', 'outcome', 'lane']);
  const duplicates = count('locus_duplicates_total', 'Commands that had their final outcome already.');
  const turnTook = seconds('locus_turn_seconds', 'From the arrival of a command to its durable verdict.', FAST_S);
  const turns = new Counter({ name: 'locus_committed_turns_total', help: 'Turns in acknowledged commits.', registers: [registry] });
  const commits = seconds('locus_commit_seconds', 'One fenced commit, until the store has acknowledged it.', FAST_S);
  const effects = count('locus_effects_total', 'Calls to the outside by what came of them.', ['effect', 'outcome']);
  const effectTook = seconds('locus_effect_seconds', 'One call to the outside.', SLOW_S);
  const activations = count('locus_activations_total', 'Locations that came to be owned here.', ['reason']);
  const activationTook = seconds('locus_activation_seconds', 'From the first message of a location to its first turn.', FAST_S);
  const open = { intents: 0, doubts: 0 };
  gauge(registry, 'locus_open_intents', 'Effects that were intended and have no evidence yet.', () => open.intents);
  gauge(registry, 'locus_in_doubt', 'Effects whose outcome the outside could not tell yet.', () => open.doubts);
  return {
    turn(type, outcome, lane, tookMs) {
      if (tookMs !== undefined) turnTook(tookMs);
      commands(type, outcome, lane);
      if (outcome === 'duplicate') duplicates();
    },
    committed(tookMs, many) {
      commits(tookMs);
      turns.inc(many);
    },
    effect(name, outcome, tookMs) {
      effects(name, outcome);
      effectTook(tookMs);
    },
    activated(reason, tookMs) {
      activations(reason);
      activationTook(tookMs);
    },
    fenced: count('locus_fenced_total', 'Commits refused because another replica has a higher epoch.'),
    withoutLease: count('locus_claims_without_lease_total', 'Claims made without the lease, after it was waited for.'),
    recovered: count('locus_recovered_total', 'Intents of an earlier owner that were settled here.'),
    redelivered: count('locus_redelivered_total', 'Records that had been delivered before.'),
    deadLetter: count('locus_dead_letters_total', 'Records that can never run, by reason.', ['reason']),
    opened: (intents) => {
      open.intents += intents;
    },
    doubted: (intents) => {
      open.doubts += intents;
    },
  };
}

const LAG_EVERY_MS = 100;
/** How late a timer came at worst since the last scrape. */
function watchEventLoop(registry: Registry, clock: Clock): () => void {
  let worstMs = 0;
  let lastMs = clock.monotonic();
  const look = () => {
    const nowMs = clock.monotonic();
    worstMs = Math.max(worstMs, nowMs - lastMs - LAG_EVERY_MS);
    lastMs = nowMs;
  };
  const alarm = every(clock, LAG_EVERY_MS, look, () => {});
  gauge(registry, 'locus_event_loop_lag_seconds', 'How late a timer came at worst since the last scrape.', () => {
    const seconds = worstMs / 1_000;
    worstMs = 0;
    return seconds;
  });
  return () => alarm.cancel();
}
