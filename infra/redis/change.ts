/** One change of a location as the values that the commit script takes, checked for what its caller promised. */
import { assertChange } from '../../src/message/change.ts';
import type { Change, Claim, Header } from '../../src/ports.ts';
import { entryField, eventField, headerFields, packEntry, recordField } from './keys.ts';

export function commitValues({ epoch, generation }: Claim, change: Change): string[] {
  const { seq, unrecorded, events, entries, records, header, published } = change;
  assertChange(change);
  const values = [String(epoch), generation, String(seq), String(entries.length), String(unrecorded.length)];
  for (const commandId of unrecorded) values.push(recordField(commandId));
  // 0 raises nothing: without this it would be a field of its own.
  values.push('p', published ? String(published) : '');
  for (const entry of entries) values.push(entryField(entry.commandId), packEntry(entry));
  for (const event of events) values.push(eventField(event.seq), event.text);
  for (const record of records) values.push(recordField(record.commandId), record.text);
  for (const name in header) {
    const text = header[name as keyof Header];
    if (text !== undefined) values.push(headerFields[name as keyof Header], text);
  }
  if (events.length > 0) values.push('s', String(seq + events.length));
  return values;
}
