/** What the actors say of themselves to callers: commands with their JSON Schemas, refusals, queries. */
import type { RuntimeRefusal, Schema } from '../actor.ts';
import type { Catalogued, JsonSchema } from '../desk.ts';
import { why } from '../errors.ts';
import type { Definitions } from './definition.ts';

/** How the runtime itself may refuse a command, whatever the actor. */
export const OWN_REFUSALS = Object.keys({
  PRECONDITION_FAILED: true,
  DEADLINE_EXCEEDED: true,
  IN_DOUBT_OPEN: true,
  NOT_STARTED: true,
  DROPPED: true,
  TIMER_NOT_ARMED: true,
} satisfies Record<RuntimeRefusal, true>);

export const catalogue = (definitions: Definitions): readonly Catalogued[] =>
  [...definitions.values()].map(({ type, commands, queries, refusals }) => ({
    type,
    refusals: [...new Set([...refusals, ...OWN_REFUSALS])],
    queries: Object.keys(queries),
    commands: Object.entries(commands).map(([name, { input, reply, present = false }]) => ({
      name,
      present,
      input: printed(input, 'input', `${type}.${name}.input`),
      reply: printed(reply, 'output', `${type}.${name}.reply`),
    })),
  }));

/** A schema that cannot print itself is documented as anything at all, with the reason. */
function printed(schema: Schema<unknown>, side: 'input' | 'output', name: string): JsonSchema {
  const print = schema['~standard'].jsonSchema?.[side];
  if (print === undefined) return { description: 'Its schema does not print JSON Schema.' };
  try {
    const { $schema: _, ...it } = print({ target: 'draft-2020-12' });
    // References within it count from its own root, not from the document's.
    return JSON.stringify(it).includes('"$ref":"#') ? { $id: `urn:locus:schema:${name}`, ...it } : it;
  } catch (error) {
    return { description: `Its schema cannot be printed as JSON Schema: ${why(error)}` };
  }
}
