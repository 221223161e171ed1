/** What an owner begins with: the next epoch and all that is needed of its location, in one round trip unless events wait to be published. */
import type { Address } from '../../src/message/address.ts';
import type { EventText } from '../../src/message/envelope.ts';
import type { Loaded, Trouble } from '../../src/ports.ts';
import { eventField, GENERATION, inboxKey, locationKey, unpackLocated } from './keys.ts';
import type { Session } from './session.ts';
import { unfenced, wordOf } from './verdict.ts';

/** Field names in one HMGET. */
const PAGE = 1_000;
type ClaimAnswer = readonly [ok: 'OK', epoch: string, found: readonly (string | null)[], customer: number, bulk: number];

export async function claim(
  session: Session,
  address: Address,
  owner: string,
  generation: string,
): Promise<({ readonly kind: 'claimed' } & Loaded) | Trouble> {
  const life = session.life() ?? '';
  const keys = [locationKey(address), GENERATION, inboxKey(address, 'customer'), inboxKey(address, 'bulk')];
  const answer = await session.run(life, 'claim', keys, [generation, owner]);
  if (answer.kind !== 'answer') return answer;
  if (wordOf(answer.value) !== 'OK') return unfenced(answer) as Trouble;
  const [, epoch, found, customer, bulk] = answer.value as ClaimAnswer;
  const located = unpackLocated(epoch, owner, found, customer, bulk);
  const unpublished = located.published < located.seq ? await events(session, address, located.published, located.seq) : [];
  if (typeof unpublished === 'string') return { kind: 'unanswered', why: unpublished };
  return { kind: 'claimed', ...located, claim: { address, epoch: located.epoch, generation, life }, unpublished };
}

/** By computed names, never HGETALL. A hole means that a later owner published and trimmed: this claim is void already. */
async function events(session: Session, address: Address, published: number, seq: number): Promise<readonly EventText[] | string> {
  const found: EventText[] = [];
  try {
    for (let from = published + 1; from <= seq; from += PAGE) {
      const seqs = Array.from({ length: Math.min(PAGE, seq - from + 1) }, (_, i) => from + i);
      const texts = await session.read((client) => client.hmget(locationKey(address), ...seqs.map(eventField)));
      for (const [i, text] of texts.entries()) {
        if (text === null) return `event ${from + i} of ${address} is gone: another owner trimmed it`;
        found.push({ address, seq: from + i, text });
      }
    }
  } catch {
    return 'Redis did not answer with the unpublished events';
  }
  return found;
}
