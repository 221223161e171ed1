import { spawn } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { tool } from '../../infra/dev/tools.ts';
import { type Town, town } from './town.ts';
import { until } from './until.ts';

const towns: Town[] = [];
afterEach(async () => {
  await Promise.all(towns.splice(0).map((it) => it.stop()));
});
async function setup() {
  const it = await town();
  towns.push(it);
  await Promise.all([it.replica('a'), it.replica('b')]);
  const sent = await it.fill();
  await it.settled(sent);
  return { ...it, sent };
}

/** Every way in which a record can be wrong, with the reason that its dead letter must give. */
const wrong = (
  n: number,
): { readonly reason: string; readonly key: string | null; readonly value: string | null; readonly headers?: Record<string, string> } => {
  const good = {
    specversion: '1.0',
    id: `bad-${n}`,
    type: 'cash-location.dispense',
    source: 'test',
    subject: 'cash-location/L1',
    data: { amount: 2000, currency: 'USD' },
  };
  const record = (reason: string, change: object, key: string | null = 'cash-location/L1') => ({
    reason,
    key,
    value: JSON.stringify({ ...good, ...change }),
  });
  const kinds = [
    record('TYPE_UNKNOWN', { type: 'spaceship.dispense', subject: 'spaceship/L1' }, 'spaceship/L1'),
    record('COMMAND_UNKNOWN', { type: 'cash-location.fly' }),
    { reason: 'JSON_INVALID', key: 'cash-location/L1', value: '{"specversion":' },
    { reason: 'JSON_TOO_DEEP', key: 'cash-location/L1', value: `{"specversion":"1.0","data":${'['.repeat(40)}${']'.repeat(40)}}` },
    record('VALUE_TOO_LARGE', { data: { reason: 'x'.repeat(270_000) } }),
    record('COMMAND_ID_MISSING', { id: undefined }),
    record('ADDRESS_INVALID', { subject: 'no address' }, 'no address'),
    record('COMMAND_ID_INVALID', { id: 'no id' }),
    record('KEY_MISMATCH', { subject: 'cash-location/L2' }),
    record('KEY_MISSING', {}, null),
    { reason: 'TOMBSTONE', key: 'cash-location/L1', value: null },
    {
      reason: 'KEY_FORBIDDEN',
      key: 'cash-location/L1',
      value: JSON.stringify(good).replace('"amount":2000', '"__proto__":{"a":1},"amount":2000'),
    },
    record('INPUT_INVALID', { data: { amount: -2000, currency: 'USD' } }),
    record('INPUT_INVALID', { data: { amount: 20.5, currency: 'USD' } }),
    record('INPUT_INVALID', { data: { amount: 2 ** 60, currency: 'USD' } }),
    record('INPUT_INVALID', { data: { amount: 2000, currency: 'dollars' } }),
  ];
  return kinds[n % kinds.length] as ReturnType<typeof wrong>;
};

describe('bad input', () => {
  it('fault: 500 bad records among good ones', async () => {
    const it = await setup();
    const bad = Array.from({ length: 500 }, (_, n) => wrong(n));
    const sent = [...it.sent];
    for (let from = 0; from < bad.length; from += 20) {
      const messages = bad
        .slice(from, from + 20)
        .map(({ key, value, headers }) => ({ key, value, ...(headers === undefined ? {} : { headers }) }));
      await it.producer.send({ topic: it.topics.commands, acks: -1, messages });
      sent.push(...(await it.round(1)));
    }
    await it.settled(sent);
    const { letters } = await it.book();
    await until('500 dead letters', async () => letters.length >= 500);
    const count = (reasons: readonly string[]) =>
      Object.fromEntries([...new Set(reasons)].sort().map((reason) => [reason, reasons.filter((it) => it === reason).length]));
    expect(count(letters.map(({ reason }) => reason))).toEqual(count(bad.map(({ reason }) => reason)));
    await it.audit(sent);
    await it.figures(0, { deadLetters: letters.length });
  });

  it('fault: kcat producing structured CloudEvents with its default partitioner', async () => {
    const it = await setup();
    const commands = it.ids.map((id, n) => ({ address: `cash-location/${id}`, commandId: `kcat-${n}`, name: 'load' }));
    const lines = commands.map(({ address, commandId }) => {
      const value = {
        specversion: '1.0',
        id: commandId,
        type: 'cash-location.load',
        source: 'kcat',
        subject: address,
        data: { currency: 'USD', cassettes: [{ denomination: 5000, count: 1 }] },
      };
      return `${address}|${JSON.stringify(value)}\n`;
    });
    const kcat = spawn(
      tool('kcat'),
      ['-P', '-b', it.brokers, '-t', it.topics.commands, '-K', '|', '-H', 'content-type=application/cloudevents+json'],
      { stdio: ['pipe', 'inherit', 'inherit'] },
    );
    kcat.stdin?.end(lines.join(''));
    expect(await new Promise((resolve) => kcat.once('exit', resolve))).toBe(0);
    await it.settled(commands);
    await it.audit([...it.sent, ...commands]);
    // librdkafka places keys by CRC32: most records are produced again, to the partition where their key belongs.
    const records = (await it.admin.fetchTopicOffsets(it.topics.commands)).reduce((sum, { high }) => sum + Number(high), 0);
    const rerouted = records - it.sent.length - commands.length;
    await it.figures(0, { rerouted });
    expect(rerouted).toBeGreaterThan(0);
  });
});
