/** `locus events`, `dead-letters` and `doctor` over a real fleet: what an operator sees of it, and a dead letter that is sent again and runs. */
import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Town, town } from './town.ts';
import { until } from './until.ts';

let it_: Town;
let env: Record<string, string>;
beforeAll(async () => {
  it_ = await town({ partitions: 3, locations: 2 });
  env = {
    PATH: process.env.PATH ?? '',
    KAFKA_BROKERS: it_.brokers,
    KAFKA_GROUP_ID: it_.name,
    REDIS_URL: it_.store.url,
    LOCK_REDIS_URLS: it_.locks.map(({ url }) => url).join(','),
    DEVICE_URL: it_.device.url,
    COMMANDS_TOPIC: it_.topics.commands,
    EVENTS_TOPIC: it_.topics.events,
    DEAD_LETTERS_TOPIC: it_.topics.letters,
  };
});
afterAll(() => it_?.stop());

type Ran = { readonly exit: number | null; readonly out: string; readonly err: string };
const locus = (...words: string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const child = execFile(process.execPath, ['dist/src/cli.js', ...words], { env }, (_error, out, err) =>
      resolve({ exit: child.exitCode, out, err }),
    );
  });
const parsed = async (...words: string[]) => JSON.parse((await locus(...words, '-o', 'json')).out);
const because = ['--because', 'mended'];
const load = { currency: 'USD', cassettes: [{ denomination: 2000, count: 5 }] };

it('a fresh place is well but for its topics, which are not there yet', async () => {
  const { exit, out, err } = await locus('doctor');
  expect([out, exit, err]).toEqual([expect.stringContaining('not there yet'), 0, '']);
  expect((await it_.admin.listTopics()).filter((topic) => topic.includes('doctor'))).toEqual([]);
});

it('a fleet at work is well; a setting that is wrong is told with its fix, and exits 1', async () => {
  env.LOCUS_ADMIN_URL = (await it_.replica('a')).admin;
  const { well, findings } = await parsed('doctor');
  expect(findings.filter(({ state }: { state: string }) => state !== 'ok')).toEqual([]);
  expect(well).toBe(true);
  const clocks = findings.filter(({ check }: { check: string }) => check === 'clock');
  expect(clocks.map(({ target }: { target: string }) => target.split(' ')[0])).toEqual(['Kafka', 'Redis']);

  await it_.admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: 2, name: it_.topics.commands, configEntries: [{ name: 'message.timestamp.type', value: 'CreateTime' }] }],
  });
  const { exit, out } = await locus('doctor');
  expect(exit).toBe(1);
  expect(out).toMatch(
    new RegExp(`wrong +topic +${it_.topics.commands} +message.timestamp.type is CreateTime: must be LogAppendTime: kafka-configs`),
  );
  await it_.admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: 2, name: it_.topics.commands, configEntries: [{ name: 'message.timestamp.type', value: 'LogAppendTime' }] }],
  });
});

it('events of a location are shown, and those that come are followed', async () => {
  await it_.settled(
    await it_.send(it_.commandOf('L0', 'load', load, 'c1'), it_.commandOf('L1', 'load', load), it_.commandOf('L0', 'close', {}, 'c2')),
  );
  const { exit, out } = await locus('events', 'cash-location/L0');
  expect(exit).toBe(0);
  expect(
    out
      .trimEnd()
      .split('\n')
      .map((line) =>
        line
          .trim()
          .split(/ {2}/)
          .filter((_, at) => at !== 1)
          .slice(0, 3),
      ),
  ).toEqual([
    ['1', 'Loaded', 'c1'],
    ['2', 'Closed', 'c2'],
  ]);

  const child = spawn(process.execPath, ['dist/src/cli.js', 'events', 'cash-location/L0', '--after', '1', '--follow', '-o', 'json'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const seen: number[] = [];
  createInterface(child.stdout).on('line', (line) => seen.push(JSON.parse(line).locusseq));
  await until('it shows what was there', async () => seen.length === 1);
  await it_.settled(await it_.send(it_.commandOf('L0', 'open', {}, 'c3')));
  await until('it shows what came', async () => seen.length === 2);
  expect(seen).toEqual([2, 3]);
  child.kill('SIGINT');
  expect(await gone).toBe(0);
  // Whoever looks joins no group.
  const groups = (await it_.admin.listGroups()).groups.map(({ groupId }) => groupId);
  const ours = [it_.name, `${it_.name}-ledger`];
  expect(groups.filter((id) => id.startsWith(it_.name) && !ours.includes(id))).toEqual([]);
});

it('a dead letter is listed and shown; sent again while nothing is mended it comes back, with the age it had', async () => {
  const { message } = it_.commandOf('L1', 'open', {}, 'd1');
  const strange = { ...message, value: message.value.replace('cash-location.open', 'cash-location.unheard-of') };
  await it_.producer.send({ topic: it_.topics.commands, messages: [strange, { ...message, key: 'cash-location/L0' }] });
  await until('two letters', async () => (await parsed('dead-letters', 'ls')).letters.length === 2);
  const { letters } = await parsed('dead-letters', 'ls', '--where', 'reason=COMMAND_UNKNOWN');
  expect(letters).toMatchObject([{ reason: 'COMMAND_UNKNOWN', key: 'cash-location/L1', topic: it_.topics.commands }]);
  const [{ id }] = letters;
  const shown = await parsed('dead-letters', 'show', id);
  expect(JSON.parse(shown.value)).toMatchObject({ id: 'd1', type: 'cash-location.unheard-of' });
  expect((await locus('dead-letters', 'show', '0:999')).exit).toBe(1);

  const dry = await locus('dead-letters', 'replay', id, '--dry-run', ...because);
  expect([dry.exit, dry.out]).toEqual([0, expect.stringContaining('would be sent')]);
  expect((await locus('dead-letters', 'replay', '--where', 'reason=COMMAND_UNKNOWN', ...because)).exit).toBe(0);
  await until('it is back', async () => (await parsed('dead-letters', 'ls')).letters.length === 3);
  const again = (await parsed('dead-letters', 'ls', '--where', 'reason=COMMAND_UNKNOWN')).letters[1];
  const { headers, value } = await parsed('dead-letters', 'show', again.id);
  expect([value, headers]).toEqual([strange.value, { ...shown.headers, locus_appended: shown.appended }]);
});

it('a dead letter whose cause was mended runs when it is sent again, and once however often it is', async () => {
  const { message, sent } = it_.commandOf('L1', 'close', {}, 'd2');
  // As an older program would have set it aside that did not know the command.
  const headers = {
    ...message.headers,
    dlq_reason: 'COMMAND_UNKNOWN',
    dlq_topic: it_.topics.commands,
    dlq_timestamp: new Date(Date.now() - 60_000).toISOString(),
  };
  await it_.producer.send({ topic: it_.topics.letters, messages: [{ ...message, headers }] });
  const [{ id }] = (await parsed('dead-letters', 'ls', '--max', '10')).letters.slice(-1);
  for (let n = 0; n < 2; n += 1) expect((await locus('dead-letters', 'replay', id, ...because)).exit).toBe(0);
  const after = it_.commandOf('L1', 'open', {});
  await it_.settled([sent, ...(await it_.send(after))]);
  const lines = (await locus('events', 'cash-location/L1')).out.trimEnd().split('\n');
  expect(lines.map((line) => line.trim().split(/ {2}/)[2])).toEqual(['Loaded', 'Closed', 'Opened']);
});

it('the books of a demonstration are told in JSON, and nothing else', async () => {
  const { commands, events, letters } = it_.topics;
  const topics = ['--commands', commands, '--events', events, '--dead-letters', letters];
  const args = ['--brokers', it_.brokers, ...topics, '--journal', it_.device.journal, '--redelivered', '0', '--json'];
  const out = await new Promise<string>((resolve) => {
    execFile(process.execPath, ['dist/infra/dev/books-run.js', ...args], (_error, text) => resolve(text));
  });
  expect(JSON.parse(out)).toMatchObject({ inDoubt: 0, delivered: 0, booked: 0 });
});
