/** The OpenAPI document is one, says what the actors' schemas say, and is enough to make a client from. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Validator } from '@seriousme/openapi-schema-validator';
import openapiTypescript, { astToString } from 'openapi-typescript';
import ts from 'typescript';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CashLocation } from '../../actors/cash-location/actor.ts';
import { openApi } from '../../infra/http/openapi.ts';
import { accept, bind, defineActor } from '../../src/actor.ts';
import { catalogue } from '../../src/runtime/catalogue.ts';
import { definitions } from '../../src/runtime/definition.ts';
import { town } from './town.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const cash = bind(CashLocation, {
  dispenseCash: {
    run: async ({ notes }) => ({ status: 'confirmed', result: { status: 'dispensed', notes } }),
    probe: async () => ({ status: 'unknown' }),
  },
});
async function setup() {
  const it = await town(cash);
  ends.push(() => it.stop());
  return it;
}
type Any = { readonly [key: string]: Any };

describe('the document', () => {
  it('is OpenAPI 3.1', async () => {
    const { document } = await setup();
    expect(await new Validator().validate(document)).toEqual({ valid: true });
    expect(document.openapi).toBe('3.1.0');
    expect((await new Validator().validate({ ...document, paths: { '/x': { get: { responses: 5 } } } })).valid).toBe(false);
  });

  it('has each command and each query, with the schemas of the actor', async () => {
    const { document } = await setup();
    const paths = document.paths as Any;
    expect(Object.keys(paths)).toEqual([
      '/v1/cash-location/{id}',
      '/v1/cash-location/{id}/position',
      ...['load', 'dispense', 'reverse', 'count', 'open', 'close'].map((name) => `/v1/cash-location/{id}/${name}`),
      '/v1/cash-location/{id}/commands/{commandId}',
      '/openapi.json',
    ]);
    const dispense = paths['/v1/cash-location/{id}/dispense']?.post;
    expect(dispense?.requestBody?.content?.['application/json']?.schema).toMatchObject({
      required: ['amount', 'currency'],
      properties: { amount: { type: 'integer', exclusiveMinimum: 0 }, currency: { pattern: '^[A-Z]{3}$' } },
      additionalProperties: false,
    });
    const outcome = dispense?.responses?.['200']?.content?.['application/json']?.schema?.oneOf;
    expect(outcome).toMatchObject([
      { properties: { reply: { required: ['amount', 'notes', 'partial'] } } },
      { properties: { code: { enum: expect.arrayContaining(['INSUFFICIENT_CASH', 'DEADLINE_EXCEEDED']) } } },
    ]);
  });

  it('keeps the references within a schema to that schema, and says of one that cannot be printed why', async () => {
    type Tree = { readonly left?: Tree | undefined };
    const tree: z.ZodType<Tree> = z.lazy(() => z.object({ left: tree.optional() }));
    const decide = () => accept([], new Date(0));
    const Odd = defineActor<object, { type: 'E' }>()({
      ...{ type: 'odd', version: 1, initial: () => ({}), evolve: (state) => state, refusals: [] },
      commands: { grow: { input: z.object({ tree }), reply: z.date(), decide } },
    });
    const cards = catalogue(definitions([bind(Odd, {})]));
    expect(cards[0]?.commands[0]?.reply.description).toContain('cannot be printed');
    expect(JSON.stringify(cards[0]?.commands[0]?.input)).toContain('"$id":"urn:locus:schema:odd.grow.input"');
    expect(await new Validator().validate(openApi(cards) as Record<string, unknown>)).toEqual({ valid: true });
  });
});

/** Written beside the compiled program, so that it finds the libraries. */
const CALLER = `
import createClient from 'openapi-fetch';
import type { paths } from './api.ts';

export async function call(baseUrl: string, fetch: typeof globalThis.fetch) {
  const client = createClient<paths>({ baseUrl, fetch });
  const load = await client.POST('/v1/cash-location/{id}/load', {
    params: { path: { id: 'A' }, header: { 'Idempotency-Key': 'l1' } },
    body: { currency: 'USD', cassettes: [{ denomination: 2000, count: 10 }] },
  });
  const dispense = await client.POST('/v1/cash-location/{id}/dispense', {
    params: { path: { id: 'A' }, header: { 'Idempotency-Key': 'd1', Prefer: 'wait=5' } },
    body: { amount: 6000, currency: 'USD' },
  });
  const told = dispense.data;
  const amount: number | undefined = told !== undefined && 'reply' in told ? told.reply.amount : undefined;
  const wrong = await client.POST('/v1/cash-location/{id}/dispense', {
    params: { path: { id: 'A' }, header: { 'Idempotency-Key': 'd2' } },
    body: { amount: -1, currency: 'USD' },
  });
  const title: string | undefined = wrong.error !== undefined && 'title' in wrong.error ? wrong.error.title : undefined;
  const outcome = await client.GET('/v1/cash-location/{id}/commands/{commandId}', { params: { path: { id: 'A', commandId: 'd1' } } });
  const state = await client.GET('/v1/cash-location/{id}/position', { params: { path: { id: 'A' } } });
  return { load: load.response.status, dispense: dispense.response.status, amount, title, outcome: outcome.data, state: state.data };
}
`;
const MISTAKEN = `
import createClient from 'openapi-fetch';
import type { paths } from './api.ts';
const client = createClient<paths>({ baseUrl: '' });
const params = { path: { id: 'A' }, header: { 'Idempotency-Key': 'd1' } };
// @ts-expect-error an amount that is no number
await client.POST('/v1/cash-location/{id}/dispense', { params, body: { amount: '60', currency: 'USD' } });
// @ts-expect-error no key
await client.POST('/v1/cash-location/{id}/open', { params: { path: { id: 'A' } }, body: {} });
// @ts-expect-error no such command
await client.POST('/v1/cash-location/{id}/explode', { params, body: {} });
`;

describe('a client generated from it', () => {
  it('compiles, refuses mistakes, and speaks to the port', { timeout: 60_000 }, async () => {
    const { document, fetch } = await setup();
    const dir = await mkdtemp(join(import.meta.dirname, '../../dist/client-'));
    ends.push(() => rm(dir, { recursive: true }));
    const api = astToString(await openapiTypescript(JSON.stringify(document)));
    await writeFile(join(dir, 'api.ts'), api);
    await writeFile(join(dir, 'caller.ts'), CALLER);
    await writeFile(join(dir, 'mistaken.ts'), MISTAKEN);
    expect(compiled([join(dir, 'caller.ts'), join(dir, 'mistaken.ts')])).toEqual([]);

    const { call } = (await import(/* @vite-ignore */ pathToFileURL(join(dir, 'caller.js')).href)) as {
      call(url: string, fetch: unknown): Promise<object>;
    };
    expect(await call('http://locus', fetch)).toEqual({
      load: 200,
      dispense: 200,
      amount: 6000,
      title: 'The input is not valid',
      outcome: { status: 'done', reply: { amount: 6000, notes: { 2000: 3 }, partial: false }, seq: 3, epoch: expect.any(Number) },
      state: { open: true, cash: { USD: 14000 }, cassettes: { USD: { 2000: 7 } }, inDoubt: [] },
    });
  });
});

/** Emits JavaScript beside the sources; what the compiler has against them. */
function compiled(files: readonly string[]): readonly string[] {
  const program = ts.createProgram(files, {
    strict: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    rewriteRelativeImportExtensions: true,
    types: [],
  });
  const { diagnostics } = program.emit();
  return [...ts.getPreEmitDiagnostics(program), ...diagnostics].map((it) => ts.flattenDiagnosticMessageText(it.messageText, '\n'));
}
