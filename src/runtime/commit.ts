/** One fenced commit of a draft and what its answer means for the activation. Never resent: what is not known is read again under a new claim. */

import type { Offender } from '../ports.ts';
import type { Draft } from './draft.ts';
import { entryParts } from './ground.ts';
import type { Live } from './live.ts';
import type { Site } from './site.ts';

/** `again`: the claim is gone or in question; nothing may be concluded from this draft. */
export type Result =
  | { readonly kind: 'ok' }
  | { readonly kind: 'refused'; readonly offenders: readonly Offender[] }
  | { readonly kind: 'again'; readonly why: string };

export async function commit(site: Site, live: Live, draft: Draft): Promise<Result> {
  const { claim } = live;
  if (claim === undefined) return { kind: 'again', why: 'no claim' };
  if (draft.empty) return { kind: 'ok' };
  const startedMs = site.clock.monotonic();
  const { published } = live;
  const answer = await site.store.commit(claim, draft.change(published));
  switch (answer.kind) {
    case 'ok':
      site.meters.committed(site.clock.monotonic() - startedMs, draft.turns);
      if (draft.timers !== live.ground?.timers) site.timers.know(live.address, draft.timers);
      live.adopt(draft);
      live.noted = published;
      live.movedMs = site.clock.monotonic();
      live.reclaims = 0;
      site.relay.push(draft.events, (seq) => {
        if (live.claim === claim && seq > live.published) live.published = seq;
      });
      return { kind: 'ok' };
    case 'refused':
      return { kind: 'refused', offenders: answer.offenders };
    case 'fenced':
      site.meters.fenced();
      return { kind: 'again', why: `fenced by epoch ${answer.epoch}` };
    case 'seq':
      return { kind: 'again', why: `seq is ${answer.seq}, not ${draft.from}` };
    case 'new-life':
    case 'generation':
      // A claim of another life of the store is void like one with a lower epoch.
      site.meters.fenced();
      site.recheck();
      return { kind: 'again', why: answer.kind };
    case 'down':
    case 'unanswered':
      return { kind: 'again', why: answer.why };
  }
}

/** Tells whoever waits for this commandId over HTTP that its outcome can be read. */
export function notify(site: Site, channel: string | undefined, address: string, commandId: string): void {
  if (channel !== undefined) site.notices.send(channel, `${address} ${commandId}`);
}

/** The verdict on a record whose commandId the store already knows. */
export function judge(hash: string, entry: { readonly status: string; readonly hash: string; readonly text: string }) {
  if (entry.hash !== hash) return 'id-reused' as const;
  if (entry.status === 'done' || entry.status === 'refused') return 'duplicate' as const;
  if (entry.status === 'open') return entryParts(entry.text).facts.doubt === true ? ('in-doubt' as const) : ('intended' as const);
  return entry.status === 'parked' ? ('parked' as const) : ('inboxed' as const);
}
