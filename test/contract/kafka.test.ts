import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { startKafkaServer } from '../../infra/dev/kafka-server.ts';
import { tool } from '../../infra/dev/tools.ts';
import { shareOut } from '../../infra/kafka/assigner.ts';
import { kafkaCommandLog } from '../../infra/kafka/consumer.ts';
import { kafkaWriter } from '../../infra/kafka/producer.ts';
import { ensureTopics } from '../../infra/kafka/topics.ts';
import { FETCH_VERSION } from '../../infra/kafka/unreadable.ts';
import { systemClock } from '../../src/clock.ts';
import { quiet } from './quiet.ts';
import { commitAll, recordingReader } from './recording-reader.ts';

const require = createRequire(import.meta.url);
const PARTITIONS = 6;
const SESSION_MS = 6_000;
const SOON = { timeout: 20_000, interval: 20 };
let names = 0;
const endings: (() => Promise<unknown>)[] = [];
const atEnd = (end: () => Promise<unknown>) => endings.unshift(end);
afterEach(async () => {
  for (const end of endings.splice(0)) await end();
});

/** New topics and a group of their own on a broker, this run's unless another is given. */
async function setup(brokers = inject('brokers').split(',')) {
  const base = `kafka-${process.pid}-${Date.now()}-${names++}`;
  const topics = { commands: `${base}.commands`, events: `${base}.events`, deadLetters: `${base}.dead` };
  const access = { brokers, clientId: 'test', log: quiet };
  const common = { ...access, clock: systemClock };
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  atEnd(() => admin.disconnect());
  const ensure = (partitions = PARTITIONS) => ensureTopics({ ...access, ...topics, commands: [topics.commands], partitions });
  const writer = async () => {
    const it = kafkaWriter({ ...common, eventsTopic: topics.events, deadLettersTopic: topics.deadLetters });
    await it.start();
    atEnd(() => it.stop());
    return it;
  };
  const member = async (replicaId: string, bend: Partial<{ mayJoin: () => Promise<boolean> }> = {}) => {
    const reader = recordingReader();
    const fatal: string[] = [];
    const reading = { groupId: base, replicaId, topics: [topics.commands], sessionTimeoutMs: SESSION_MS };
    const log = kafkaCommandLog({ ...common, ...reading, mayJoin: async () => true, onFatal: (why) => void fatal.push(why), ...bend });
    atEnd(() => log.stop());
    await log.start(reader);
    return { log, reader, fatal };
  };
  return { ...topics, brokers, base, admin, ensure, writer, member };
}
type Setup = Awaited<ReturnType<typeof setup>>;

describe('membership', () => {
  test('a replica killed with -9 and back within its session has its partitions again without a rebalance', async () => {
    const it = await setup();
    await it.ensure();
    const other = await it.member('b');
    const first = replica(it, 'a');
    await vi.waitFor(() => expect(first.assigned()).toHaveLength(PARTITIONS / 2), SOON);
    await vi.waitFor(() => expect(other.reader.assignments.at(-1)).toHaveLength(PARTITIONS / 2), SOON);
    const rebalances = other.reader.assignments.length;
    const held = first.assigned();

    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    const killed = Date.now();
    const second = replica(it, 'a');
    await vi.waitFor(() => expect(second.assigned()).toEqual(held), SOON);
    const out = await it.writer();
    await out.command(it.commands, { key: 'k', value: 'v' }, held[0]);
    await vi.waitFor(() => expect(second.lines).toContainEqual({ partition: held[0], offset: 0 }), SOON);
    expect(Date.now() - killed).toBeLessThan(4_000);
    expect(other.reader.assignments).toHaveLength(rebalances);
  });

  test('a replica killed with -9 just as another leaves comes back to what it had: its leases would keep everybody else out', async () => {
    const it = await setup();
    await it.ensure();
    const stays = await it.member('b');
    const first = replica(it, 'a');
    await vi.waitFor(() => expect(first.assigned()).toHaveLength(PARTITIONS / 2), SOON);
    const leaves = await it.member('c');
    await vi.waitFor(() => expect(leaves.reader.assignments.at(-1)).toHaveLength(PARTITIONS / 3), SOON);
    await vi.waitFor(() => expect(first.assigned()).toHaveLength(PARTITIONS / 3), SOON);
    const held = first.assigned();

    first.child.kill('SIGKILL');
    await Promise.all([once(first.child, 'exit'), leaves.log.stop()]);
    const second = replica(it, 'a', held);
    await vi.waitFor(() => expect(second.assigned()).toHaveLength(PARTITIONS / 2), SOON);
    expect(second.assigned()).toEqual(expect.arrayContaining([...held]));
    expect(stays.reader.assignments.at(-1)).toHaveLength(PARTITIONS / 2);
  });

  test('a replica that does not come back loses its partitions when its session is over', async () => {
    const it = await setup();
    await it.ensure();
    const other = await it.member('b');
    const first = replica(it, 'a');
    await vi.waitFor(() => expect(first.assigned()).toHaveLength(PARTITIONS / 2), SOON);
    first.child.kill('SIGKILL');
    await vi.waitFor(() => expect(other.reader.assignments.at(-1)).toHaveLength(PARTITIONS), SOON);
    expect(other.reader.assignments.at(-1)).toHaveLength(PARTITIONS);
  });

  test('a frozen replica that wakes after another life took its name is fenced and never reads again', async () => {
    const it = await setup();
    await it.ensure();
    const first = replica(it, 'a');
    await vi.waitFor(() => expect(first.assigned()).toHaveLength(PARTITIONS), SOON);
    first.child.kill('SIGSTOP');
    const second = await it.member('a');
    await vi.waitFor(() => expect(second.reader.assignments.at(-1)).toHaveLength(PARTITIONS), SOON);
    const out = await it.writer();
    first.child.kill('SIGCONT');
    await vi.waitFor(() => expect(first.lines.at(-1)).toHaveProperty('fatal'), SOON);
    await out.command(it.commands, { key: 'k', value: 'v' }, 0);
    await vi.waitFor(() => expect(second.reader.values()).toEqual(['v']), SOON);
    expect(first.lines.filter((line) => 'offset' in line)).toEqual([]);
    expect(second.fatal).toEqual([]);
  });

  test('a replica that was frozen past its session begins anew where the others left off', async () => {
    const it = await setup();
    await it.ensure();
    const other = await it.member('b');
    other.reader.beforeSharing = () => commitAll(other.log, other.reader);
    const frozen = replica(it, 'a');
    await vi.waitFor(() => expect(frozen.assigned()).toHaveLength(PARTITIONS / 2), SOON);
    const [held = 0] = frozen.assigned();
    const out = await it.writer();
    await out.command(it.commands, { key: null, value: 'one' }, held);
    await vi.waitFor(() => expect(frozen.lines).toContainEqual({ partition: held, offset: 0 }), SOON);

    frozen.child.kill('SIGSTOP');
    await vi.waitFor(() => expect(other.reader.assignments.at(-1)).toHaveLength(PARTITIONS), SOON);
    await out.command(it.commands, { key: null, value: 'two' }, held);
    await vi.waitFor(() => expect(other.reader.values()).toContain('two'), SOON);
    const before = frozen.lines.length;
    frozen.child.kill('SIGCONT');
    await vi.waitFor(() => expect(frozen.lines.slice(before)).toContainEqual({ begun: held, committed: 2 }), SOON);
    await out.command(it.commands, { key: null, value: 'three' }, held);
    await vi.waitFor(() => expect(frozen.lines).toContainEqual({ partition: held, offset: 2 }), SOON);
    // Until its first heartbeat it may read on as before: what it does then is fenced by the store, not by Kafka.
    const anew = frozen.lines.findIndex((line, n) => n >= before && 'begun' in line && line.begun === held);
    expect(frozen.lines.slice(anew)).not.toContainEqual({ partition: held, offset: 1 });
  });

  test('whoever cannot ask yet whether it may join asks again', async () => {
    const it = await setup();
    await it.ensure();
    let asked = 0;
    const { reader } = await it.member('a', {
      mayJoin: async () => {
        if (asked++ === 0) throw new Error('the registry is away');
        return true;
      },
    });
    await vi.waitFor(() => expect(reader.assignments.at(-1)).toHaveLength(PARTITIONS), SOON);
    expect(asked).toBe(2);
  });
});

describe('sharing out', () => {
  const claimant = (instance: string, partitions: readonly number[] = [], generation = 1) => ({
    id: `${instance}-id`,
    instance,
    owned: { generation, partitions },
  });

  test('everyone keeps what they had, as far as all shares stay even', () => {
    const shares = shareOut([claimant('a', [0, 1, 2, 3, 4, 5]), claimant('b', [6, 7, 8, 9, 10, 11]), claimant('c')], 12);
    expect(shares.get('a-id')).toEqual([0, 1, 2, 3]);
    expect(shares.get('b-id')).toEqual([6, 7, 8, 9]);
    expect(shares.get('c-id')).toEqual([4, 5, 10, 11]);
  });

  test('where two believe they own a partition, whoever was told later does', () => {
    const shares = shareOut([claimant('a', [0, 1], 5), claimant('b', [0, 1], 7)], 4);
    expect(shares.get('b-id')).toEqual([0, 1]);
    expect(shares.get('a-id')).toEqual([2, 3]);
  });

  test('a claim from an earlier life keeps what nobody holds, and yields to whoever holds it by now', () => {
    const back = claimant('c', [0, 4, 5], 0);
    expect(shareOut([claimant('a', [0, 1], 7), claimant('b', [2, 3], 7), back], 6).get('c-id')).toEqual([4, 5]);
  });

  test('every partition is held by exactly one, whatever was claimed', () => {
    for (let members = 1; members <= 9; members++)
      for (let partitions = 1; partitions <= 13; partitions++) {
        const claims = Array.from({ length: members }, (_, n) => claimant(`m${n}`, [n, (n * 7) % 13, 99, -1], n % 3));
        const shares = [...shareOut(claims, partitions).values()];
        expect(shares.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: partitions }, (_, n) => n));
        const sizes = shares.map((share) => share.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
  });
});

describe('topics', () => {
  test('are created once, also when two replicas start at the same moment, and stamped by the log', async () => {
    const it = await setup();
    expect(await Promise.all([it.ensure(), it.ensure()])).toEqual([PARTITIONS, PARTITIONS]);
    expect(await it.ensure(40)).toBe(PARTITIONS);
    const out = await it.writer();
    const { reader } = await it.member('a');
    const producer = new Kafka({ brokers: it.brokers, logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    atEnd(() => producer.disconnect());
    await producer.send({ topic: it.commands, messages: [{ value: 'old', timestamp: '1000', partition: 0 }] });
    await out.command(it.commands, { key: null, value: 'new' }, 0);
    await vi.waitFor(() => expect(reader.values()).toEqual(['old', 'new']), SOON);
    for (const { appendedMs } of reader.records) expect(Math.abs(appendedMs - Date.now())).toBeLessThan(20_000);
  });

  test('that differ in their partitions, or are not stamped by the log, are refused with every fault and its fix', async () => {
    const it = await setup();
    await it.admin.createTopics({
      topics: [
        { topic: it.commands, numPartitions: 6, configEntries: [{ name: 'message.timestamp.type', value: 'CreateTime' }] },
        { topic: it.events, numPartitions: 2 },
      ],
    });
    const refused = await it.ensure().catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'TOPICS_INVALID', faults: [{ field: `partitions of ${it.events}` }, { value: '"CreateTime"' }] });
    expect(String(refused)).toContain(`partitions of ${it.events} is 2: must be 6, as ${it.commands} has`);
    expect(String(refused)).toContain(`--entity-name ${it.commands} --add-config message.timestamp.type=LogAppendTime`);
  });

  test('cannot be checked where nobody answers: LOG_DOWN', async () => {
    const nobody = {
      brokers: ['127.0.0.1:1'],
      clientId: 'test',
      log: quiet,
      commands: ['c'],
      events: 'e',
      deadLetters: 'd',
      partitions: 1,
    };
    await expect(ensureTopics(nobody)).rejects.toMatchObject({ code: 'LOG_DOWN' });
  });
});

test.each(['snappy', 'lz4', 'zstd', 'gzip'])('records that librdkafka packed with %s never stop the others', async (codec) => {
  const it = await setup();
  await it.ensure();
  const { reader, log } = await it.member('a');
  const out = await it.writer();
  await out.command(it.commands, { key: null, value: 'first' }, 0);
  await kcat(it, 0, codec, 500);
  await out.command(it.commands, { key: null, value: 'last' }, 0);
  await out.command(it.commands, { key: null, value: 'elsewhere' }, 1);
  await vi.waitFor(() => expect(reader.values()).toEqual(expect.arrayContaining(['first', 'last', 'elsewhere'])), SOON);
  const offsets = [
    ...reader.offsets(0),
    ...reader.unread.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, n) => from + n)),
  ];
  expect(offsets.sort((a, b) => a - b)).toEqual(Array.from({ length: 502 }, (_, n) => n));
  expect(new Set(reader.unread.map((one) => one.codec))).toEqual(new Set(codec === 'gzip' ? [] : [codec]));
  await log.commit([{ topic: it.commands, partition: 0, offset: 502 }]);
});

test('what waits behind a failed write fails too, unsent, so that it cannot overtake what is sent again', async () => {
  const it = await setup();
  await it.ensure();
  const out = await it.writer();
  const tooLarge = out.command(it.commands, { key: 'k', value: 'x'.repeat(2_000_000) }, 0).catch((error: unknown) => error);
  const behind = out.command(it.commands, { key: 'k', value: 'behind' }, 0).catch((error: unknown) => error);
  expect(await tooLarge).toMatchObject({ code: 'VALUE_TOO_LARGE' });
  expect(await behind).toMatchObject({ code: 'LOG_DOWN' });
  await out.command(it.commands, { key: 'k', value: 'next' }, 0);
  const { reader } = await it.member('a');
  await vi.waitFor(() => expect(reader.values()).toEqual(['next']), SOON);
});

describe('a broker of its own', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'locus-kafka-'));
  });

  test('that dies and returns: writers say what may have been appended, readers and writers go on by themselves', async () => {
    const server = await startKafkaServer({ dir });
    atEnd(async () => {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    });
    const it = await setup([server.brokers]);
    await it.ensure();
    const out = await it.writer();
    const { log, reader, fatal } = await it.member('a');
    await out.command(it.commands, { key: 'k', value: 'before' }, 0);
    await vi.waitFor(() => expect(reader.values()).toEqual(['before']), SOON);
    await log.commit([{ topic: it.commands, partition: 0, offset: 1 }]);

    server.signal('SIGSTOP');
    const inFlight = out.command(it.commands, { key: 'k', value: 'in flight' }, 0).catch((error: unknown) => error);
    const behind = out.command(it.commands, { key: 'k', value: 'behind' }, 0).catch((error: unknown) => error);
    await new Promise((resolve) => setImmediate(resolve));
    const queued = out.command(it.commands, { key: 'k', value: 'queued' }, 0).catch((error: unknown) => error);
    await server.kill9();
    expect(await inFlight).toMatchObject({ code: 'LOG_UNACKNOWLEDGED' });
    expect(await behind).toMatchObject({ code: 'LOG_UNACKNOWLEDGED' });
    expect(await queued).toMatchObject({ code: 'LOG_DOWN' });
    await expect(out.deadLetter({ key: null, value: 'while down' })).rejects.toMatchObject({ code: 'LOG_DOWN' });

    await server.restart();
    await vi.waitFor(() => out.command(it.commands, { key: 'k', value: 'after' }, 0), SOON);
    await vi.waitFor(() => expect(reader.values()).toContain('after'), SOON);
    expect(reader.values().filter((value) => value === 'before')).toHaveLength(1);
    expect(reader.values()).not.toContain('queued');
    expect(fatal).toEqual([]);
  });
});

describe('what is changed in kafkajs', () => {
  test('was written for this version, whose requests carry what we add', () => {
    expect(require('kafkajs/package.json').version).toBe('2.2.4');
    const { requests } = require('kafkajs/src/protocol/requests/index.js');
    const newest = (name: string) => Math.max(...requests[name].versions.map(Number));
    expect([newest('JoinGroup'), newest('SyncGroup'), newest('Heartbeat'), newest('LeaveGroup'), newest('Fetch')]).toEqual([
      5,
      3,
      3,
      3,
      FETCH_VERSION,
    ]);
  });

  test('an idle client sets no timer without something to wait for', async () => {
    const it = await setup();
    await it.ensure();
    await it.writer();
    const { reader } = await it.member('a');
    await vi.waitFor(() => expect(reader.positions.size).toBe(PARTITIONS), SOON);
    const set = vi.spyOn(globalThis, 'setTimeout');
    const beats = reader.beats;
    await vi.waitFor(() => expect(reader.beats).toBeGreaterThan(beats + 2), { timeout: 20_000, interval: 300 });
    const delays = set.mock.calls.map(([, delay]) => delay ?? 0);
    set.mockRestore();
    expect(delays.filter((delay) => delay < 0)).toEqual([]);
    expect(delays.length).toBeLessThan(60);
  });
});

/** A member as a process of its own; dist/ holds its code. */
function replica(
  it: Setup,
  replicaId: string,
  before: readonly number[] = [],
): { child: ChildProcess; lines: object[]; assigned(): readonly number[] } {
  const program = fileURLToPath(new URL('../../dist/test/contract/kafka-member.js', import.meta.url));
  const told = { brokers: it.brokers, groupId: it.base, replicaId, topic: it.commands, sessionTimeoutMs: SESSION_MS, before };
  const child = spawn(process.execPath, [program, JSON.stringify(told)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: object[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line)));
  atEnd(async () => {
    const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    child.kill('SIGKILL');
    await gone;
  });
  return {
    child,
    lines,
    assigned: () => lines.filter((line): line is { assigned: number[] } => 'assigned' in line).at(-1)?.assigned ?? [],
  };
}

async function kcat(it: Setup, partition: number, codec: string, count: number): Promise<void> {
  const where = ['-P', '-b', it.brokers.join(','), '-t', it.commands, '-p', String(partition)];
  const child = spawn(tool('kcat'), [...where, '-z', codec]);
  child.stdin.end(Array.from({ length: count }, (_, n) => `${n} ${'x'.repeat(100)}\n`).join(''));
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
}
