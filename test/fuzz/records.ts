/** Records on the commands topic, as other producers might write them: CloudEvents in both modes, and everything that is not quite one. */
import fc from 'fast-check';
import type { Catalogued } from '../../src/desk.ts';
import { bent, brokenBytes, command, fitting, rarely } from './inputs.ts';
import { IDS, OWN_KEY } from './requests.ts';

/** `sound`: nothing around the input is broken. `placed`: where its key does not belong, or by its key. */
export type Record_ = {
  readonly kind: 'record';
  readonly sound: boolean;
  readonly id: string;
  readonly command: string;
  readonly key: string | null;
  readonly mode: 'structured' | 'binary';
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer | null | undefined;
  readonly input: { readonly value: unknown };
  readonly partition: number | undefined;
};

type Broken = (it: Record_) => Record_;
const attribute =
  (name: string, value: unknown): Broken =>
  (it) => {
    // A header is text whatever it was: only JSON can hold anything else.
    const mode = value === undefined || typeof value === 'string' ? it.mode : 'structured';
    return { ...it, sound: false, mode, attributes: { ...it.attributes, [name]: value } };
  };
const header =
  (name: string, value: string, sound = false): Broken =>
  (it) => ({ ...it, sound: it.sound && sound, headers: { ...it.headers, [name]: value } });

const ways: readonly Broken[] = [
  ...[undefined, '0.3', 1, ''].map((value) => attribute('specversion', value)),
  ...[undefined, '', 'a b', '~timer/x/1', 7, {}, 'x'.repeat(129)].map((value) => attribute('id', value)),
  ...[undefined, '', 'dispense', 'till.dispense', 'cash-location.', 'cash-location.constructor', 'cash-location.nope', 5].map((value) =>
    attribute('type', value),
  ),
  ...[undefined, '', 'cash-location/other', 'x', 5].map((value) => attribute('subject', value)),
  ...['x', 'tomorrow', '2030-02-30T00:00:00Z'].map((value) => attribute('deadline', value)),
  ...['x', '-1', '1.5', '99999999999999999'].map((value) => attribute('ifSeq', value)),
  attribute('notify', 'x'.repeat(201)),
  ...[
    null,
    '',
    'x',
    'nope/A',
    'Cash-Location/A',
    'cash-location/',
    'cash-location/a/b',
    'cash-location/..',
    `cash-location/${'x'.repeat(65)}`,
  ].map(
    (key): Broken =>
      (it) => ({ ...it, sound: false, key }),
  ),
  (it) => ({ ...it, sound: false, bytes: null }),
  header('content-type', 'text/plain'),
  header('content-type', 'application/avro'),
  header('locus_appended', 'yesterday'),
  header('locus_appended', '0'),
  header('locus_appended', '9999999999999', true),
  header('traceparent', 'nonsense', true),
  header('stranger', '\u0000', true),
];

export function records({ type, commands }: Catalogued, partitions: number): fc.Arbitrary<Record_> {
  const sent = command(commands).chain(({ name, input }) => {
    const any = fitting(input);
    return fc.record({
      name: fc.constant(name),
      input: fc.oneof({ arbitrary: any, weight: 4 }, { arbitrary: any.chain(bent), weight: 1 }),
    });
  });
  const mode = fc.constantFrom('structured' as const, 'binary' as const);
  const partition = rarely(fc.nat(partitions - 1), 8);
  const broken = rarely(fc.constantFrom(...ways), 2);
  const garbage = rarely(brokenBytes, 12);
  return fc.record({ sent, id: fc.constantFrom(...IDS), mode, partition, broken, garbage }).map((made) => {
    const { id, broken: way, garbage: bytes } = made;
    const key = `${type}/${id}`;
    const { name, input } = made.sent;
    const whole: Record_ = {
      kind: 'record',
      sound: bytes === undefined,
      id,
      command: name,
      key,
      mode: made.mode,
      attributes: { specversion: '1.0', id: OWN_KEY, type: `${type}.${name}`, subject: key, source: 'fuzz' },
      headers: {},
      bytes,
      input: { value: JSON.parse(JSON.stringify(input) ?? 'null') as unknown },
      partition: made.partition,
    };
    return way === undefined ? whole : way(whole);
  });
}

const BINARY: Readonly<Record<string, string>> = { deadline: 'locus_deadline', ifSeq: 'locus_if_seq', notify: 'locus_notify' };
const STRUCTURED: Readonly<Record<string, string>> = { deadline: 'locusdeadline', ifSeq: 'locusifseq', notify: 'locusnotify' };

/** As its producer would write it, under the id that it gets. */
export function written(it: Record_, commandId: string) {
  const attributes = Object.entries(it.attributes)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, value === OWN_KEY ? commandId : value] as const);
  if (it.mode === 'structured') {
    const event = Object.fromEntries(attributes.map(([name, value]) => [STRUCTURED[name] ?? name, value]));
    const value = it.bytes === undefined ? Buffer.from(JSON.stringify({ ...event, data: it.input.value })) : it.bytes;
    return { key: it.key, value, headers: it.headers };
  }
  const headers = Object.fromEntries(attributes.map(([name, value]) => [BINARY[name] ?? `ce_${name}`, String(value)]));
  return {
    key: it.key,
    value: it.bytes === undefined ? Buffer.from(JSON.stringify(it.input.value)) : it.bytes,
    headers: { ...headers, ...it.headers },
  };
}
