/** I21: nothing prepared under one life of the store, or one generation, is applied under the next. */
import type { Claim } from '../../../src/ports.ts';
import { type MakeChecker, Violation } from '../happening.ts';

const NAME = 'I21';

export const livesAreApart: MakeChecker = ({ disk }) => {
  const judge = (who: string, what: string, { address, life, generation }: Claim) => {
    if (life !== disk.life()) throw new Violation(NAME, `${address}: ${who} ${what} in ${disk.life()} what it prepared in ${life}`);
    if (generation !== disk.generation)
      throw new Violation(NAME, `${address}: ${who} ${what} in generation ${disk.generation} what it prepared in ${generation}`);
  };
  return {
    name: NAME,
    hear(it) {
      if (it.kind === 'committed') judge(it.who, 'committed', it.claim);
      if (it.kind === 'trimmed') judge(it.who, 'forgot', it.claim);
    },
  };
};
