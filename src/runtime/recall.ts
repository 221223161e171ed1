/** What the store knows of the commandIds that a command wants recalled, read before it is decided. */
import type { Recalled } from '../actor.ts';
import type { Command } from '../message/envelope.ts';
import { checkInput } from './definition.ts';
import type { Found } from './draft.ts';
import { entryParts, recordOf } from './ground.ts';
import type { Live } from './live.ts';
import type { Waiting } from './mailbox.ts';
import type { Site } from './site.ts';

/** What waits, but for records under a command's own id: the commit looks for those (`Draft.ownRecord`). `known` is what it found. */
export function recall(site: Site, live: Live, batch: readonly Waiting[], known: Found): Found | Promise<Found> {
  let wanted: Set<string> | undefined;
  for (const waiting of batch) {
    const shape = live.definition.commands[waiting.command.name];
    if (shape?.recall === undefined) continue;
    waiting.checked ??= checkInput(shape, waiting.command.input);
    for (const id of idsOf(waiting.checked, shape.recall, waiting.command))
      if (id !== waiting.command.commandId && !known.has(id)) {
        wanted ??= new Set();
        wanted.add(id);
      }
  }
  // Hardly any command wants more than its own record, and whoever waits for nothing goes on at once.
  return wanted === undefined ? known : more(site, live, [...wanted], known);
}
async function more(site: Site, live: Live, wanted: readonly string[], known: Found): Promise<Found> {
  return new Map([...known, ...(await read(site, live, wanted))]);
}

/** All that one command wants. */
export async function recallAll(site: Site, live: Live, { command }: { readonly command: Command }): Promise<Found> {
  const shape = live.definition.commands[command.name];
  if (shape?.recall === undefined) return new Map();
  const ids = idsOf(checkInput(shape, command.input), shape.recall, command);
  return ids.length === 0 ? new Map() : read(site, live, ids);
}

function idsOf(
  checked: NonNullable<Waiting['checked']>,
  ask: (input: unknown, commandId: string) => readonly string[],
  command: Command,
): readonly string[] {
  if ('faults' in checked) return [];
  try {
    return ask(checked.value, command.commandId);
  } catch {
    // decide will call it again, and its throw is handled there.
    return [];
  }
}

async function read(site: Site, live: Live, ids: readonly string[]): Promise<Found> {
  const known = await site.store.recall(live.address, ids);
  return new Map(ids.map((id, index) => [id, recalledOf(known[index] ?? {})]));
}
function recalledOf(known: {
  readonly entry?: { readonly status: NonNullable<Recalled['status']>; readonly text: string };
  readonly record?: string;
}): Recalled {
  return {
    ...(known.entry === undefined ? {} : { status: known.entry.status, command: entryParts(known.entry.text).facts.c }),
    ...(known.record === undefined ? {} : { record: recordOf(known.record) }),
  };
}
