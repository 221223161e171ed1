/** Turns what a script answered into what the port promises. */
import type { Committed, Fenced, Offender, Ok, OtherGeneration } from '../../src/ports.ts';
import { unpackEntry } from './keys.ts';
import type { Answer, Failure } from './session.ts';

export const OK: Ok = { kind: 'ok' };

/** A list begins with the word that says what it is. */
export const wordOf = (value: unknown): string => (typeof value === 'string' ? value : (value as readonly string[])[0]) ?? '';
const rest = (value: unknown): string => (value as readonly string[])[1] ?? '';
const unexpected = (value: unknown): never => {
  throw new Error(`a script answered ${JSON.stringify(value)}`);
};

/** Of a script that needs no epoch. */
export function unfenced(answer: Answer): Ok | OtherGeneration | Failure {
  if (answer.kind !== 'answer') return answer;
  if (answer.value === 'OK') return OK;
  return wordOf(answer.value) === 'GENERATION' ? { kind: 'generation', found: rest(answer.value) } : unexpected(answer.value);
}
/** Of a script that checks the epoch. */
export function fenced(answer: Answer): Ok | Fenced | OtherGeneration | Failure {
  if (answer.kind !== 'answer' || wordOf(answer.value) !== 'FENCED') return unfenced(answer);
  return { kind: 'fenced', epoch: Number(rest(answer.value)) };
}
export function unmarked(answer: Answer): ReturnType<typeof fenced> | { readonly kind: 'busy' } {
  return answer.kind === 'answer' && wordOf(answer.value) === 'BUSY' ? { kind: 'busy' } : fenced(answer);
}
export function committed(answer: Answer): Committed {
  if (answer.kind !== 'answer' || answer.value === 'OK') return fenced(answer);
  if (wordOf(answer.value) === 'SEQ') return { kind: 'seq', seq: Number(rest(answer.value)) };
  if (wordOf(answer.value) === 'REFUSED') return { kind: 'refused', offenders: offenders(answer.value as readonly string[]) };
  return fenced(answer);
}

function offenders(list: readonly string[]): Offender[] {
  const found: Offender[] = [];
  for (let i = 1; i < list.length; i += 3) {
    const [name = '', why, there = ''] = list.slice(i, i + 3);
    const commandId = name.slice(2);
    if (why === 'RECORDED') found.push({ commandId, why, record: there });
    else found.push({ commandId, why: why as 'ID_REUSED' | 'TRANSITION', entry: unpackEntry(there) });
  }
  return found;
}
