/** The OpenAPI 3.1 document of the admin port: probes, inspection, operators' actions. */
import { verbs } from './actions.ts';
import { headers, type Json, json, object, parameters, problems, ref, responses, schemas, seq } from './openapi-parts.ts';

const ANY = [408, 431, 500] as const;
const GUARDED = [401, 403, ...ANY] as const;
const because = { type: 'string', minLength: 1, maxLength: 500, description: 'Why: it is kept with the action.' };
const text = { 'text/plain': { schema: { type: 'string' } } };

const LETTER = '^[0-9]{1,9}:[0-9]{1,15}$';
const neverRan = {
  type: 'boolean',
  description: 'States that it never ran: then one with the reason STALE is sent too, as if it were new.',
};
const dryRun = { type: 'boolean', description: 'Only say whether it would be sent.' };
const topic = { type: 'string', description: 'Where it was looked.' };
const whole = { type: 'integer', minimum: 0 };
const events = object({
  topic,
  events: { type: 'array', items: { type: 'object' }, description: 'CloudEvents as published; one may come more than once.' },
  strange: { type: 'array', items: whole, description: 'Offsets at which something lies that is no event.' },
  next: { ...whole, description: 'Where to go on.' },
  more: { type: 'boolean', description: 'Something lies there now.' },
});
const letters = object(
  {
    topic,
    letters: { type: 'array', items: { type: 'object' } },
    next: { type: 'string', pattern: LETTER, description: 'Where to go on; absent: there are no more.' },
  },
  ['topic', 'letters'],
);

export const adminApi: Json = {
  openapi: '3.1.0',
  info: { title: 'Locus, admin port', version: '1', description: 'For operators and for whatever runs the program.' },
  servers: [{ url: '/' }],
  security: [{}, { token: [] }],
  paths: {
    ...Object.fromEntries(['/livez', '/readyz', '/startupz'].map((path) => [path, { get: probe(path.slice(1)) }])),
    '/metrics': { get: look('metrics', 'Prometheus metrics.', text) },
    '/openapi.json': { get: look('openapi', 'This document.', json({ type: 'object' })) },
    '/admin/locations': {
      get: {
        ...look('locations', 'Locations in memory here.', listed('locations'), 400),
        parameters: [
          { name: 'stuck', in: 'query', description: 'Only those that make no progress.', schema: { enum: ['', 'true'] } },
          limit(),
        ],
      },
    },
    '/admin/locations/{type}/{id}': {
      get: { ...look('location', 'Everything about one location.', json({ type: 'object' }), 400, 404, 503), parameters: place() },
    },
    '/admin/locations/{type}/{id}/events': {
      get: {
        ...look('events', 'What of its events lies on the events topic, a part at a time.', json(events), 400, 503),
        parameters: [
          ...place(),
          { name: 'after', in: 'query', description: 'Only those after this seq.', schema: { type: 'integer', minimum: 0 } },
          { name: 'from', in: 'query', description: '`next` of the part before.', schema: { type: 'integer', minimum: 0 } },
          limit(),
        ],
      },
    },
    ...Object.fromEntries(
      Object.entries(verbs).map(([verb, { names }]) => [`/admin/locations/{type}/{id}:${verb}`, { post: act(verb, names) }]),
    ),
    '/admin/parked': { get: look('parked', 'Commands that wait for an operator.', listed('parked'), 503) },
    '/admin/dead-letters': {
      get: {
        ...look('deadLetters', 'Records that could never run, a part at a time.', json(letters), 400, 503),
        parameters: [
          { name: 'from', in: 'query', description: '`next` of the part before.', schema: { type: 'string', pattern: LETTER } },
          ...['reason', 'key', 'topic'].map((name) => ({ name, in: 'query', description: 'Only those.', schema: { type: 'string' } })),
          limit(),
        ],
      },
    },
    '/admin/dead-letters/{letter}': {
      get: {
        ...look('deadLetter', 'One with its value and its headers.', json({ type: 'object' }), 400, 404, 503),
        parameters: [variable('letter', { type: 'string', pattern: LETTER })],
      },
    },
    '/admin/dead-letters/{letter}:replay': {
      post: {
        ...order('replayLetter', object({ because, neverRan, dryRun }, ['because']), { type: 'object' }),
        parameters: [variable('letter', { type: 'string', pattern: LETTER }), key()],
      },
    },
    '/admin/partitions': { get: look('partitions', 'Partitions that are refused here.', listed('refused')) },
    '/admin/partitions/{topic}/{partition}:accept': {
      post: {
        ...order('accept', object({ because }), { type: 'object' }),
        parameters: [variable('topic', { type: 'string' }), variable('partition', { type: 'integer', minimum: 0 }), key()],
      },
    },
    '/admin/generation:raise': { post: { ...order('raise', object({ because }), { type: 'object' }), parameters: [key()] } },
  },
  components: {
    ...{ parameters, headers, schemas, responses },
    securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN; without one only loopback may call.' } },
  },
};

function probe(operationId: string): Json {
  const said = { 200: { description: 'Well.', content: text }, 503: { description: 'Not, and why.', content: text } };
  return { operationId, security: [], responses: { ...said, ...problems(...ANY) } };
}

function look(operationId: string, description: string, content: Json, ...statuses: readonly number[]): Json {
  return { operationId, responses: { 200: { description, content }, ...problems(...statuses, ...GUARDED) } };
}

function act(verb: string, names: boolean): Json {
  const fields = {
    commandId: { type: 'string' },
    because,
    evidence: { description: '{"status":"confirmed","result":…} or {"status":"failed","code":"…"}' },
  };
  const acted = object({ status: { const: 'done' }, verb: { const: verb }, seq, epoch: { type: 'integer', minimum: 1 } });
  const needed = ['because', ...(names ? ['commandId'] : []), ...(verb === 'settle' ? ['evidence'] : [])];
  return { ...order(verb, object(fields, needed), acted), parameters: [...place(), key()] };
}

function order(operationId: string, body: Json, told: Json): Json {
  return {
    operationId,
    requestBody: { required: true, content: json(body) },
    responses: { 200: { description: 'Done.', content: json(told) }, ...problems(400, 404, 409, 413, 415, 503, ...GUARDED) },
  };
}

function listed(name: string): Json {
  return json(object({ [name]: { type: 'array', items: { type: 'object' } } }));
}
function limit(): Json {
  return { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 1_000, default: 100 } };
}
function variable(name: string, schema: Json): Json {
  return { name, in: 'path', required: true, schema };
}
function place(): readonly Json[] {
  return [variable('type', { type: 'string', pattern: '^[a-z][a-z0-9-]{0,31}$' }), ref('parameters', 'id')];
}
function key(): Json {
  return ref('parameters', 'idempotencyKey');
}
