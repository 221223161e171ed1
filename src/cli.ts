#!/usr/bin/env node
/** The command line: runs a replica, a simulated device or the demonstration, and speaks to replicas over their HTTP ports. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, Option } from 'commander';
import { actions, onParked } from './cli/act.ts';
import { location, locations, parkedAll, parkedOne, partitions, send } from './cli/ask.ts';
import { EXIT, Failure } from './cli/client.ts';
import { examine, type Instruments } from './cli/doctor.ts';
import { examineAlone } from './cli/doctor-alone.ts';
import { showEvents } from './cli/events.ts';
import { report } from './cli/findings.ts';
import { deadLetters } from './cli/letters.ts';
import { connect, folder, free, handshake, holder, type Place, resolve, room } from './cli/reach.ts';
import {
  admin,
  type Common,
  command,
  complain,
  manners,
  newKey,
  output,
  print,
  range,
  replica,
  say,
  share,
  toAdmin,
  toReplica,
  whole,
} from './cli/words.ts';
import { systemClock } from './clock.ts';
import { type Config, environment, type FleetConfig, readConfig } from './config.ts';
import { LocusError, sentence, why } from './errors.ts';
import type { Log } from './ports.ts';
import { systemRandom } from './random.ts';
import { variables } from './variables.ts';

const env = environment();
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

// ── Commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const serve = () =>
  command('serve', 'run a replica, configured by the environment')
    .addOption(output())
    .addHelpText('after', variablesHelp)
    .action(async () => {
      const config = readConfig(env);
      const { run } = await import('./main.ts');
      process.exit(await run(config));
    });
function variablesHelp(): string {
  const lines = Object.values(variables).map((it) => {
    const standard = it.fallback ?? it.derived ?? 'required';
    const file = it.secret || it.file ? `; or the file that ${it.name}_FILE names` : '';
    return `  ${it.name} (${standard}${file})\n      ${it.what}`;
  });
  return `\nEnvironment:\n${lines.join('\n')}`;
}

const sendOne = () =>
  command('send', 'send a command to a location and wait for its outcome')
    .argument('<ADDRESS>', 'type/id, such as cash-location/atm-17')
    .argument('<COMMAND>', 'such as dispense')
    .argument('[JSON]', 'its input', '{}')
    .addOption(new Option('--id <id>', 'the commandId; the same id is done once, however often it is sent').default(undefined, 'a new one'))
    .option('--wait <seconds>', 'how long to wait for the outcome', whole(0, 60), 10)
    .addOption(toReplica())
    .addOption(output())
    .addHelpText('after', '\nExample:\n  locus send cash-location/atm-17 dispense \'{"amount":6000,"currency":"USD"}\'')
    .action((address: string, name: string, json: string, options: Common & { id?: string; wait: number }) => {
      const { id = newKey(), wait: waitS, output: format } = options;
      return say(send(replica(options), address, name, json, { id, waitS, format }));
    });

const listLocations = () =>
  command('locations', 'list the locations in the memory of a replica')
    .option('--stuck', 'only those that make no progress')
    .option('--limit <n>', 'at most so many', whole(1, 1_000), 100)
    .addOption(toAdmin())
    .addOption(output())
    .action((options: Common & { stuck?: boolean; limit: number }) =>
      say(locations(admin(options), options.stuck === true, options.limit, options.output)),
    );

const showLocation = () =>
  command('location', 'show one location: state, owner, what is in hand, what waits')
    .argument('<ADDRESS>', 'type/id')
    .addOption(toAdmin())
    .addOption(output())
    .action((address: string, options: Common) => say(location(admin(options), address, options.output)));

const parked = () =>
  command('parked', 'commands that were set aside because they cannot be decided')
    .addCommand(
      command('parked ls', 'list them, over all replicas')
        .addOption(toAdmin())
        .addOption(output())
        .action((options: Common) => say(parkedAll(admin(options), options.output))),
    )
    .addCommand(
      command('parked show', 'show the one of a location')
        .argument('<ADDRESS>', 'type/id')
        .addOption(toAdmin())
        .addOption(output())
        .action((address: string, options: Common) => say(parkedOne(admin(options), address, options.output))),
    )
    .addCommand(onParked('replay', 'decide it again'))
    .addCommand(onParked('drop', 'refuse it for good, with the code DROPPED'));

const refusedPartitions = () =>
  command('partitions', 'list the partitions that this replica refuses until an operator decides')
    .addOption(toAdmin())
    .addOption(output())
    .action((options: Common) => say(partitions(admin(options), options.output)));

/** What these commands have to say they say themselves. */
const quiet: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const doctor = () =>
  command('doctor', 'look at all that a replica needs, with the configuration of one, and say what is wrong and what to do')
    .addOption(output())
    .action(async ({ output: format }: Common) => {
      const config = readConfig(env);
      const findings = config.embedded
        ? examineAlone(config, { ...(await outside(config)), folder, room, holder, free })
        : examine(config, await instruments(config));
      return say(findings.then((it) => report(it, format)));
    });

async function outside({ deviceUrl, probeTimeoutMs: timeoutMs }: Config) {
  const { gatewayHandlers } = await import('../infra/device/gateway-client.ts');
  return {
    resolve,
    connect: (place: Place) => connect(place, systemClock),
    handshake: (place: Place, ca: string | undefined) => handshake(place, ca, systemClock),
    async device() {
      const { open } = gatewayHandlers({ url: deviceUrl ?? '', clock: systemClock, log: quiet, timeoutMs });
      // A probe of nothing, under the lowest fence there is: it moves no cash and raises nothing.
      const said = await open({ address: 'cash-location/doctor', fence: { epoch: 0, seq: 0 }, signal: new AbortController().signal });
      return typeof said === 'string' ? `answers, its journal is ${said}` : 'answers';
    },
  };
}

async function instruments(config: FleetConfig): Promise<Instruments> {
  const [{ kafkaOf, redisOf }, { kafkaFacts, kafkaLogin, appendClock }, { checkRights }, { redisFacts }] = await Promise.all([
    import('./main.ts'),
    import('../infra/kafka/checkup.ts'),
    import('../infra/kafka/rights.ts'),
    import('../infra/redis/checkup.ts'),
  ]);
  const { commandsTopic, bulkTopic, eventsTopic, deadLettersTopic, redisUrl, durability, kafkaGroupId: groupId } = config;
  const kafka = kafkaOf(config, quiet);
  const redis = { clock: systemClock, random: systemRandom, log: quiet, ...redisOf(config) };
  const lanes = [commandsTopic, bulkTopic];
  return {
    ...(await outside(config)),
    kafka: {
      login: () => kafkaLogin(kafka),
      rights: () => checkRights({ ...kafka, groupId, commands: lanes, events: eventsTopic, deadLetters: deadLettersTopic }),
      facts: () => kafkaFacts(kafka, [...lanes, eventsTopic, deadLettersTopic]),
      clock: () => appendClock(kafka, `${commandsTopic}.doctor-${systemRandom.hex(8)}`),
    },
    store: () => redisFacts({ ...redis, url: redisUrl }, { policy: durability === 'relaxed' ? 'relaxed' : 'durable' }),
    lock: (url) => redisFacts({ ...redis, url, variable: 'LOCK_REDIS_URLS' }),
  };
}

type DeviceOptions = Pick<Common, 'output'> & {
  readonly port: number;
  readonly journal: string;
  readonly latency: readonly [number, number];
  readonly lostReplies: number;
  readonly partial: number;
  readonly jam: number;
  readonly amnesia?: boolean;
  readonly fence: boolean;
  readonly dedupe: boolean;
};
const device = () =>
  command('device', 'run a simulated device gateway with a journal on disk')
    .option('--port <port>', 'where it listens, on loopback', whole(0, 65_535), 7070)
    .option('--journal <file>', 'its journal: read again at start, synced at each line', 'device.journal')
    .addOption(new Option('--latency <ms>', 'a dispense takes so long, such as 5..50').argParser(range).default([0, 0], '0'))
    .addOption(rate('--lost-replies [share]', 'the cash moves, then the connection is cut'))
    .addOption(rate('--partial [share]', 'only some of the notes are taken'))
    .addOption(rate('--jam [share]', 'nothing moves'))
    .option('--amnesia', 'forget at start which commands were seen')
    .option('--no-fence', 'obey every fence')
    .option('--no-dedupe', 'move cash again for a command that was seen')
    .addOption(output())
    .action(runDevice);
const rate = (flags: string, summary: string) =>
  new Option(flags, `${summary}: in this share of the dispenses`).argParser(share).preset('0.1').default(0);

async function runDevice(options: DeviceOptions): Promise<void> {
  const [{ startSimulatedGateway }, { telemetry }] = await Promise.all([
    import('../infra/device/simulated-gateway.ts'),
    import('./runtime/telemetry.ts'),
  ]);
  const gateway = await startSimulatedGateway({
    port: options.port,
    journalPath: options.journal,
    switches: {
      latencyMinMs: options.latency[0],
      latencyMaxMs: options.latency[1],
      lostReplyRate: options.lostReplies,
      partialRate: options.partial,
      jamRate: options.jam,
      amnesia: options.amnesia === true,
      noFence: !options.fence,
      noDedupe: !options.dedupe,
    },
    clock: systemClock,
    random: systemRandom,
    log: telemetry({ level: 'warn', replica: 'device', version }).log,
  });
  const { journal, output: format } = options;
  print(format === 'json' ? JSON.stringify({ url: gateway.url, journal }) : `device gateway at ${gateway.url}, journal ${journal}`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void gateway.stop().then(() => process.exit(EXIT.done)));
}

/** A process of its own, as it starts and ends many. */
const demo = () =>
  command('demo', 'start everything on this machine, kill replicas under load, and check the books')
    .option('--roll', 'replace three replicas one after the other instead, as a rollout does')
    .addOption(output())
    .action(
      ({ roll, output: format }: Common & { roll?: boolean }) =>
        new Promise<void>((resolve) => {
          const program = fileURLToPath(new URL('../infra/dev/demo.js', import.meta.url));
          const child = spawn(process.execPath, [program, ...(roll ? ['--roll'] : []), ...(format === 'json' ? ['--json'] : [])], {
            stdio: 'inherit',
          });
          // A terminal's Ctrl-C reaches the child as well; it cleans up and this process waits for it.
          for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => child.kill(signal));
          child.on('exit', (code) => {
            process.exitCode = code ?? EXIT.failed;
            resolve();
          });
        }),
    );

// ── Run ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Tells what ended a command, in one line, and answers the exit code. */
function failed(error: unknown, isJson: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof LocusError && error.code === 'CONFIG_INVALID') {
    if (isJson) process.stderr.write(`${JSON.stringify({ code: error.code, faults: error.faults })}\n`);
    else for (const fault of error.faults) complain(sentence(fault));
    return EXIT.config;
  }
  const answer = isJson && error instanceof Failure ? error.answer : undefined;
  if (answer !== undefined) process.stderr.write(`${answer.text.trimEnd()}\n`);
  // With what was said in JSON, only the hint that it may have been done is worth a line more.
  if (answer === undefined || (error instanceof Failure && error.unsure)) complain(why(error));
  return error instanceof Failure ? error.exit : EXIT.failed;
}

// Whoever reads may stop reading, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.failed));
const program = manners(new Command('locus'), 'locus')
  .description('One virtual actor per location: commands in through Kafka, one at a time, exactly once, on any number of replicas.')
  .version(version)
  .addHelpText('after', '\nExit codes: 0 done · 1 not done, or not yet · 2 wrong use · 78 wrong configuration');
for (const it of [
  serve(),
  sendOne(),
  listLocations(),
  showLocation(),
  parked(),
  refusedPartitions(),
  ...actions(),
  showEvents(),
  deadLetters(),
  doctor(),
  device(),
  demo(),
])
  program.addCommand(it);
await program.parseAsync().catch((error: unknown) => {
  process.exitCode = failed(error, /(^| )(-o ?json|--output[ =]json)( |$)/.test(process.argv.slice(2).join(' ')));
});
