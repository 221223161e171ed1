/** Every invariant that a world is held to. I15 has no file: it is all of these in a world whose leases lie (see DESIGN.md). */
import type { MakeChecker } from '../happening.ts';
import { emptyCash, foldCash } from './cash/cash-fold.ts';
import { decisionsAreTrue } from './cash/decisions.ts';
import { evidenceSettles } from './cash/i07-evidence.ts';
import { cashIsConserved } from './cash/i12-cash.ts';
import { ledgerBalances } from './cash/i13-ledger.ts';
import { epochsRise } from './i01-epochs.ts';
import { oneEventPerSeq } from './i02-events.ts';
import { type Fold, stateIsFold } from './i03-state.ts';
import { takesEffectOnce } from './i04-once.ts';
import { intentBeforeEffect } from './i05-intents.ts';
import { deviceDeliversOnce } from './i06-device.ts';
import { doubtIsKept } from './i07-doubt.ts';
import { offsetsAreFinal } from './i08-offsets.ts';
import { canaryHolds } from './i09-canary.ts';
import { everyCommandEnds } from './i10-outcomes.ts';
import { topicEqualsJournal } from './i11-topic.ts';
import { limitsHold } from './i14-limits.ts';
import { workIsOwned } from './i16-owned.ts';
import { handOverIsQuick } from './i17-hand-over.ts';
import { eventsRebuild } from './i18-rebuild.ts';
import { capsHold } from './i19-caps.ts';
import { readsRise } from './i20-reads.ts';
import { livesAreApart } from './i21-incarnations.ts';
import { indexNamesEnough } from './index-names.ts';
import { leasesAreFresh } from './leases-fresh.ts';
import { orderIsKept } from './order-kept.ts';

/** An actor, as far as a checker wants it: what its events make of its state. */
type Evolving = {
  readonly type: string;
  readonly initial: (id: string) => unknown;
  readonly evolve: (state: never, event: never) => unknown;
};

/** Of any actors. */
export function genericInvariants(actors: readonly Evolving[]): readonly MakeChecker[] {
  const folds = actors as unknown as readonly Fold[];
  return [
    epochsRise,
    oneEventPerSeq,
    stateIsFold(folds),
    takesEffectOnce,
    intentBeforeEffect,
    deviceDeliversOnce,
    doubtIsKept,
    offsetsAreFinal,
    canaryHolds,
    everyCommandEnds,
    topicEqualsJournal,
    limitsHold,
    workIsOwned,
    handOverIsQuick,
    eventsRebuild(folds),
    capsHold,
    readsRise,
    livesAreApart,
    indexNamesEnough,
    orderIsKept,
    leasesAreFresh,
  ];
}

const cashFold: Evolving = { type: 'cash-location', initial: emptyCash, evolve: foldCash as Evolving['evolve'] };
/** Of cash locations, folded without their own code, beside whatever other actors run there. */
export const invariants = (others: readonly Evolving[] = []): readonly MakeChecker[] => [
  ...genericInvariants([cashFold, ...others]),
  evidenceSettles,
  cashIsConserved,
  ledgerBalances,
  decisionsAreTrue,
];
