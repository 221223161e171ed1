/** The commands that read and write Kafka themselves: a replica that scanned whole topics for a person would be late for its commands. */
import type { Command } from 'commander';
import { environment, type KafkaConfig, readKafkaConfig } from '../config.ts';
import type { LogWriter } from '../ports.ts';
import { events, type Reader } from './events.ts';
import { type Asked, listLetters, replayLetters, showLetter } from './letters.ts';
import { type Common, command, complain, output, print, say, whole } from './words.ts';

/** How the file that knows everybody gets at Kafka. */
export type Reach = {
  readonly reader: (config: KafkaConfig) => Promise<Reader>;
  readonly writer: (config: KafkaConfig) => Promise<Pick<LogWriter, 'command' | 'stop'>>;
};
const HELP = '\nKafka is reached as a replica reaches it: by KAFKA_BROKERS and the other KAFKA_ variables.';

const showEvents = ({ reader }: Reach) =>
  command('events', 'show the events of a location, as published: the latest may not be there yet')
    .argument('<ADDRESS>', 'type/id')
    .option('--after <seq>', 'only those after this seq', whole(0, 999_999_999), 0)
    .option('--follow', 'go on with those that come, until Ctrl-C')
    .addOption(output())
    .addHelpText('after', HELP)
    .action(async (address: string, options: Common & { after: number; follow?: boolean }) => {
      const config = readKafkaConfig(environment());
      const over = new AbortController();
      if (options.follow) for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => over.abort());
      const follow = options.follow ? over.signal : undefined;
      const { after: afterSeq, output: format } = options;
      await events(await reader(config), address, { topic: config.eventsTopic, afterSeq, format, follow, print, complain });
    });

type LetterOptions = Common & { readonly where?: readonly string[]; readonly max?: number };

const letters = (verb: string, summary: string) => command(`dead-letters ${verb}`, summary).addOption(output()).addHelpText('after', HELP);
const some = (it: Command) =>
  it
    .option('--where <field=value...>', 'only those: reason=…, key=… (an address) or topic=…')
    .option('--max <n>', 'at most so many, the oldest first', whole(1, 10_000), 100);

function deadLetters({ reader, writer }: Reach): Command {
  const asked = async (config: KafkaConfig, ids: readonly string[], options: LetterOptions): Promise<Asked> => {
    const { where = [], max = ids.length, output: format } = options;
    return { read: await reader(config), topic: config.deadLettersTopic, format, ids, where, max };
  };
  const replay = async (ids: readonly string[], options: LetterOptions & { dryRun?: boolean; neverRan?: boolean }) => {
    const config = readKafkaConfig(environment());
    const { dryRun = false, neverRan = false } = options;
    const out = await writer(config);
    const lanes = [config.commandsTopic, config.bulkTopic];
    const send: LogWriter['command'] = (topic, message) => out.command(topic, message);
    try {
      await say(replayLetters(await asked(config, ids, options), { lanes, dryRun, neverRan, send }));
    } finally {
      await out.stop();
    }
  };
  return command('dead-letters', 'records that could never run, with the reason')
    .addCommand(
      some(letters('ls', 'list them')).action(async (options: LetterOptions) =>
        say(listLetters(await asked(readKafkaConfig(environment()), [], options))),
      ),
    )
    .addCommand(
      letters('show', 'show one, with its value and its headers')
        .argument('<ID>', 'partition:offset, as `locus dead-letters ls` names it')
        .action(async (id: string, options: LetterOptions) => say(showLetter(await asked(readKafkaConfig(environment()), [id], options)))),
    )
    .addCommand(
      some(letters('replay', 'send them again as they were, after their cause is mended'))
        .argument('[ID...]', 'partition:offset; without any, those that --where allows')
        .option('--dry-run', 'only say what would be sent')
        .option('--never-ran', 'state that they never ran: then those with the reason STALE are sent too, as if they were new')
        .action(replay),
    );
}

export const kafkaCommands = (reach: Reach): readonly Command[] => [showEvents(reach), deadLetters(reach)];
