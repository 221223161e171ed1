/** Requests to the public port: what a client may send, with none, one or several things broken in it. */
import fc from 'fast-check';
import type { Catalogued } from '../../src/desk.ts';
import { bent, brokenBytes, command, fitting, rarely } from './inputs.ts';

/** `sound`: nothing around the input is broken. `input`: what the body says, when it is JSON; it may not fit. */
export type Post = {
  readonly kind: 'post';
  readonly sound: boolean;
  readonly id: string;
  readonly command: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly input: { readonly value: unknown } | undefined;
  /** Take the key of a command that was sent before, and its body or this one. */
  readonly repeat: { readonly at: number; readonly same: boolean } | undefined;
};
export type Other = {
  readonly kind: 'other';
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
};
/** The key is put in where this stands: each command has its own. */
export const OWN_KEY = '<own>';

export const IDS = ['A', 'b-2', '.c', 'D_4', '-', 'e'.repeat(64)];
type Part<T> = { readonly value: T; readonly sound: boolean };
const good = <T>(...values: readonly T[]): fc.Arbitrary<Part<T>> => fc.constantFrom(...values).map((value) => ({ value, sound: true }));
const bad = <T>(...values: readonly T[]): fc.Arbitrary<Part<T>> => fc.constantFrom(...values).map((value) => ({ value, sound: false }));
/** Broken now and then, so that most requests with something broken have one thing broken. */
const mostly = <T>(sound: fc.Arbitrary<Part<T>>, broken: fc.Arbitrary<Part<T>>): fc.Arbitrary<Part<T>> =>
  fc.oneof({ arbitrary: sound, weight: 60 }, { arbitrary: broken, weight: 1 });

const id = mostly(good(...IDS), bad('%00', 'a%2Fb', 'a%20b', '%C3%A9', '%FF', '..', '%2e%2e', 'f'.repeat(65), 'a:b', '~'));
const key = mostly(good(OWN_KEY), bad(undefined, '', '~timer/x/1', 'a b', 'ключ', 'x'.repeat(129), 'a/b', '\u0000'));
const contentType = mostly(
  good<string | undefined>('application/json', 'application/json; charset=utf-8', 'application/vnd.x+json', 'APPLICATION/JSON', undefined),
  bad('text/plain', 'application/x-www-form-urlencoded', 'json', 'multipart/form-data; boundary=x', '', 'application/json-patch'),
);
const encoding = mostly(good<string | undefined>(undefined, undefined, 'identity'), bad('gzip', 'br', 'x'));
const prefer = mostly(
  good<string | undefined>(undefined, 'wait=1', 'wait=0', 'respond-async', 'respond-async, wait=2', 'handling=lenient', ';;,,', 'wait="3"'),
  bad('wait=', 'wait=x', 'wait=-1', 'wait=1.5', 'wait=9999999'),
);
/** Mostly absent: a condition or a deadline that fails leaves little to see. */
const NONE = Array.from({ length: 10 }, () => undefined);
const ifMatch = mostly(good<string | undefined>(...NONE, '"0"', '"7"'), bad('7', 'W/"7"', '*', '"7","8"', '"99999999999999999"', ''));
const deadline = mostly(
  good<string | undefined>(...NONE, '2030-01-01T00:00:00Z', '2020-01-01T00:00:00.5+01:00'),
  bad('tomorrow', '2030-13-01T00:00:00Z', '1700000000', ''),
);
const traceparent = good<string | undefined>(undefined, undefined, '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '00-x', '');

type Body = { readonly bytes: Buffer; readonly input: { readonly value: unknown } | undefined };
const bodyOf = (input: fc.Arbitrary<unknown>): fc.Arbitrary<Body> =>
  fc.oneof(
    { arbitrary: input.map(jsonBody), weight: 20 },
    { arbitrary: input.chain(bent).map(jsonBody), weight: 6 },
    { arbitrary: brokenBytes.map((bytes) => ({ bytes, input: undefined })), weight: 2 },
    { arbitrary: fc.constant({ bytes: Buffer.alloc(0), input: undefined }), weight: 1 },
  );
/** What JSON cannot say (a lone surrogate, undefined) is judged as it arrives. */
function jsonBody(given: unknown): Body {
  const bytes = Buffer.from(JSON.stringify(given) ?? 'null');
  return { bytes, input: { value: JSON.parse(bytes.toString()) as unknown } };
}

export function posts({ type, commands }: Catalogued): fc.Arbitrary<Post> {
  const each = command(commands).map(({ name, input }) => ({ name: { value: name, sound: true }, body: bodyOf(fitting(input)) }));
  const strange = ['commands', 'constructor', '__proto__', 'toString', 'Dispense', '%20', 'position', 'x'.repeat(200)].map((name) => ({
    name: { value: name, sound: false },
    body: bodyOf(fc.constant({})),
  }));
  const any = fc.oneof({ arbitrary: each, weight: 30 }, { arbitrary: fc.constantFrom(...strange), weight: 1 });
  const place = mostly(good(type), bad('nope', 'Cash-Location', 'constructor', '__proto__', 'x'.repeat(33), '%2e'));
  const repeat = rarely(fc.record({ at: fc.nat(), same: fc.boolean() }), 8);
  return any.chain(({ name, body }) =>
    fc
      .record({ place, id, body, key, contentType, encoding, prefer, ifMatch, deadline, traceparent, repeat })
      .map(({ body: sent, repeat: again, ...parts }) => {
        const given = {
          'idempotency-key': parts.key.value,
          'content-type': parts.contentType.value,
          'content-encoding': parts.encoding.value,
          prefer: parts.prefer.value,
          'if-match': parts.ifMatch.value,
          'locus-deadline': parts.deadline.value,
          traceparent: parts.traceparent.value,
        };
        return {
          kind: 'post' as const,
          sound: [name, ...Object.values(parts)].every((part) => part.sound),
          id: parts.id.value,
          command: name.value,
          url: `/v1/${parts.place.value}/${parts.id.value}/${name.value}`,
          headers: Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Record<string, string>,
          body: sent.bytes,
          input: sent.input,
          repeat: again,
        };
      }),
  );
}

export function others({ type, queries }: Catalogued): fc.Arbitrary<Other> {
  const at = fc.constantFrom(...IDS, 'Z', '%00', 'a%20b', '%zz', '..', 'g'.repeat(65));
  const what = fc.constantFrom(
    '',
    ...queries.map((it) => `/${it}`),
    '/constructor',
    '/commands',
    '/commands/c-1',
    '/commands/~x',
    '/commands/%00',
    '/a/b/c',
  );
  const tag = fc.constantFrom<string | undefined>(undefined, '"1"', 'W/"1"', '*', 'x', '"1", "2"', '');
  return fc
    .record({
      method: fc.oneof(
        { arbitrary: fc.constant('GET' as const), weight: 8 },
        { arbitrary: fc.constantFrom('HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'), weight: 1 },
      ),
      place: fc.constantFrom(type, type, type, type, 'nope', '__proto__', 'X'),
      at,
      what,
      tag,
    })
    .map(({ method, place, at: where, what: rest, tag: seen }) => ({
      kind: 'other',
      method,
      url: `/v1/${place}/${where}${rest}`,
      headers: seen === undefined ? {} : { 'if-none-match': seen },
    }));
}
