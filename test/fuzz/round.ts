/** One round: requests and records from a seed go to a fresh replica in memory; whatever should not be ends it with the case that did it. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { CashLocation } from '../../actors/cash-location/actor.ts';
import type { CommandShape } from '../../src/runtime/definition.ts';
import { type Town, type TownOptions, town } from '../http/town.ts';
import { COMMANDS } from '../runtime/fleet.ts';
import { checkBooks, type Handed } from './books.ts';
import { Dispenser } from './dispenser.ts';
import { type Record_, records, written } from './records.ts';
import { type Other, OWN_KEY, others, type Post, posts } from './requests.ts';

const PARTITIONS = 3;
const BATCH = 40;

export type Round = { readonly seed: number; readonly cases: number };
export type Tally = { requests: number; records: number; accepted: number; refused: number; dispensed: number };
type Sent = { readonly post: Post; readonly commandId: string };

export async function round({ seed, cases }: Round, options: TownOptions = {}): Promise<Tally> {
  const dispenser = new Dispenser();
  const it = await town(dispenser.bound(), { ...options, fleet: { partitions: PARTITIONS, limits: { inboxMax: 100_000 } } });
  try {
    const play = new Play(it, seed);
    await play.all(generated(it, seed, cases));
    await play.done(async () => checkBooks(it, play.handed, dispenser));
    play.tally.dispensed = dispenser.paid;
    return play.tally;
  } finally {
    await it.stop();
  }
}

type Case = Post | Other | Record_;
function generated({ front }: Town, seed: number, cases: number): readonly Case[] {
  const [actor] = front.catalogue();
  if (actor === undefined) throw new Error('there is no actor');
  const any = fc.oneof(
    { arbitrary: posts(actor) as fc.Arbitrary<Case>, weight: 6 },
    { arbitrary: others(actor) as fc.Arbitrary<Case>, weight: 2 },
    { arbitrary: records(actor, PARTITIONS) as fc.Arbitrary<Case>, weight: 3 },
  );
  return fc.sample(any, { seed, numRuns: cases });
}

class Play {
  readonly tally: Tally = { requests: 0, records: 0, accepted: 0, refused: 0, dispensed: 0 };
  readonly handed: Handed[] = [];
  readonly #town: Town;
  readonly #seed: number;
  readonly #documented: ReadonlyMap<string, (input: unknown) => boolean>;
  /** Commands that the port took, to be repeated. */
  readonly #taken: Sent[] = [];
  /** The final answer under each address and id. */
  readonly #answers = new Map<string, string>();

  constructor(it: Town, seed: number) {
    this.#town = it;
    this.#seed = seed;
    const ajv = new Ajv2020({ strict: false });
    const commands = it.front.catalogue()[0]?.commands ?? [];
    this.#documented = new Map(commands.map(({ name, input }) => [name, (value) => ajv.compile(input)(value) as boolean]));
  }

  async all(cases: readonly Case[]): Promise<void> {
    const { app, clock, log } = this.#town;
    for (let from = 0; from < cases.length; from += BATCH) {
      const checks = cases.slice(from, from + BATCH).map((it, at) => {
        const commandId = `c-${from + at}`;
        if (it.kind === 'record') return Promise.resolve(() => this.#record(it, commandId));
        const { request, check } = it.kind === 'post' ? this.#post(it, commandId) : this.#other(it);
        return app.inject(request).then((answer) => () => check(answer));
      });
      const heard = await clock.run(Promise.all(checks));
      heard.forEach((check, at) => {
        try {
          check();
        } catch (error) {
          this.#fail(error, cases[from + at], from + at);
        }
      });
    }
    await this.done(() => clock.until(() => drained(log.records(COMMANDS), (partition) => this.#town.committed(partition)), 600_000));
  }

  /** What is wrong at the end is wrong with the whole round. */
  async done(check: () => Promise<unknown>): Promise<void> {
    await check().catch((error: unknown) => this.#fail(error, undefined, undefined));
  }

  #fail(error: unknown, it: Case | undefined, at: number | undefined): never {
    const which =
      it === undefined
        ? 'at its end'
        : `case ${at}, ${JSON.stringify({ ...it, ...(it.kind === 'other' ? {} : { bytes: undefined, body: undefined }) })}`;
    throw new Error(`seed ${this.#seed}, ${which}: ${(error as Error).message}`, { cause: error });
  }

  #record(it: Record_, commandId: string): void {
    this.tally.records++;
    const { partition, offset } = this.#town.log.produce(COMMANDS, written(it, commandId), it.partition);
    const sound = it.sound && this.#fits(it.command, it.input);
    this.handed.push({ commandId, id: it.id, sound, at: { partition, offset } });
  }

  #post(it: Post, commandId: string): { readonly request: InjectOptions; check(answer: LightMyRequestResponse): void } {
    const first = it.repeat === undefined || !it.sound ? undefined : this.#taken[it.repeat.at % (this.#taken.length || 1)];
    const whole = first === undefined ? { post: it, commandId } : again(it, first);
    const { post } = whole;
    const key = post.headers['idempotency-key'];
    const headers = { ...post.headers, ...(key === OWN_KEY ? { 'idempotency-key': whole.commandId } : {}) };
    const sound = post.sound && this.#fits(post.command, post.input);
    return {
      request: { method: 'POST', url: post.url, headers, payload: post.body },
      check: (answer) => {
        this.#judged(answer, 'POST', post.url);
        const { statusCode: status, body } = answer;
        const expected = !sound
          ? [400, 404, 413, 415]
          : [200, 202, 412, ...(first !== undefined && it.repeat?.same === false ? [422] : [])];
        if (!expected.includes(status)) throw new Error(`answered ${status} ${body}, not ${expected.join(' or ')}`);
        if (first === undefined) this.handed.push({ commandId: whole.commandId, id: post.id, sound });
        if (!sound) return;
        if (first === undefined) this.#taken.push(whole);
        if (status !== 200 && status !== 412) return;
        const name = `${post.id} ${whole.commandId}`;
        const known = this.#answers.get(name) ?? body;
        this.#answers.set(name, known);
        if (known !== body) throw new Error(`answered ${body}, and before ${known}`);
      },
    };
  }

  #other(it: Other): { readonly request: InjectOptions; check(answer: LightMyRequestResponse): void } {
    const { method, url, headers } = it;
    return { request: { method, url, headers }, check: (answer) => this.#judged(answer, method, url) };
  }

  /** No 5xx, and nothing that the document does not have. */
  #judged({ statusCode: status, headers, body }: LightMyRequestResponse, method: string, url: string): void {
    this.tally.requests++;
    this.tally[status < 400 || status === 412 ? 'accepted' : 'refused']++;
    if (status >= 500) throw new Error(`answered ${status} ${body}`);
    if (method === 'HEAD') return;
    const wrong = this.#town.judge({ method, url, status, headers, body });
    if (wrong.length > 0) throw new Error(wrong.join('; '));
  }

  /** By the actor's own schema; whatever that takes, the document must take as well. */
  #fits(command: string, input: { readonly value: unknown } | undefined): boolean {
    const shape = Object.hasOwn(CashLocation.commands, command)
      ? (CashLocation.commands as unknown as Record<string, CommandShape>)[command]
      : undefined;
    if (shape === undefined || input === undefined) return false;
    const checked = shape.input['~standard'].validate(input.value);
    const fits = !(checked instanceof Promise) && checked.issues === undefined;
    if (fits && !this.#documented.get(command)?.(input.value)) throw new Error('its input is accepted and does not fit the document');
    return fits;
  }
}

/** The command that was sent first, once more: with its own body, or with this one. */
function again(it: Post, { post, commandId }: Sent): Sent {
  const { url, id, command, body, input } = post;
  const own = it.repeat?.same ? { body, input } : { body: it.body, input: it.input };
  return { post: { ...it, url, id, command, ...own }, commandId };
}

function drained(
  all: readonly { readonly partition: number; readonly offset: number }[],
  committed: (partition: number) => number | undefined,
): void {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const high = 1 + Math.max(-1, ...all.filter((record) => record.partition === partition).map(({ offset }) => offset));
    if ((committed(partition) ?? 0) < high) throw new Error(`partition ${partition} stands at ${committed(partition) ?? 0} of ${high}`);
  }
}
