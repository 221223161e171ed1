/** What every operation of the OpenAPI document shares: problems by status, headers, parameters. */
import { codes } from '../../src/errors.ts';
import { kinds, typeOf } from './problem.ts';

export type Json = Readonly<Record<string, unknown>>;

export const ref = (kind: 'schemas' | 'responses' | 'parameters' | 'headers', name: string): Json => ({
  $ref: `#/components/${kind}/${name}`,
});
export const json = (schema: Json): Json => ({ 'application/json': { schema } });
export const object = (properties: Json, required: readonly string[] = Object.keys(properties)): Json => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});
export const seq: Json = { type: 'integer', minimum: 1, description: 'Number of the last event of this outcome within its location.' };

const ID = '^[A-Za-z0-9._-]{1,64}$';
const COMMAND_ID = '^[A-Za-z0-9._:-]{1,128}$';
const TAG = '^"[0-9]{1,16}"$';
const text = (more: Json = {}): Json => ({ type: 'string', ...more });

export const parameters = {
  id: { name: 'id', in: 'path', required: true, description: 'The location.', schema: text({ pattern: ID }) },
  commandId: { name: 'commandId', in: 'path', required: true, schema: text({ pattern: COMMAND_ID }) },
  idempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    required: true,
    description:
      'The commandId, of your choice and unique per location: a repeat under the same one takes effect once and gets the same answer.',
    schema: text({ pattern: COMMAND_ID }),
  },
  prefer: {
    name: 'Prefer',
    in: 'header',
    description: '`wait=N`: seconds to wait for the outcome, at most 60, else 10. `respond-async`: none.',
    schema: text(),
  },
  ifMatch: {
    name: 'If-Match',
    in: 'header',
    description: 'Only if the location is at this seq when the command is decided; else 412.',
    schema: text({ pattern: TAG }),
  },
  deadline: {
    name: 'Locus-Deadline',
    in: 'header',
    description: 'Not to be decided or begun after this time (RFC 3339).',
    schema: text({ format: 'date-time' }),
  },
  traceparent: { name: 'traceparent', in: 'header', description: 'W3C Trace Context.', schema: text() },
  ifNoneMatch: { name: 'If-None-Match', in: 'header', description: '304 while the location is at this seq.', schema: text() },
};

export const headers = {
  etag: { description: 'The seq of the location.', required: true, schema: text({ pattern: TAG }) },
  location: { description: 'Where the outcome can be looked up.', required: true, schema: text({ format: 'uri-reference' }) },
  preferenceApplied: { description: 'What of `Prefer` was heeded.', schema: text() },
  retryAfter: { description: 'Seconds.', required: true, schema: text({ pattern: '^[0-9]+$' }) },
};

export const schemas = {
  Problem: {
    ...object(
      {
        type: text({ format: 'uri', description: 'Stable; docs/errors.md has a section for each.' }),
        code: text(),
        title: text(),
        status: { type: 'integer' },
        detail: text(),
        faults: { type: 'array', minItems: 1, items: object({ field: text(), value: text(), rule: text() }) },
        maybeAccepted: { const: true, description: 'The command may have been accepted: repeat it with the same key and body.' },
      },
      ['type', 'code', 'title', 'status'],
    ),
    description: 'RFC 9457.',
  },
  Waiting: object({ status: { enum: ['in-doubt', 'parked', 'pending'] } }),
};

/** One response for each status that a problem can have; it names the codes that may stand in it. */
export const responses: Json = Object.fromEntries(
  [...new Set(Object.values(kinds).map(({ status }) => status))].map((status) => [nameOf(status), problemsOf(status)]),
);
export const problems = (...statuses: readonly number[]): Json =>
  Object.fromEntries(statuses.map((status) => [String(status), ref('responses', nameOf(status))]));

function nameOf(status: number): string {
  return `Problem${status}`;
}
function problemsOf(status: number): Json {
  const those = codes.filter((code) => kinds[code]?.status === status);
  const narrow = { properties: { status: { const: status }, code: { enum: those }, type: { enum: those.map(typeOf) } } };
  return {
    description: those.map((code) => kinds[code]?.title).join(' · '),
    ...(status === 429 || status === 503 ? { headers: { 'Retry-After': ref('headers', 'retryAfter') } } : {}),
    content: { 'application/problem+json': { schema: { allOf: [ref('schemas', 'Problem'), narrow] } } },
  };
}
