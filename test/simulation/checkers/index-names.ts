/** The index of locations with work may name too much, never too little: whoever commits stands in it. */
import { type MakeChecker, Violation } from '../happening.ts';

const NAME = 'index';

export const indexNamesEnough: MakeChecker = ({ disk }) => ({
  name: NAME,
  hear(it) {
    if (it.kind !== 'committed') return;
    for (const marked of disk.dirty.values()) if (marked.has(it.claim.address)) return;
    throw new Violation(NAME, `${it.claim.address}: ${it.who} committed, and no index names it: its next owner would not look after it`);
  },
});
