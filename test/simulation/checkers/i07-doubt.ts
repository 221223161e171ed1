/** I7: an intent ends only together with its command's outcome, and questions about it stand above its run. */
import { type MakeChecker, Violation } from '../happening.ts';
import { above, type Fence, isFinal, show } from './facts.ts';

const NAME = 'I7';
type Intent = { readonly commandId: string; readonly fence: Fence };

export const doubtIsKept: MakeChecker = () => {
  const open = new Map<string, Intent>();
  const fences = new Map<string, Fence>();
  return {
    name: NAME,
    hear(it) {
      if (it.kind === 'asked' && it.verb === 'probe' && it.key !== undefined) {
        const run = fences.get(`${it.address} ${it.key}`);
        if (run === undefined) throw new Violation(NAME, `${it.who} asked about ${it.address} ${it.key}, of which no intent is durable`);
        if (!above(it.fence, run))
          throw new Violation(
            NAME,
            `${it.who} asked about ${it.address} ${it.key} under ${show(it.fence)}: its run stands at ${show(run)}, so it may still come`,
          );
      }
      if (it.kind !== 'committed') return;
      const { address } = it.claim;
      const final = new Set(it.change.entries.filter(({ status }) => isFinal(status)).map(({ commandId }) => commandId));
      const before = open.get(address);
      const { intent: text } = it.change.header;
      const after = text === undefined ? before : text === '' ? undefined : (JSON.parse(text) as Intent);
      if (before !== undefined && after?.commandId !== before.commandId && !final.has(before.commandId))
        throw new Violation(NAME, `${address} ${before.commandId}: its intent ended without an outcome`);
      if (after !== undefined && final.has(after.commandId))
        throw new Violation(NAME, `${address} ${after.commandId} has its outcome while its intent is open`);
      if (after === undefined) open.delete(address);
      else open.set(address, after);
      if (after !== undefined && after !== before && !fences.has(`${address} ${after.commandId}`))
        fences.set(`${address} ${after.commandId}`, after.fence);
    },
  };
};
