/** Records as strangers write them: commands in both modes of CloudEvents, and what only looks like one. */
import { encodeCommand } from '../../src/message/codec.ts';
import type { Chance } from './chance.ts';
import { START_MS } from './kernel.ts';
import type { Letter, Order, Sent } from './step.ts';

const SOURCE = 'outside';
const TIME = new Date(START_MS).toISOString();
const DAY_MS = 86_400_000;

export function recordOf(chance: Chance, order: Sent, topic: Letter['topic']): Letter {
  // Long before the world began, or long after it ends: how late a record is read must not decide what a repeat says.
  const deadlineMs = chance.odds(0.03) ? START_MS + chance.pick([-1, 1]) * DAY_MS : undefined;
  const ifSeq = chance.odds(0.02) ? chance.below(40) : undefined;
  if (chance.odds(0.7)) {
    const more = { ...(deadlineMs !== undefined && { deadlineMs }), ...(ifSeq !== undefined && { ifSeq }) };
    return { topic, ...encodeCommand({ ...order, ...more, source: SOURCE, time: TIME }) };
  }
  const headers = {
    ...binary(order),
    ...(deadlineMs !== undefined && { locus_deadline: new Date(deadlineMs).toISOString() }),
    ...(ifSeq !== undefined && { locus_if_seq: String(ifSeq) }),
  };
  return { topic, key: order.address, value: JSON.stringify(order.input), headers };
}

const binary = ({ address, name, commandId }: Sent): Record<string, string> => ({
  ce_specversion: '1.0',
  ce_id: commandId,
  ce_type: `${address.slice(0, address.indexOf('/'))}.${name}`,
  ce_subject: address,
  ce_source: SOURCE,
});

/** A dead letter is all that can become of it. */
export function malformed(chance: Chance, order: Order, commandId: string): Letter {
  const topic = chance.odds(0.2) ? ('bulk' as const) : ('commands' as const);
  const it = { ...order, commandId };
  const sound = { topic, key: order.address, value: JSON.stringify(order.input), headers: binary(it) };
  const headed = (more: Record<string, string>): Letter => ({ ...sound, headers: { ...sound.headers, ...more } });
  return chance.pick<() => Letter>([
    () => ({ ...sound, value: '{"amount":' }),
    () => ({ ...sound, value: null }),
    () => ({ ...sound, value: '[]', headers: {} }),
    () => ({ ...sound, key: null }),
    () => ({ ...sound, key: 'Not An Address' }),
    () => ({ ...sound, value: JSON.stringify({ ...order.input, nobodyKnows: 1 }) }),
    () => ({ ...sound, value: `${'['.repeat(40)}${']'.repeat(40)}` }),
    () => headed({ ce_subject: `${order.address}x` }),
    () => headed({ ce_id: 'two words' }),
    () => headed({ ce_id: `~timer/reservation/${chance.between(1, 9)}`, ce_type: binary(it).ce_type as string }),
    () => headed({ ce_id: '~op/guessed' }),
    () => headed({ ce_type: `${order.address.slice(0, order.address.indexOf('/'))}.explode` }),
    () => headed({ 'content-type': 'text/plain' }),
    () => headed({ locus_deadline: 'soon' }),
  ])();
}
