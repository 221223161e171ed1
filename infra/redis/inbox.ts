/** The durable inbox of a location: fields by lane and offset, and per lane an index of the offsets that a script makes agree with them. */
import type { Address } from '../../src/message/address.ts';
import { assertHash } from '../../src/message/change.ts';
import type { InboxItem, StateStore } from '../../src/ports.ts';
import {
  entryField,
  GENERATION,
  type InboxLane,
  inboxField,
  inboxKey,
  locationKey,
  packEntry,
  packItem,
  unpackEntry,
  unpackItem,
} from './keys.ts';
import type { Failure, Session } from './session.ts';
import { OK } from './verdict.ts';

export type Inbox = Pick<StateStore, 'append' | 'inbox'> & {
  /** Makes the index agree with the fields; answers what went wrong. */
  agree(life: string, address: Address, items: readonly Pick<InboxItem, 'lane' | 'offset'>[]): Promise<Failure | undefined>;
};

export function redisInbox(session: Session): Inbox {
  async function agreeLane(life: string, address: Address, lane: InboxLane, offsets: readonly number[]): Promise<Failure | undefined> {
    if (offsets.length === 0) return undefined;
    const keys = [inboxKey(address, lane), locationKey(address)];
    const answer = await session.run(life, 'index', keys, [lane, ...offsets.map(String)]);
    return answer.kind === 'answer' ? undefined : answer;
  }
  const agree: Inbox['agree'] = async (life, address, items) => {
    const of = (lane: InboxLane) => items.filter((it) => it.lane === lane).map((it) => it.offset);
    return (await agreeLane(life, address, 'customer', of('customer'))) ?? agreeLane(life, address, 'bulk', of('bulk'));
  };

  return {
    agree,
    async append(address, item, entry, generation) {
      assertHash(entry);
      const life = session.life() ?? '';
      const answer = await session.run(
        life,
        'append',
        [locationKey(address), GENERATION],
        [
          generation,
          inboxField(item.lane, item.offset),
          entryField(item.commandId),
          packEntry(entry),
          item.commandId,
          packItem(item.commandId, item.text),
        ],
      );
      if (answer.kind !== 'answer') return answer;
      const [word, found = ''] = answer.value === 'OK' ? ['OK'] : (answer.value as readonly string[]);
      if (word === 'ID_REUSED') return { kind: 'id-reused' };
      if (word === 'RECREATED') return { kind: 'recreated', found };
      if (word === 'GENERATION') return { kind: 'generation', found };
      // Also for a known id: whoever wrote the field may have died before the index.
      const trouble = await agree(life, address, [item]);
      if (trouble) return trouble;
      return word === 'KNOWN' ? { kind: 'known', entry: unpackEntry(found) } : OK;
    },
    async inbox(address, lane, limit) {
      for (;;) {
        const { offsets, found } = await session.read(async (client) => {
          const offsets = (await client.zrange(inboxKey(address, lane), '0', String(limit - 1))).map(Number);
          if (offsets.length === 0) return { offsets, found: [] };
          return { offsets, found: await client.hmget(locationKey(address), ...offsets.map((it) => inboxField(lane, it))) };
        });
        const items = offsets.flatMap((offset, i) => (found[i] ? [{ lane, offset, ...unpackItem(found[i]) }] : []));
        if (items.length > 0 || offsets.length === 0) return items;
        // Only names of items that are gone: whoever trimmed them died before the index.
        if (await agreeLane(session.life() ?? '', address, lane, offsets)) return items;
      }
    },
  };
}
