/** I5: every effect has an earlier durable intent with the same key and order, and each intent is run at most once. */
import { type MakeChecker, Violation } from '../happening.ts';
import { type Fence, same, show } from './facts.ts';

const NAME = 'I5';
type Intent = { readonly commandId: string; readonly order: unknown; readonly fence: Fence };

export const intentBeforeEffect: MakeChecker = () => {
  const intents = new Map<string, { readonly intent: Intent; ran: string | undefined }>();
  return {
    name: NAME,
    hear(it) {
      if (it.kind === 'committed' && it.change.header.intent) {
        const intent = JSON.parse(it.change.header.intent) as Intent;
        const name = `${it.claim.address} ${intent.commandId}`;
        if (!intents.has(name)) intents.set(name, { intent, ran: undefined });
      }
      if (it.kind !== 'asked' || it.verb !== 'run') return;
      const name = `${it.address} ${it.key}`;
      const known = intents.get(name);
      if (known === undefined) throw new Violation(NAME, `${it.who} ran ${name}, of which no intent is durable`);
      const { intent, ran } = known;
      if (ran !== undefined)
        throw new Violation(NAME, `${it.who} ran ${name}, which ${ran} had run before: what became of that must be asked`);
      if (!same(intent.order, it.order) || !same(intent.fence, it.fence))
        throw new Violation(NAME, `${name} was run as ${show([it.order, it.fence])}, its intent is ${show([intent.order, intent.fence])}`);
      known.ran = it.who;
    },
  };
};
