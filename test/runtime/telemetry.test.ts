/** Log lines have fixed fields and hold no account or card number; metrics count what the runtime tells them. */
import { expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.ts';
import { telemetry } from '../../src/runtime/telemetry.ts';

function setup(level: 'debug' | 'info' = 'info') {
  const lines: string[] = [];
  const it = telemetry({ level, replica: 'replica-0', version: '0.1.0', write: (line) => lines.push(line) });
  const sample = async (name: string) => (await it.metrics()).text.split('\n').find((line) => line.startsWith(name));
  return { ...it, sample, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown> };
}

it('writes one JSON line with the replica, a level in words and an ISO time', () => {
  const { log, last, lines } = setup();
  log.info({ address: 'cash-location/a', commandId: 'c1', seq: 7 }, 'in doubt');
  expect(last()).toMatchObject({
    level: 'info',
    replica: 'replica-0',
    address: 'cash-location/a',
    commandId: 'c1',
    seq: 7,
    msg: 'in doubt',
  });
  expect(last().time).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  log.debug({}, 'not written at info');
  expect(lines).toHaveLength(1);
});

it.each([
  [{ input: { account: 'AC-99', card: '4111111111111111', amount: 5 } }],
  [{ command: { deep: [{ account: 'AC-99' }] } }],
  [{ why: 'input.account is "AC-99": must be shorter' }],
  [{ why: 'input is {"amount":5,"account":"AC-99…' }],
  [{ why: 'input is "{\\"account\\":\\"AC-99\\"}"' }],
  [{ why: 'no such card 4111 1111 1111 1111' }],
  [{ err: new Error('declined: card: AC-99', { cause: new Error('4111-1111-1111-1111') }) }],
])('never writes an account or card number: %j', (fields) => {
  const { log, lines } = setup();
  log.warn(fields, 'a turn failed');
  expect(lines[0]).not.toMatch(/AC-99|4111[ -]?1111[ -]?1111/);
});

it('leaves ids and other long numbers as they are', () => {
  const { log, last } = setup();
  log.info({ commandId: '4111111111111111', offset: 4_111_111_111_111_111, why: 'offset 1763694151123456' }, 'closed');
  expect(last()).toMatchObject({ commandId: '4111111111111111', offset: 4_111_111_111_111_111, why: 'offset 1763694151123456' });
});

it('tells an error with its stack and causes', () => {
  const { log, last } = setup();
  log.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'a step failed');
  expect(last().err).toMatchObject({
    type: 'Error',
    message: 'outer',
    stack: expect.stringContaining('telemetry.test'),
    cause: { message: 'inner' },
  });
});

it('counts turns by type, outcome and lane', async () => {
  const { meters, sample } = setup();
  meters.turn('cash-location', 'done', 'customer');
  meters.turn('cash-location', 'done', 'customer');
  meters.turn('cash-location', 'duplicate', 'customer');
  expect(await sample('locus_commands_total{type="cash-location",outcome="done"')).toMatch(/lane="customer"} 2$/);
  expect(await sample('locus_duplicates_total')).toBe('locus_duplicates_total 1');
  expect(await sample('locus_commands_total{type="cash-location",outcome="done"'), 'a second scrape').toMatch(/ 2$/);
});

it('measures in seconds', async () => {
  const { meters, leaseMargin, sample } = setup();
  meters.turn('cash-location', 'done', 'customer', 20);
  meters.turn('cash-location', 'done', 'control');
  meters.committed(250, 16);
  meters.effect('dispenseCash', 'confirmed', 1_500);
  leaseMargin(4_000);
  expect(await sample('locus_turn_seconds_sum')).toBe('locus_turn_seconds_sum 0.02');
  expect(await sample('locus_turn_seconds_count')).toBe('locus_turn_seconds_count 1');
  expect(await sample('locus_commit_seconds_sum')).toBe('locus_commit_seconds_sum 0.25');
  expect(await sample('locus_committed_turns_total')).toBe('locus_committed_turns_total 16');
  expect(await sample('locus_effect_seconds_sum')).toBe('locus_effect_seconds_sum 1.5');
  expect(await sample('locus_effects_total{')).toBe('locus_effects_total{effect="dispenseCash",outcome="confirmed"} 1');
  expect(await sample('locus_lease_margin_seconds_sum')).toBe('locus_lease_margin_seconds_sum 4');
});

it('shows what is in doubt now, and zero for what never happened', async () => {
  const { meters, sample } = setup();
  meters.doubted(1);
  meters.doubted(1);
  meters.doubted(-1);
  expect(await sample('locus_in_doubt ')).toBe('locus_in_doubt 1');
  expect(await sample('locus_fenced_total')).toBe('locus_fenced_total 0');
});

it('reads figures when they are scraped, and exports only those it was given', async () => {
  const { watch, sample } = setup();
  let active = 3;
  watch({ active: () => active });
  expect(await sample('locus_active ')).toBe('locus_active 3');
  active = 4;
  expect(await sample('locus_active ')).toBe('locus_active 4');
  expect(await sample('locus_parked')).toBeUndefined();
});

it('says what runs', async () => {
  const { sample } = setup();
  expect(await sample('locus_build_info{')).toMatch(/version="0.1.0",node="v\d+.*",replica="replica-0"} 1$/);
});

it('says how late the event loop was at worst, until somebody scrapes', async () => {
  let nowMs = 0;
  const wakes: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    monotonic: () => nowMs,
    after: (_ms, called) => {
      wakes.push(called);
      return { cancel: () => {} };
    },
  };
  const it = telemetry({ level: 'info', replica: 'replica-0', version: '0.1.0', clock });
  const lag = async () => (await it.metrics()).text.split('\n').find((line) => line.startsWith('locus_event_loop_lag_seconds '));
  for (const atMs of [100, 450, 550]) {
    nowMs = atMs;
    wakes.shift()?.();
    await expect.poll(() => wakes.length).toBe(1);
  }
  expect(await lag()).toBe('locus_event_loop_lag_seconds 0.25');
  expect(await lag()).toBe('locus_event_loop_lag_seconds 0');
});
