/** `locus events`: what a location's events say, as a replica finds them on the events topic, each once and in the order of its seq. */
import type { Command } from 'commander';
import { systemClock } from '../clock.ts';
import type { EventsFound } from '../desk.ts';
import { type Format, placeOf } from './ask.ts';
import type { Client } from './client.ts';
import { admin, type Common, command, complain, output, print, toAdmin, whole } from './words.ts';

export type Watching = {
  readonly afterSeq: number;
  readonly format: Format;
  /** Goes on with those that come: resolves when it is time to look again, with false when it is time to end. */
  readonly follow?: (() => Promise<boolean>) | undefined;
  readonly print: (line: string) => void;
  readonly complain: (line: string) => void;
};

/** An event as the topic has it, as far as it is shown. */
type Event = {
  readonly type: unknown;
  readonly time?: unknown;
  readonly locusseq: number;
  readonly locuscommand?: unknown;
  readonly data?: unknown;
};

/** How many are asked for at once. */
const PAGE = 500;

export async function events(replica: Client, address: string, watching: Watching): Promise<void> {
  const { afterSeq, format, follow, print, complain } = watching;
  const path = `/admin/locations/${placeOf(address)}/events?limit=${PAGE}`;
  let last = afterSeq;
  let from: number | undefined;
  let topic = '';
  for (let again = true; again; ) {
    const asked = `${path}&after=${last}${from === undefined ? '' : `&from=${from}`}`;
    const found = JSON.parse((await replica.call({ path: asked })).text) as EventsFound;
    ({ topic, next: from } = found);
    for (const offset of found.strange) complain(`what lies at offset ${offset} is no event`);
    for (const event of found.events as readonly Event[]) {
      // Sent again, because nobody had acknowledged it.
      if (event.locusseq <= last) continue;
      if (event.locusseq > last + 1) complain(`seq ${last + 1} to ${event.locusseq - 1} are not on ${topic} any more`);
      last = event.locusseq;
      print(format === 'json' ? JSON.stringify(event) : line(event));
    }
    again = found.more || (follow !== undefined && (await follow()));
  }
  if (last === afterSeq && format === 'text') print(`no event of ${address}${afterSeq > 0 ? ` after seq ${afterSeq}` : ''} is on ${topic}`);
}

const SEQ_WIDTH = 5;
function line({ locusseq, time, type, locuscommand, data }: Event): string {
  const name = String(type).slice(String(type).indexOf('.') + 1);
  return [String(locusseq).padStart(SEQ_WIDTH), time, name, locuscommand ?? '-', JSON.stringify(data)].join('  ');
}

const LOOK_MS = 500;
/** Until Ctrl-C. */
function following(): () => Promise<boolean> {
  let isOver = false;
  let wake = () => {};
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => {
      isOver = true;
      wake();
    });
  return async () => {
    if (!isOver)
      await new Promise<void>((resolve) => {
        const alarm = systemClock.after(LOOK_MS, resolve);
        wake = () => {
          alarm.cancel();
          resolve();
        };
      });
    return !isOver;
  };
}

export const showEvents = (): Command =>
  command('events', 'show the events of a location, as published: the latest may not be there yet')
    .argument('<ADDRESS>', 'type/id')
    .option('--after <seq>', 'only those after this seq', whole(0, 999_999_999), 0)
    .option('--follow', 'go on with those that come, until Ctrl-C')
    .addOption(toAdmin())
    .addOption(output())
    .action((address: string, options: Common & { after: number; follow?: boolean }) => {
      const { after: afterSeq, output: format } = options;
      return events(admin(options), address, { afterSeq, format, follow: options.follow ? following() : undefined, print, complain });
    });
