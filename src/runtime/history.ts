/** Events as data: what an earlier version of an actor wrote, brought to the present one, and the state that they make. */
import type { Definition, EventData } from './definition.ts';

/** The runtime's own events: they leave the state alone, and no actor may use their names. */
const OWN = new Set([
  'Accepted',
  'EffectUnbooked',
  'EvidenceConflict',
  'Frozen',
  'InDoubt',
  'Intended',
  'Operated',
  'Parked',
  'Refused',
  'TimersSet',
]);
export const isOwnEvent = (type: string): boolean => OWN.has(type);

/** What `evolve` may be given of an event's text; undefined: one of the runtime's own, which leaves the state alone. */
function eventOf(definition: Definition, text: string): EventData | undefined {
  const event = JSON.parse(text) as { readonly type: string; readonly locusversion?: number; readonly data: object };
  const type = event.type.slice(definition.type.length + 1);
  if (isOwnEvent(type)) return undefined;
  let data: unknown = { type, ...event.data };
  for (let from = event.locusversion ?? 1; from < definition.version; from++) data = definition.upcast?.[from]?.(data) ?? data;
  return data as EventData;
}

/** The state that a location's events make, from its first to its last, each as the topic has it. */
export function stateAfter(definition: Definition, id: string, texts: readonly string[]): unknown {
  let state = definition.initial(id);
  for (const text of texts) {
    const event = eventOf(definition, text);
    if (event !== undefined) state = definition.evolve(state, event);
  }
  return state;
}
