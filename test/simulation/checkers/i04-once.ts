/** I4: each commandId takes effect at most once, is not forgotten early, and a repeat gets the first answer byte for byte. */
import { type Happening, type MakeChecker, type Outside, Violation } from '../happening.ts';
import { Entries } from './entries.ts';
import { entryFact, hashOf, isFinal, isObject, show } from './facts.ts';

const NAME = 'I4';
/** What may follow what; done and refused are final. */
const NEXT: Readonly<Record<string, readonly string[]>> = {
  inboxed: ['open', 'parked', 'done', 'refused'],
  open: ['open', 'done', 'refused'],
  parked: ['parked', 'open', 'done', 'refused'],
  done: [],
  refused: [],
};
type Called = Extract<Happening, { readonly kind: 'called' }>;

export const takesEffectOnce: MakeChecker = (outside) => {
  const entries = new Entries();
  const calls = new Map<number, Called>();
  return {
    name: NAME,
    hear(it) {
      if (it.kind === 'committed') for (const entry of it.change.entries) judge(entries, it.claim.address, entry);
      if (it.kind === 'appended' && entries.get(it.address, it.item.commandId) !== undefined)
        throw new Violation(NAME, `${it.address} ${it.item.commandId} was known and was written into the inbox`);
      if (it.kind === 'trimmed') notEarly(entries, outside, it);
      if (it.kind === 'called') calls.set(it.call, it);
      if (it.kind === 'answered') {
        const call = calls.get(it.call);
        calls.delete(it.call);
        if (call !== undefined && isObject(it.answer)) agrees(entries, call, it.answer);
      }
      entries.hear(it);
    },
  };
};

function judge(entries: Entries, address: string, entry: { commandId: string; status: string; hash: string; text: string }): void {
  const had = entries.get(address, entry.commandId);
  if (had === undefined) return;
  if (had.hash !== entry.hash)
    throw new Violation(NAME, `${address} ${entry.commandId} is ${had.status}, and another payload under this id became ${entry.status}`);
  if (!NEXT[had.status]?.includes(entry.status))
    throw new Violation(NAME, `${address} ${entry.commandId} was ${had.status} (${had.text}) and became ${entry.status} (${entry.text})`);
}

function notEarly(entries: Entries, { limits, now }: Outside, it: Extract<Happening, { readonly kind: 'trimmed' }>): void {
  const { entries: ids = [] } = it.what as { readonly entries?: readonly string[] };
  for (const id of ids) {
    const had = entries.get(it.claim.address, id);
    if (had === undefined) continue;
    const ageMs = now() - entryFact(had.text).t;
    if (!isFinal(had.status) || ageMs < limits.dedupeWindowMs)
      throw new Violation(NAME, `${it.claim.address} ${id}, ${had.status}, was forgotten after ${ageMs} ms`);
  }
}

/** What a caller was told must stand in the store, under the id and the payload that it sent. */
function agrees(entries: Entries, call: Called, answer: Readonly<Record<string, unknown>>): void {
  const { address, commandId, name, input } = call;
  const entry = entries.get(address, commandId);
  const hash = hashOf(`${address.slice(0, address.indexOf('/'))}.${name}`, input);
  const because = (why: string) => new Violation(NAME, `${address} ${commandId}: the caller was told ${show(answer)}, ${why}`);
  if (answer.kind === 'id-reused' && entry?.hash === hash) throw because('and its payload is the one that stands there');
  if (answer.kind !== 'final') return;
  if (entry === undefined || !isFinal(entry.status)) throw because(`what stands there is ${entry?.status ?? 'nothing'}`);
  if (entry.hash !== hash) throw because('its payload is another than the one that stands there');
  const { outcome } = entryFact(entry.text);
  if (answer.status !== entry.status || answer.text !== outcome) throw because(`what stands there is ${entry.status} ${outcome}`);
}
