/** What callers over HTTP ask of a replica: send a command and wait, read an outcome, read committed state. Any replica answers for any location. */

import type { Acted, Desk, Peers, Submission, Told } from '../desk.ts';
import { type Fault, fault, LocusError } from '../errors.ts';
import { type Address, parseAddress } from '../message/address.ts';
import { encodeCommand, hashOf, VALUE_MAX_BYTES } from '../message/codec.ts';
import type { Archive, Registry, TopicPartition } from '../ports.ts';
import { catalogue } from './catalogue.ts';
import { findLetter, findLetters, replayLetter } from './dead-letters.ts';
import { checkInput } from './definition.ts';
import { act } from './forwarding.ts';
import { entryParts, stateOf } from './ground.ts';
import { health } from './health.ts';
import { inspectLocation, inspectLocations, inspectParked } from './inspection.ts';
import { publishedEvents } from './published.ts';
import type { Replica } from './replica.ts';
import type { Waiters } from './waiters.ts';

export type DeskOptions = {
  readonly replica: Replica;
  readonly waiters: Waiters;
  readonly peers: Peers;
  readonly registry: Registry;
  readonly archive: Archive;
  readonly topics: { readonly lanes: readonly string[]; readonly events: string; readonly deadLetters: string };
  readonly sessionMs: number;
  readonly metrics: Desk['metrics'];
};

export function desk(it: DeskOptions): Desk {
  const { replica } = it;
  const { site } = replica;
  const { archive, topics } = it;
  const letters = { archive, writer: site.writer, log: site.log, topic: topics.deadLetters, lanes: topics.lanes };
  return {
    catalogue: () => catalogue(site.definitions),
    submit: (submission) => submit(it, submission),
    outcome: async (address, commandId) => (await lookUp(it, address, commandId)) ?? { kind: 'unknown' },
    async query(address, query) {
      const place = parseAddress(address, 'address');
      if ('code' in place) return undefined;
      const definition = site.definitions.get(place.type);
      if (definition === undefined) return undefined;
      const asked = query === undefined ? undefined : Object.hasOwn(definition.queries, query) ? definition.queries[query] : undefined;
      if (query !== undefined && asked === undefined) return 'no-such-query';
      const located = await site.store.read(address);
      if (located === undefined || located.seq === 0) return undefined;
      const read = stateOf(definition, place.id, located.header);
      if ('why' in read) throw new LocusError('BUSY', `${address} cannot be read here: ${read.why}`);
      return { seq: located.seq, body: asked === undefined ? read.state : asked(read.state) };
    },
    act: (address, action, forwarded) => act(it, address, action, forwarded),
    locations: (filter) => inspectLocations(replica, filter),
    location: (address) => inspectLocation(replica, address),
    parked: () => inspectParked(replica),
    events: (address, asked) => publishedEvents(archive, topics.events, address, asked),
    letters: (asked) => findLetters(letters, asked),
    letter: (id) => findLetter(letters, id),
    replayLetter: (id, replaying) => replayLetter(letters, id, replaying),
    refusedPartitions: () => replica.partitions.refused.map(({ topic, partition, code, why }) => ({ topic, partition, code, why })),
    accept: (at, because) => accept(it, at, because),
    async raiseGeneration(because): Promise<Acted> {
      const generation = await replica.partitions.raise();
      site.log.warn({ generation, because }, 'an operator raised the generation');
      return { kind: 'acted', text: JSON.stringify({ generation }) };
    },
    health: () => health(replica),
    metrics: it.metrics,
  };
}

/** Callers that wait at one replica. */
const WAITING_MAX = 10_000;

async function submit(it: DeskOptions, submission: Submission): Promise<Told> {
  const { site } = it.replica;
  const { state } = it.replica;
  if (state === 'starting') throw new LocusError('BUSY', 'this replica is still starting');
  if (state === 'draining' || state === 'stopped') throw new LocusError('DRAINING', 'this replica is leaving');
  const checked = check(it, submission);
  if (checked.length > 0) return { kind: 'invalid', faults: checked };
  if (submission.waitMs > 0 && it.waiters.size >= WAITING_MAX)
    throw new LocusError('BUSY', `${WAITING_MAX} callers wait here: come back, or send Prefer: respond-async`);
  const { address, name, commandId, input } = submission;
  const type = address.slice(0, address.indexOf('/'));
  const hash = hashOf(`${type}.${name}`, input);
  const untilMs = site.clock.monotonic() + submission.waitMs;

  const known = await lookUp(it, address, commandId, hash);
  if (known !== undefined && known.kind !== 'waiting') return known;
  if (known === undefined) {
    const refused = await produce(it, submission, type);
    if (refused !== undefined) return { kind: 'invalid', faults: [refused] };
  }
  for (;;) {
    // Listening begins before the look, so that an outcome between the two is not missed.
    const leftMs = untilMs - site.clock.monotonic();
    const hint = it.waiters.next(address, commandId, leftMs);
    const told = await lookUp(it, address, commandId, hash).catch(notNow);
    if (told !== undefined && told.kind !== 'waiting') return told;
    if (leftMs <= 0) return told ?? { kind: 'waiting', status: 'pending' };
    await hint;
  }
}

/** The command is in the log: a store that is away is no reason to call it refused. */
function notNow(error: unknown): undefined {
  if (!(error instanceof LocusError) || error.fate !== 'retry') throw error;
}

/** How long a person is taken to stay whose client does not wait for the outcome itself (`respond-async`). */
const PRESENT_MS = 10_000;
async function produce(it: DeskOptions, submission: Submission, type: string): Promise<Fault | undefined> {
  const { site } = it.replica;
  const nowMs = site.clock.now();
  const present = site.definitions.get(type)?.commands[submission.name]?.present === true;
  // Nobody is paid after they left: a person waits as long as the request does.
  const deadlineMs = submission.deadlineMs ?? (present ? nowMs + (submission.waitMs || PRESENT_MS) : undefined);
  const message = encodeCommand({
    address: submission.address,
    name: submission.name,
    commandId: submission.commandId,
    input: submission.input,
    version: site.definitions.get(type)?.version ?? 1,
    source: site.source,
    time: new Date(nowMs).toISOString(),
    notify: it.waiters.channel,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(submission.ifSeq === undefined ? {} : { ifSeq: submission.ifSeq }),
    ...(submission.traceparent === undefined ? {} : { traceparent: submission.traceparent }),
  });
  // As the log will measure it: what is accepted here must not end as a dead letter for its size.
  const bytes = Buffer.byteLength(message.value);
  if (bytes > VALUE_MAX_BYTES)
    return fault('VALUE_TOO_LARGE', 'body', `${bytes} bytes with its envelope`, `must be at most ${VALUE_MAX_BYTES}`);
  await site.writer.command(site.topicOf(type, submission.name), message);
  return undefined;
}

function check(it: DeskOptions, { address, name, input }: Submission): readonly Fault[] {
  const place = parseAddress(address, 'address');
  if ('code' in place) return [place];
  const { definitions } = it.replica.site;
  const definition = definitions.get(place.type);
  if (definition === undefined) return [fault('TYPE_UNKNOWN', 'type', place.type, `must be one of ${[...definitions.keys()].join(', ')}`)];
  const shape = Object.hasOwn(definition.commands, name) ? definition.commands[name] : undefined;
  if (shape === undefined)
    return [fault('COMMAND_UNKNOWN', 'command', name, `${place.type} has the commands ${Object.keys(definition.commands).join(', ')}`)];
  const checked = checkInput(shape, input);
  return 'faults' in checked ? checked.faults : [];
}

/** What the store says of a command; undefined: nothing yet, which never means that it did not happen. */
async function lookUp(it: DeskOptions, address: Address, commandId: string, hash?: string): Promise<Told | undefined> {
  const [known] = await it.replica.site.store.recall(address, [commandId]);
  const entry = known?.entry;
  if (entry === undefined) return undefined;
  if (hash !== undefined && entry.hash !== hash) return { kind: 'id-reused' };
  const { facts, outcome } = entryParts(entry.text);
  if (entry.status === 'done' || entry.status === 'refused') return { kind: 'final', status: entry.status, text: outcome };
  if (entry.status === 'open') return { kind: 'waiting', status: facts.doubt === true ? 'in-doubt' : 'pending' };
  return { kind: 'waiting', status: entry.status === 'parked' ? 'parked' : 'pending' };
}

async function accept(it: DeskOptions, at: TopicPartition, because: string): Promise<Acted> {
  const generation = await it.replica.partitions.accept(at);
  if (generation === undefined)
    return { kind: 'refused', code: 'NOT_FOUND', why: `${at.topic}/${at.partition} is not refused at this replica` };
  it.replica.site.log.warn({ ...at, generation, because }, 'an operator accepted a refused partition');
  return { kind: 'acted', text: JSON.stringify({ ...at, generation }) };
}
