/** An `At` over actors in memory: what a client of the fleet sees, with handlers standing in for the outside. */
import type { At, Bound, Fence } from '../../src/actor.ts';
import { type Answer, type AnyActor, begin, type Evidence, settle, take, type World } from './world.ts';

/** Every location is its own world; an effect runs at once, and its evidence settles it. A handler that throws leaves it in doubt. */
export function inMemory(...bound: readonly Bound[]): { readonly at: At; readonly world: (address: string) => World | undefined } {
  const worlds = new Map<string, World>();

  const run = async (actor: AnyActor, id: string, command: string, input: unknown, commandId?: string) => {
    const address = `${actor.type}/${id}`;
    const before = worlds.get(address) ?? begin(actor as never, id);
    const name = commandId ?? `c-${before.known.size + 1}`;
    const used = before.known.get(name);
    if (used && used.input !== JSON.stringify([command, input])) return { status: 'id-reused' };
    let [world, answer] = take(actor, before, command, input, { commandId: name });
    worlds.set(address, world);
    if (!used && answer.status === 'performs') {
      const evidence = await perform(bound, address, actor.type, answer, name, { epoch: 1, seq: world.seq });
      [world, answer] = settle(actor, worlds.get(address) ?? world, evidence);
      worlds.set(address, world);
    }
    return outward(answer, world.seq, name);
  };

  const at = ((actor: AnyActor, id: string) =>
    new Proxy(
      {},
      {
        get: (_, command: string) => (input: unknown, options?: { readonly commandId?: string }) =>
          run(actor, id, command, input, options?.commandId),
      },
    )) as unknown as At;
  return { at, world: (address) => worlds.get(address) };
}

async function perform(
  bound: readonly Bound[],
  address: string,
  type: string,
  { effect, order }: Extract<Answer, { readonly status: 'performs' }>,
  key: string,
  fence: Fence,
): Promise<Evidence> {
  const handler = bound.find((it) => it.actor.type === type)?.handlers[effect];
  if (!handler) throw new Error(`no handler is bound for ${effect} of ${type}`);
  try {
    const signal = new AbortController().signal;
    const said = await handler.run(order as never, { address, key, fence, witness: undefined, signal });
    return said.status === 'fenced' ? { status: 'unknown' } : said;
  } catch {
    return { status: 'unknown' };
  }
}

function outward(answer: Answer, seq: number, commandId: string): object {
  switch (answer.status) {
    case 'done':
      return { status: 'done', reply: answer.reply, seq };
    case 'refused':
      return { status: 'refused', code: answer.code, ...('detail' in answer && { detail: answer.detail }), seq };
    default:
      return { status: 'in-doubt', commandId };
  }
}
