/** Operators' actions from the command line: each is one POST to the admin port, with a reason and a key that makes repeating it safe. */
import type { Command } from 'commander';
import { type Format, idOf, placeOf, type Said, usage } from './ask.ts';
import { type Client, Failure } from './client.ts';
import { details, type Row } from './print.ts';
import { admin, because, type Common, command, key, newKey, output, say, toAdmin } from './words.ts';

type Acting = Common & { readonly because: string; readonly key?: string };

/** Every action has the same options. */
function action(path: string, summary: string): Command {
  return command(path, summary).addOption(because()).addOption(key()).addOption(toAdmin()).addOption(output());
}

async function post(client: Client, path: string, body: object, repeated: string, format: Format): Promise<Said> {
  const request = { method: 'POST', path, body: JSON.stringify(body), headers: { 'idempotency-key': repeated } } as const;
  const { text } = await client.call(request).catch((error: unknown) => {
    const unsure = error instanceof Failure && (error.unsure || (error.answer?.status ?? 0) >= 500);
    throw unsure ? new Failure(error.exit, `${error.message}; repeat it with --key ${repeated}`, error) : error;
  });
  return { text: format === 'json' ? text : details(JSON.parse(text) as Row) };
}

/** `path` is where it is sent, `more` what it says beside the reason. */
const act = (options: Acting, path: string, more: object = {}): Promise<void> =>
  say(post(admin(options), path, { ...more, because: options.because }, options.key ?? newKey(), options.output));

const onLocation = (verb: string, summary: string) =>
  action(verb, summary)
    .argument('<ADDRESS>', 'type/id')
    .action((address: string, options: Acting) => act(options, `/admin/locations/${placeOf(address)}:${verb}`));

/** `parked replay` and `parked drop`. */
export const onParked = (verb: 'replay' | 'drop', summary: string): Command =>
  action(`parked ${verb}`, summary)
    .argument('<ADDRESS>', 'type/id')
    .argument('<COMMAND-ID>', 'the parked command, as `locus parked ls` names it')
    .action((address: string, id: string, options: Acting) =>
      act(options, `/admin/locations/${placeOf(address)}:${verb}`, { commandId: idOf(id, 'COMMAND-ID') }),
    );

const settle = () =>
  action('settle', 'settle a command in doubt by evidence from outside')
    .argument('<ADDRESS>', 'type/id')
    .argument('<COMMAND-ID>', 'the command in doubt, as `locus location` names it')
    .argument('<EVIDENCE>', '{"status":"confirmed","result":…} or {"status":"failed","code":"…"}')
    .addHelpText(
      'after',
      '\nExample:\n  locus settle cash-location/atm-17 d-1 \'{"status":"failed","code":"NEVER_DISPENSED"}\' --because "cassettes counted by hand"',
    )
    .action((address: string, id: string, json: string, options: Acting) =>
      act(options, `/admin/locations/${placeOf(address)}:settle`, { commandId: idOf(id, 'COMMAND-ID'), evidence: evidenceOf(json) }),
    );
function evidenceOf(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw usage(`EVIDENCE is ${JSON.stringify(json)}: ${(error as Error).message}`);
  }
}

const accept = () =>
  action('accept', 'take a refused partition as it is: what its log has lost stays lost')
    .argument('<TOPIC>', 'as `locus partitions` names it')
    .argument('<PARTITION>', 'its number')
    .action((topic: string, partition: string, options: Acting) => {
      if (!/^\d{1,9}$/.test(partition)) throw usage(`PARTITION is "${partition}": must be a number`);
      return act(options, `/admin/partitions/${encodeURIComponent(topic)}/${partition}:accept`);
    });

const raise = () =>
  action('raise', 'raise the generation: after the state store was put back from a copy, so that no epoch is issued twice').action(
    (options: Acting) => act(options, '/admin/generation:raise'),
  );

export const actions = (): readonly Command[] => [
  onLocation('pause', 'let a location take no command until it is resumed'),
  onLocation('resume', 'let a paused location go on'),
  onLocation('unfreeze', 'let a location go on that a broken rule has frozen'),
  onLocation('evict', 'let a location leave memory; the next command loads it again'),
  settle(),
  accept(),
  raise(),
];
