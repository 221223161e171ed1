/** The OpenAPI 3.1 document of the public port, made from the actors' own schemas. */
import type { Catalogued, CataloguedCommand } from '../../src/desk.ts';
import { headers, type Json, json, object, parameters, problems, ref, responses, schemas, seq } from './openapi-parts.ts';

/** Any request may be ended for its size or slowness, be one too many, or meet what nobody foresaw. */
const ANY = [408, 429, 431, 500] as const;

export function openApi(catalogue: readonly Catalogued[]): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Locus',
      version: '1',
      description: 'Commands to locations, their outcomes, and committed state. Each command takes effect once per Idempotency-Key.',
    },
    servers: [{ url: '/' }],
    tags: catalogue.map(({ type }) => ({ name: type })),
    paths: { ...Object.assign({}, ...catalogue.map(pathsOf)), '/openapi.json': { get: itself } },
    components: { parameters, headers, schemas, responses },
  };
}

const itself: Json = {
  operationId: 'openapi',
  responses: { 200: { description: 'This document.', content: json({ type: 'object' }) }, ...problems(...ANY) },
};

function pathsOf(actor: Catalogued): Json {
  const base = `/v1/${actor.type}/{id}`;
  return {
    [base]: { get: read(actor, undefined) },
    ...Object.fromEntries(actor.queries.map((name) => [`${base}/${name}`, { get: read(actor, name) }])),
    ...Object.fromEntries(actor.commands.map((command) => [`${base}/${command.name}`, { post: submit(actor, command) }])),
    [`${base}/commands/{commandId}`]: { get: lookUp(actor) },
  };
}

function submit(actor: Catalogued, command: CataloguedCommand): Json {
  const refusals = actor.refusals.filter((code) => code !== UNMET);
  return {
    operationId: `${actor.type}.${command.name}`,
    tags: [actor.type],
    parameters: ['id', 'idempotencyKey', 'prefer', 'ifMatch', 'deadline', 'traceparent'].map((name) => ref('parameters', name)),
    ...(command.present ? { description: 'A person waits for it: unless given, its deadline is the wait.' } : {}),
    requestBody: { required: true, content: json(command.input) },
    responses: {
      200: { description: 'Its outcome.', headers: applied, content: json({ oneOf: [done(command.reply), refused(refusals)] }) },
      202: { ...waiting, headers: { ...waiting.headers, ...applied } },
      412: { description: 'Refused: the location was at another seq.', headers: applied, content: json(refused([UNMET])) },
      ...problems(400, 404, 413, 415, 422, 503, ...ANY),
    },
  };
}

function lookUp(actor: Catalogued): Json {
  const outcomes = [...actor.commands.map(({ reply }) => done(reply)), refused(actor.refusals)];
  return {
    operationId: `${actor.type}.outcome`,
    tags: [actor.type],
    description: '404 means "not known yet", never "did not happen".',
    parameters: ['id', 'commandId'].map((name) => ref('parameters', name)),
    responses: {
      200: { description: 'The outcome.', content: json({ anyOf: outcomes }) },
      202: waiting,
      ...problems(400, 404, 503, ...ANY),
    },
  };
}

function read(actor: Catalogued, query: string | undefined): Json {
  const etag = { ETag: ref('headers', 'etag') };
  return {
    operationId: `${actor.type}.${query === undefined ? 'state' : `query.${query}`}`,
    tags: [actor.type],
    parameters: ['id', 'ifNoneMatch'].map((name) => ref('parameters', name)),
    responses: {
      200: { description: 'Committed state.', headers: etag, content: json({}) },
      304: { description: 'As you have it.', headers: etag },
      ...problems(400, 404, 503, ...ANY),
    },
  };
}

const UNMET = 'PRECONDITION_FAILED';
const applied = { 'Preference-Applied': ref('headers', 'preferenceApplied') };
const waiting = {
  description: 'Accepted, without an outcome yet.',
  headers: { Location: ref('headers', 'location') },
  content: json(ref('schemas', 'Waiting')),
};

const done = (reply: Json): Json => object({ status: { const: 'done' }, reply, seq, epoch: { type: 'integer', minimum: 1 } });
const refused = (codes: readonly string[]): Json =>
  object({ status: { const: 'refused' }, code: { enum: codes }, detail: {}, seq }, ['status', 'code', 'seq']);
