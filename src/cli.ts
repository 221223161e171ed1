#!/usr/bin/env node
/** The command line: runs a replica, a simulated device or the demonstration, and speaks to replicas over their HTTP ports. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { act, type Format, location, locations, parkedAll, parkedOne, type Said, send } from './cli/ask.ts';
import { type Client, client, EXIT, Failure } from './cli/client.ts';
import { systemClock } from './clock.ts';
import { environment, readConfig } from './config.ts';
import { LocusError, sentence, why } from './errors.ts';
import { systemRandom } from './random.ts';
import { variables } from './variables.ts';

const env = environment();
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

// ── Words of the command line ────────────────────────────────────────────────────────────────────────────────────────

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
    throw new InvalidArgumentError(`must be a whole number from ${min} to ${max}`);
  };
}
function share(text: string): number {
  if (/^(0|1|0?\.\d{1,6}|1\.0)$/.test(text)) return Number(text);
  throw new InvalidArgumentError('must be a share from 0 to 1');
}
function range(text: string): readonly [number, number] {
  const [, min, max] = /^(\d{1,6})(?:\.\.(\d{1,6}))?$/.exec(text) ?? [];
  if (min !== undefined && Number(max ?? min) >= Number(min)) return [Number(min), Number(max ?? min)];
  throw new InvalidArgumentError('must be a number of milliseconds or a range such as 5..50');
}
function url(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text.replace(/\/+$/, '');
  throw new InvalidArgumentError('must be an http:// or https:// URL');
}

type Common = { readonly output: Format; readonly url: string; readonly adminUrl: string };
const output = () => new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text');
const toReplica = () =>
  new Option('--url <url>', 'public port of any replica (LOCUS_URL)').argParser(url).default(env.LOCUS_URL || 'http://127.0.0.1:8080');
const toAdmin = () =>
  new Option('--admin-url <url>', 'admin port of a replica (LOCUS_ADMIN_URL); its token is read from ADMIN_TOKEN')
    .argParser(url)
    .default(env.LOCUS_ADMIN_URL || 'http://127.0.0.1:9090');
const because = () => new Option('--because <reason>', 'why: it is kept with the action').makeOptionMandatory();
const key = () => new Option('--key <key>', 'repeats an action instead of doing another').default(undefined, 'a new one');

const replica = (options: Common): Client => client(configured('LOCUS_URL', options.url), undefined, systemClock);
const admin = (options: Common): Client =>
  client(configured('LOCUS_ADMIN_URL', options.adminUrl), env.ADMIN_TOKEN?.trim() || undefined, systemClock);
/** A default taken from the environment passes no parser of the command line. */
function configured(name: string, text: string): string {
  try {
    return url(text);
  } catch (error) {
    throw new Failure(EXIT.config, `${name} is ${JSON.stringify(text)}: ${why(error)}`);
  }
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const complain = (text: string): void => void process.stderr.write(`locus: ${text}\n`);
async function say(said: Promise<Said>): Promise<void> {
  const { text, exit = EXIT.done, note } = await said;
  print(text);
  if (note !== undefined) complain(note);
  process.exitCode = exit;
}

// ── Commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Every command has the same manners: it does not exit by itself, and a misuse is one line. */
function command(path: string, summary: string): Command {
  return manners(new Command(path.split(' ').at(-1)).description(summary), `locus ${path}`);
}
function manners(it: Command, path: string): Command {
  const line = (text: string) =>
    text
      .replace(/^error: /, '')
      .replaceAll('\n', ' ')
      .trim();
  return it
    .exitOverride()
    .helpCommand(false)
    .configureOutput({ outputError: (text, write) => write(`locus: ${line(text)} (see ${path} --help)\n`) });
}

const serve = () =>
  command('serve', 'run a replica, configured by the environment')
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
      const { id = `cli-${systemRandom.hex(8)}`, wait: waitS, output: format } = options;
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

function parked(): Command {
  const verb = (name: 'replay' | 'drop', summary: string) =>
    command(`parked ${name}`, summary)
      .argument('<ADDRESS>', 'type/id')
      .argument('<COMMAND-ID>', 'the parked command, as `locus parked ls` names it')
      .addOption(because())
      .addOption(key())
      .addOption(toAdmin())
      .addOption(output())
      .action((address: string, id: string, options: Common & { because: string; key?: string }) => {
        const { because: reason, key: repeated = `cli-${systemRandom.hex(8)}`, output: format } = options;
        return say(act(admin(options), address, id, { verb: name, because: reason, key: repeated, format }));
      });
  return command('parked', 'commands that were set aside because they cannot be decided')
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
    .addCommand(verb('replay', 'decide it again'))
    .addCommand(verb('drop', 'refuse it for good, with the code DROPPED'));
}

type DeviceOptions = {
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
  print(`device gateway at ${gateway.url}, journal ${options.journal}`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void gateway.stop().then(() => process.exit(EXIT.done)));
}

/** A process of its own, as it starts and ends many. */
const demo = () =>
  command('demo', 'start everything on this machine, kill replicas under load, and check the books')
    .allowUnknownOption()
    .argument('[options...]', 'handed on')
    .action(
      (words: readonly string[]) =>
        new Promise<void>((resolve) => {
          const child = spawn(process.execPath, [fileURLToPath(new URL('../infra/dev/demo.js', import.meta.url)), ...words], {
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
    for (const fault of error.faults) complain(sentence(fault));
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
for (const it of [serve(), sendOne(), listLocations(), showLocation(), parked(), device(), demo()]) program.addCommand(it);
await program.parseAsync().catch((error: unknown) => {
  process.exitCode = failed(error, /(^| )(-o ?json|--output[ =]json)( |$)/.test(process.argv.slice(2).join(' ')));
});
