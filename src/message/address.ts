/** Names of locations and of commands: `type/id`, and ids that are unique per address. */
import { type Fault, fault } from '../errors.ts';

const TYPE = /^[a-z][a-z0-9-]{0,31}$/;
const ID = /^[A-Za-z0-9._-]{1,64}$/;
/** Dot segments: valid by the letters, but no URL can name them. */
const DOTS = /^\.{1,2}$/;
const COMMAND_ID = /^[A-Za-z0-9._:-]{1,128}$/;
/** The runtime's own ids (timers, operators' actions) begin with `~`; HTTP refuses them. */
const OWN_ID = /^~[A-Za-z0-9._:/-]{1,200}$/;

export type Address = string;
export type Place = { readonly address: Address; readonly type: string; readonly id: string };

export const addressOf = (type: string, id: string): Address => `${type}/${id}`;

export function parseAddress(text: string, field: string): Place | Fault {
  const cut = text.indexOf('/');
  const type = text.slice(0, cut);
  const id = text.slice(cut + 1);
  if (cut < 0 || !TYPE.test(type) || !ID.test(id) || DOTS.test(id))
    return fault(
      'ADDRESS_INVALID',
      field,
      text,
      'must be type/id, type [a-z][a-z0-9-]{0,31} and id [A-Za-z0-9._-]{1,64} other than . and ..',
    );
  return { address: text, type, id };
}

export const isOwnId = (commandId: string): boolean => commandId.startsWith('~');

export function checkCommandId(commandId: string, field: string): Fault | undefined {
  if (COMMAND_ID.test(commandId) || OWN_ID.test(commandId)) return undefined;
  return fault('COMMAND_ID_INVALID', field, commandId, 'must be 1 to 128 of [A-Za-z0-9._:-]');
}
