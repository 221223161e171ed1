/** What the codec takes, what it refuses, and that both say the same in either mode. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CommandRecord,
  decode,
  encodeCommand,
  firstAppendedMs,
  hashOf,
  isRerouted,
  reroutedHeaders,
  VALUE_MAX_BYTES,
} from '../../src/message/codec.ts';

type Given = {
  readonly key?: string | null;
  readonly value?: string | Uint8Array | null;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly appendedMs?: number;
};
function record({ key = 'cash-location/ATM-1', value = '{}', headers = {}, appendedMs = 1_000 }: Given): CommandRecord {
  const bytes = (it: string | Uint8Array | null) => (typeof it === 'string' ? Buffer.from(it) : it);
  const given = Object.entries(headers).flatMap(([name, it]) => (it === undefined ? [] : [[name, Buffer.from(it)] as const]));
  return { key: bytes(key), value: bytes(value), headers: Object.fromEntries(given), appendedMs };
}
const BINARY = {
  ce_specversion: '1.0',
  ce_id: 'c-1',
  ce_type: 'cash-location.dispense',
  ce_subject: 'cash-location/ATM-1',
  ce_source: '/test',
  ce_time: '2026-01-31T12:00:00Z',
};
const binary = (headers: Given['headers'] = {}, rest: Given = {}) =>
  decode(record({ ...rest, headers: { ...BINARY, ...headers } }), 'customer');
const ENVELOPE = {
  specversion: '1.0',
  id: 'c-1',
  type: 'cash-location.dispense',
  source: '/test',
  subject: 'cash-location/ATM-1',
  data: { amount: 2000, currency: 'USD' },
};
const structured = (more: object = {}, rest: Given = {}) =>
  decode(record({ value: JSON.stringify({ ...ENVELOPE, ...more }), ...rest }), 'customer');
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

describe('what is taken', () => {
  test('binary mode: attributes in headers, the value is the input', () => {
    const command = binary(
      {
        'content-type': 'application/json; charset=utf-8',
        locus_deadline: '2026-01-31T12:00:10.5+01:00',
        locus_if_seq: '7',
        locus_notify: 'replies:a',
        traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      },
      { value: '{"currency":"USD","amount":2000}' },
    );
    expect(command).toEqual({
      address: 'cash-location/ATM-1',
      type: 'cash-location',
      id: 'ATM-1',
      name: 'dispense',
      commandId: 'c-1',
      input: { currency: 'USD', amount: 2000 },
      hash: hashOf('cash-location.dispense', { amount: 2000, currency: 'USD' }),
      lane: 'customer',
      appendedMs: 1_000,
      deadlineMs: Date.parse('2026-01-31T11:00:10.500Z'),
      ifSeq: 7,
      notify: 'replies:a',
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    });
  });

  test('structured mode says the same as binary mode', () => {
    const value = JSON.stringify(ENVELOPE.data);
    expect(structured({ locusdeadline: '2026-01-31T12:00:00Z', locusifseq: 3, locusnotify: 'n' })).toEqual(
      binary({ locus_deadline: '2026-01-31T12:00:00Z', locus_if_seq: '3', locus_notify: 'n' }, { value }),
    );
  });

  test.each(['application/cloudevents+json', 'application/cloudevents+json; charset=utf-8', 'application/json', undefined])(
    'structured mode takes the content type %s',
    (type) => expect(structured({}, { headers: { 'content-type': type } })).toMatchObject({ commandId: 'c-1' }),
  );
  test.each(['application/json', 'Application/JSON', 'application/vnd.bank.v1+json', undefined])(
    'binary mode takes the content type %s',
    (type) => expect(binary({ 'content-type': type })).toMatchObject({ commandId: 'c-1' }),
  );

  test('an extension that is null counts as absent', () => {
    expect(structured({ locusdeadline: null, locusifseq: null, locusnotify: null })).toEqual(structured());
  });

  test('a malformed traceparent is dropped, never refused', () => {
    expect(binary({ traceparent: 'nonsense' })).toEqual(binary());
  });

  test('the input may be nested 32 deep and a record 262,144 bytes long', () => {
    expect(binary({}, { value: nested(32) })).toMatchObject({ commandId: 'c-1' });
    expect(structured({ data: JSON.parse(nested(32)) })).toMatchObject({ commandId: 'c-1' });
    const value = `"${'x'.repeat(VALUE_MAX_BYTES - 2)}"`;
    expect(binary({}, { value })).toMatchObject({ commandId: 'c-1' });
  });

  test("the runtime's own ids may hold a slash", () => {
    expect(binary({ ce_id: '~timer/close/12' })).toMatchObject({ commandId: '~timer/close/12' });
  });
});

describe('what is refused names field, value and rule', () => {
  const bad: readonly (readonly [string, () => unknown, string, string])[] = [
    ['a null key', () => binary({}, { key: null }), 'KEY_MISSING', 'key'],
    ['a key that is no address', () => binary({}, { key: 'ATM 1' }), 'ADDRESS_INVALID', 'key'],
    ['an upper-case type', () => binary({}, { key: 'Cash/1' }), 'ADDRESS_INVALID', 'key'],
    ['an id of 65 characters', () => binary({}, { key: `cash-location/${'a'.repeat(65)}` }), 'ADDRESS_INVALID', 'key'],
    ['a tombstone', () => binary({}, { value: null }), 'TOMBSTONE', 'value'],
    ['a subject that is not the key', () => binary({ ce_subject: 'cash-location/ATM-2' }), 'KEY_MISMATCH', 'ce_subject'],
    ['no subject', () => binary({ ce_subject: undefined }), 'KEY_MISMATCH', 'ce_subject'],
    ['a structured subject that is not the key', () => structured({ subject: 'cash-location/ATM-2' }), 'KEY_MISMATCH', 'subject'],
    ['no ce_id', () => binary({ ce_id: undefined }), 'COMMAND_ID_MISSING', 'ce_id'],
    ['an empty ce_id', () => binary({ ce_id: '' }), 'COMMAND_ID_MISSING', 'ce_id'],
    ['a ce_id with a space', () => binary({ ce_id: 'c 1' }), 'COMMAND_ID_INVALID', 'ce_id'],
    ['a ce_id of 129 characters', () => binary({ ce_id: 'c'.repeat(129) }), 'COMMAND_ID_INVALID', 'ce_id'],
    ['a structured id that is a number', () => structured({ id: 5 }), 'COMMAND_ID_INVALID', 'id'],
    ['malformed JSON', () => binary({}, { value: '{"amount":' }), 'JSON_INVALID', 'value'],
    ['an empty value', () => binary({}, { value: '' }), 'JSON_INVALID', 'value'],
    ['bytes that are no UTF-8', () => binary({}, { value: Uint8Array.of(0x22, 0xff, 0x22) }), 'JSON_INVALID', 'value'],
    ['a number beyond a double', () => binary({}, { value: '{"amount":1e999}' }), 'JSON_INVALID', 'input.amount'],
    ['JSON 33 deep', () => binary({}, { value: nested(33) }), 'JSON_TOO_DEEP', 'input'],
    ['JSON 100,000 deep', () => binary({}, { value: nested(100_000) }), 'JSON_TOO_DEEP', 'input'],
    ['structured data 33 deep', () => structured({ data: JSON.parse(nested(33)) }), 'JSON_TOO_DEEP', 'value'],
    ['262,145 bytes', () => binary({}, { value: `${' '.repeat(VALUE_MAX_BYTES)}1` }), 'VALUE_TOO_LARGE', 'value'],
    ['text as content type', () => binary({ 'content-type': 'text/plain' }), 'CONTENT_TYPE_UNSUPPORTED', 'content-type'],
    [
      'a structured content type with binary headers',
      () => binary({ 'content-type': 'application/cloudevents+json' }),
      'CONTENT_TYPE_UNSUPPORTED',
      'content-type',
    ],
    [
      'a batch',
      () => structured({}, { headers: { 'content-type': 'application/cloudevents-batch+json' } }),
      'CONTENT_TYPE_UNSUPPORTED',
      'content-type',
    ],
    ['structured data of another type', () => structured({ datacontenttype: 'text/xml' }), 'CONTENT_TYPE_UNSUPPORTED', 'datacontenttype'],
    ['a __proto__ key', () => binary({}, { value: '{"a":[{"__proto__":{"x":1}}]}' }), 'KEY_FORBIDDEN', 'input.a.0.__proto__'],
    ['an escaped __proto__ key', () => binary({}, { value: '{"\\u005f_proto__":1}' }), 'KEY_FORBIDDEN', 'input.__proto__'],
    ['a constructor key', () => structured({ data: { constructor: 1 } }), 'KEY_FORBIDDEN', 'value.data.constructor'],
    ['a prototype key', () => binary({}, { value: '{"prototype":1}' }), 'KEY_FORBIDDEN', 'input.prototype'],
    ['a deadline that is a date', () => binary({ locus_deadline: '2026-01-31' }), 'ENVELOPE_INVALID', 'locus_deadline'],
    [
      'a deadline on the 30th of February',
      () => structured({ locusdeadline: '2026-02-30T00:00:00Z' }),
      'ENVELOPE_INVALID',
      'locusdeadline',
    ],
    ['a deadline that is a number', () => structured({ locusdeadline: 5 }), 'ENVELOPE_INVALID', 'locusdeadline'],
    ['a negative if-seq', () => binary({ locus_if_seq: '-1' }), 'ENVELOPE_INVALID', 'locus_if_seq'],
    ['an unsafe if-seq', () => binary({ locus_if_seq: '9007199254740993' }), 'ENVELOPE_INVALID', 'locus_if_seq'],
    ['a fractional if-seq', () => structured({ locusifseq: 1.5 }), 'ENVELOPE_INVALID', 'locusifseq'],
    ['a channel that is no text', () => structured({ locusnotify: {} }), 'ENVELOPE_INVALID', 'locusnotify'],
    ['specversion 0.3', () => binary({ ce_specversion: '0.3' }), 'ENVELOPE_INVALID', 'ce_specversion'],
    ['structured specversion 2', () => structured({ specversion: 2 }), 'ENVELOPE_INVALID', 'specversion'],
    ['neither mode', () => decode(record({ value: '{"amount":1}' }), 'customer'), 'ENVELOPE_INVALID', 'ce_specversion'],
    ['an array in structured mode', () => decode(record({ value: '[1]' }), 'customer'), 'ENVELOPE_INVALID', 'ce_specversion'],
    ['null in structured mode', () => decode(record({ value: 'null' }), 'customer'), 'ENVELOPE_INVALID', 'ce_specversion'],
    ['structured mode without data', () => structured({ data: undefined }), 'ENVELOPE_INVALID', 'data'],
    ['another type than the key has', () => binary({ ce_type: 'branch.dispense' }), 'ENVELOPE_INVALID', 'ce_type'],
    ['no ce_type', () => binary({ ce_type: undefined }), 'ENVELOPE_INVALID', 'ce_type'],
    ['a ce_type without a command', () => binary({ ce_type: 'cash-location' }), 'ENVELOPE_INVALID', 'ce_type'],
    ['a command with a dot', () => binary({ ce_type: 'cash-location.dispense.v2' }), 'ENVELOPE_INVALID', 'ce_type'],
    ['a first append time that is no time', () => binary({ locus_appended: 'yesterday' }), 'ENVELOPE_INVALID', 'locus_appended'],
  ];
  test.each(bad)('%s', (_, attempt, code, field) => {
    expect(attempt()).toMatchObject({ code, field, value: expect.any(String), rule: expect.stringMatching(/^must /) });
  });

  test('what is shown of a long value stays short', () => {
    const found = binary({}, { value: `{"a":"${'x'.repeat(200_000)}` });
    expect(JSON.stringify(found).length).toBeLessThan(600);
  });
});

describe('a record that was produced again to its own partition', () => {
  test('keeps the older append time, in ms or RFC 3339, and never grows younger', () => {
    expect(binary({ locus_appended: '400' })).toMatchObject({ appendedMs: 400 });
    expect(binary({ locus_appended: '1970-01-01T00:00:00.700Z' })).toMatchObject({ appendedMs: 700 });
    expect(binary({ locus_appended: '5000' })).toMatchObject({ appendedMs: 1_000 });
  });

  test('carries its own headers, its age, and a mark that stops a second time', () => {
    const first = record({ headers: BINARY, appendedMs: 900 });
    expect(isRerouted(first)).toBe(false);
    const headers = Object.fromEntries(Object.entries(reroutedHeaders(first, 900)).map(([name, it]) => [name, Buffer.from(it)]));
    const second = { ...first, headers, appendedMs: 1_500 };
    expect(isRerouted(second)).toBe(true);
    expect(firstAppendedMs(second)).toBe(900);
    expect(decode(second, 'customer')).toEqual(decode(first, 'customer'));
  });
});

describe('for every command', () => {
  const id = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/).filter((it) => it !== '.' && it !== '..');
  const allowed = (value: unknown) => !/"(__proto__|constructor|prototype)":/.test(JSON.stringify(value));
  const input = fc.jsonValue({ maxDepth: 5 }).filter(allowed);

  test('what was encoded decodes to itself', () => {
    const sent = fc.record(
      {
        address: id.map((it) => `till/${it}`),
        name: fc.constantFrom('open', 'cash-up', 'count'),
        commandId: fc.stringMatching(/^[A-Za-z0-9._:-]{1,128}$/),
        input,
        source: fc.constant('/replicas/a'),
        time: fc.constant('2026-01-31T12:00:00.000Z'),
        deadlineMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
        ifSeq: fc.maxSafeNat(),
        notify: fc.constantFrom('n', 'locus:replies:7'),
      },
      { requiredKeys: ['address', 'name', 'commandId', 'input', 'source', 'time'] },
    );
    fc.assert(
      fc.property(sent, ({ source, time, ...command }) => {
        const { key, value, headers } = encodeCommand({ source, time, ...command });
        const json = JSON.parse(JSON.stringify(command)) as typeof command;
        expect(decode(record({ key, value, headers }), 'bulk')).toEqual({
          ...json,
          type: 'till',
          id: command.address.slice(5),
          hash: hashOf(`till.${command.name}`, json.input),
          lane: 'bulk',
          appendedMs: 1_000,
        });
      }),
    );
  });

  test('the hash does not depend on the order of keys, but on every value and on the type', () => {
    const turned = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(turned);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, it]) => [key, turned(it)]),
      );
    };
    fc.assert(
      fc.property(input, (value) => {
        const hash = hashOf('till.open', value);
        expect(hash).toMatch(/^[A-Za-z0-9_-]{43}$/);
        expect(hashOf('till.open', turned(value))).toBe(hash);
        expect(hashOf('till.close', value)).not.toBe(hash);
        expect(hashOf('till.open', [value])).not.toBe(hash);
      }),
    );
  });

  test('the hash is the one that anybody computes from RFC 8785 text', () => {
    // printf '{"input":{"amount":2000,"currency":"USD"},"type":"cash-location.dispense"}' | openssl dgst -sha256 -binary | basenc --base64url
    expect(hashOf('cash-location.dispense', { currency: 'USD', amount: 2e3 })).toBe('kCtRl2zou940yFym8UrI9D0swB2DoLSKtH2gXGp4qsE');
  });

  test('no bytes whatever make it throw', () => {
    const bytes = fc.uint8Array({ maxLength: 60 });
    const headers = fc.dictionary(fc.constantFrom(...Object.keys(BINARY), 'content-type', 'locus_if_seq', 'locus_appended'), bytes);
    fc.assert(
      fc.property(
        fc.option(bytes),
        fc.oneof(
          bytes,
          fc.json().map((it) => Buffer.from(it)),
        ),
        headers,
        (key, value, given) => {
          expect(decode({ key, value, headers: given, appendedMs: 1 }, 'customer')).toBeTypeOf('object');
        },
      ),
    );
  });
});
