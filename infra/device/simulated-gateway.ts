/** A device gateway to try things out with: the simulated dispenser behind the HTTP that section 7 of the design describes, with switches. */
import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { shown, why } from '../../src/errors.ts';
import type { Clock, Log, Random } from '../../src/ports.ts';
import { type Device, honest, type Order, type Switches, startDevice } from './device.ts';
import { type Fence, openJournal } from './journal.ts';

export type SimulatedGatewayOptions = {
  readonly host?: string;
  /** 0 picks a free one. */
  readonly port?: number;
  /** The journal's file; made when it is not there, replayed when it is. */
  readonly journalPath: string;
  /** What is left out is as an honest and quick device has it. */
  readonly switches?: Partial<Switches>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
};
export type SimulatedGateway = { readonly url: string; stop(): Promise<void> };

/** Where a request waits: a dispense before its cash moves, a dispense after that and before it is answered, or every request on arrival. */
type Point = 'before' | 'after' | 'silent';
type Hold = { readonly points: Set<Point>; waiting: number; readonly released: Promise<void>; readonly release: () => void };
type World = Required<Pick<SimulatedGatewayOptions, 'journalPath' | 'clock' | 'random' | 'log'>> & {
  readonly device: Device;
  readonly holds: Map<string, Hold>;
  readonly panel: { switches: Switches };
  /** Dispenses refused for their fence, by location. */
  readonly fenced: Map<string, number>;
};

const BODY_MAX_BYTES = 65_536;

/**
 * Beside the device's two verbs: `GET /journal` streams the journal's lines, and for tests, all JSON:
 * `POST /admin/hold {location, point}` · `POST /admin/release {location}` · `GET /admin/holds` → `{location: waiting}` ·
 * `GET /admin/fenced` → `{location: dispenses refused for their fence}` ·
 * `POST /admin/switches {…}` changes some · `POST /admin/amnesia`.
 */
export async function startSimulatedGateway(options: SimulatedGatewayOptions): Promise<SimulatedGateway> {
  const { host = '127.0.0.1', port = 0, journalPath, clock, random, log } = options;
  const journal = await openJournal(journalPath);
  const panel = { switches: { ...honest, ...options.switches } };
  const device = await startDevice({ journal, random, now: () => clock.now(), switches: () => panel.switches });
  const world: World = { journalPath, clock, random, log, device, panel, holds: new Map(), fenced: new Map() };
  const server = createServer((request, response) => {
    answer(world, request, response).catch((error: unknown) => {
      log.warn({ url: request.url, error: why(error) }, 'device gateway could not answer');
      if (response.headersSent) response.destroy();
      else say(response, error instanceof BadRequest ? 400 : 500, { error: why(error) });
    });
  });
  // Longer than any client keeps an idle connection: closing one under a request would look like a lost answer.
  server.keepAliveTimeout = 75_000;
  await listening(server, port, host);
  const url = `http://${host}:${(server.address() as AddressInfo).port}`;
  log.info({ url, journal: journalPath, switches: panel.switches }, 'device gateway listens');
  return {
    url,
    async stop() {
      for (const hold of world.holds.values()) hold.release();
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
      await journal.close();
    },
  };
}

async function answer(world: World, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, first = '', second = '', ...more] = (request.url ?? '').split('?', 1)[0]?.split('/') ?? [];
  const route = `${request.method} ${more.length > 0 ? 'too long' : second}`;
  if (request.method === 'GET' && first === 'journal' && second === '') return stream(world.journalPath, response);
  if (
    first === 'admin' &&
    (second === 'hold' ||
      second === 'release' ||
      second === 'holds' ||
      second === 'fenced' ||
      second === 'switches' ||
      second === 'amnesia')
  )
    return administer(world, second, request, response);
  if (route === 'POST dispense') return dispense(world, first, fields(await read(request)), response);
  if (route === 'POST probe') return probe(world, first, fields(await read(request)), response);
  say(response, 404, { error: `${request.method} ${request.url} is not among POST /{id}/dispense, POST /{id}/probe, GET /journal` });
}

async function dispense(world: World, location: string, body: Fields, response: ServerResponse): Promise<void> {
  const order: Order = { commandId: text(body, 'commandId'), currency: text(body, 'currency'), notes: notesOf(body) };
  const fence = fenceOf(body);
  const { clock, random, device } = world;
  const { switches } = world.panel;
  const halfMs = (switches.latencyMinMs + random.next() * (switches.latencyMaxMs - switches.latencyMinMs)) / 2;
  const pass = () => (halfMs > 0 ? new Promise<void>((done) => clock.after(halfMs, done)) : undefined);
  const isLost = random.next() < switches.lostReplyRate;
  await waitAt(world, location, 'silent');
  await waitAt(world, location, 'before');
  await pass();
  const reply = await device.dispense(location, order, fence);
  await pass();
  await waitAt(world, location, 'after');
  if ('fenced' in reply) {
    world.fenced.set(location, (world.fenced.get(location) ?? 0) + 1);
    say(response, 409, { status: 'fenced', highest: reply.fenced });
  } else if (isLost) response.destroy();
  else say(response, 200, reply);
}

async function probe(world: World, location: string, body: Fields, response: ServerResponse): Promise<void> {
  const commandId = body.commandId === undefined ? undefined : text(body, 'commandId');
  const fence = fenceOf(body);
  await waitAt(world, location, 'silent');
  const reply = await world.device.probe(location, commandId, fence);
  if ('fenced' in reply) say(response, 409, { status: 'fenced', highest: reply.fenced });
  else say(response, 200, reply);
}

async function administer(world: World, verb: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (verb === 'holds')
    return say(response, 200, Object.fromEntries([...world.holds].map(([location, { waiting }]) => [location, waiting])));
  if (verb === 'fenced') return say(response, 200, Object.fromEntries(world.fenced));
  const body = fields(await read(request));
  if (verb === 'hold') {
    const point = text(body, 'point');
    if (point !== 'before' && point !== 'after' && point !== 'silent') throw bad('point', point, 'must be before, after or silent');
    holdOf(world, text(body, 'location')).points.add(point);
  } else if (verb === 'release') {
    const location = text(body, 'location');
    world.holds.get(location)?.release();
    world.holds.delete(location);
  } else if (verb === 'switches') {
    for (const [name, value] of Object.entries(body))
      if (!Object.hasOwn(honest, name) || typeof value !== typeof honest[name as keyof Switches])
        throw bad(name, value, `must be one of ${Object.keys(honest).join(', ')}, a number or a boolean as it is`);
    world.panel.switches = { ...world.panel.switches, ...(body as Partial<Switches>) };
  } else {
    await world.device.forget();
  }
  say(response, 200, {});
}

function holdOf(world: World, location: string): Hold {
  const found = world.holds.get(location);
  if (found) return found;
  let release = () => {};
  const released = new Promise<void>((done) => {
    release = done;
  });
  const hold: Hold = { points: new Set(), waiting: 0, released, release };
  world.holds.set(location, hold);
  return hold;
}

async function waitAt(world: World, location: string, point: Point): Promise<void> {
  const hold = world.holds.get(location);
  if (!hold?.points.has(point)) return;
  hold.waiting += 1;
  await hold.released;
}

// ── Reading and saying ───────────────────────────────────────────────────────────────────────────────────────────────

type Fields = Readonly<Record<string, unknown>>;
class BadRequest extends Error {}
const bad = (field: string, value: unknown, rule: string) => new BadRequest(`${field} is ${shown(value)}: ${rule}`);

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > BODY_MAX_BYTES) throw bad('body', `more than ${BODY_MAX_BYTES} bytes`, 'must be shorter');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function fields(body: string): Fields {
  let json: unknown;
  try {
    json = JSON.parse(body === '' ? '{}' : body);
  } catch {
    throw bad('body', body, 'must be JSON');
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw bad('body', json, 'must be a JSON object');
  return json as Fields;
}

function text(body: Fields, field: string): string {
  const value = body[field];
  if (typeof value !== 'string' || value === '') throw bad(field, value, 'must be text');
  return value;
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
function fenceOf({ fence }: Fields): Fence {
  const { epoch, seq } = (fence ?? {}) as Fields;
  if (!isWhole(epoch) || !isWhole(seq)) throw bad('fence', fence, 'must be {epoch, seq}, two integers');
  return { epoch, seq };
}
function notesOf({ notes }: Fields): Order['notes'] {
  const isNotes =
    typeof notes === 'object' && notes !== null && Object.entries(notes).every(([it, count]) => /^[1-9]\d*$/.test(it) && isWhole(count));
  if (!isNotes) throw bad('notes', notes, 'must be counts by denomination, such as {"2000":3}');
  return notes as Order['notes'];
}

function say(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function stream(path: string, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  createReadStream(path)
    .on('error', () => response.destroy())
    .pipe(response);
}

function listening(server: Server, port: number, host: string): Promise<void> {
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(port, host, () => {
      server.off('error', failed);
      done();
    });
  });
}
