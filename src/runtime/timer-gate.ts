/** What becomes of a record that says it is a timer's, asked before its commandId: whoever guesses one to come must not take its place. */
import type { Command } from '../message/envelope.ts';
import { judge } from './commit.ts';
import type { Verdict } from './mailbox.ts';
import type { Site } from './site.ts';
import { isArmed, type Timers, timerOf } from './timers.ts';

/** Undefined: it is armed so, or no timer's; let it go on. One that is known by its commandId is a repeat. */
export async function turnedAway(site: Site, command: Command, timers: Timers): Promise<Verdict | undefined> {
  if (timerOf(command.commandId) === undefined || isArmed(timers, command)) return undefined;
  const [known] = await site.store.recall(command.address, [command.commandId]);
  return known?.entry?.hash === command.hash ? judge(command.hash, known.entry) : 'unarmed';
}
