/** A replica's connection to the state store: the twin behind a wire, told to the checkers when it takes effect. */
import { LocusError } from '../../src/errors.ts';
import type { StateStore, Unanswered } from '../../src/ports.ts';
import type { Happening, Who } from './happening.ts';
import { carry, cut, order, type Wire } from './links.ts';
import type { Stage } from './stage.ts';

const TIMEOUT_MS = 1_000;
const RECONNECT_MS = 30;
const WHY = 'no answer';

/** Reads: they reject with STORE_DOWN, the others answer what became of them. */
const looks = new Set<string>(['generation', 'setGeneration', 'layout', 'recall', 'read', 'inbox', 'aged', 'size', 'marked', 'applied']);

export function storeLink(wire: Wire, twin: StateStore, stage: Pick<Stage, 'disk' | 'hear' | 'storeWaitMs'>, who: Who): StateStore {
  const { disk, hear: say, storeWaitMs } = stage;
  const { kernel, process } = wire;
  const listeners: ((life: string) => void)[] = [];
  let connection = order();
  /** The life that the connection was made to; undefined: there is none. */
  let life: string | undefined;
  let deaf = () => {};

  /** What was on its way is lost with the connection. */
  const hangUp = () => {
    const old = connection;
    life = undefined;
    connection = order();
    cut(old);
  };
  let isConnecting = false;
  const connectSoon = () => {
    if (isConnecting) return;
    isConnecting = true;
    kernel.after(process, RECONNECT_MS * (0.5 + wire.chance.next()), 'connects to the store', () => {
      isConnecting = false;
      connect();
    });
  };
  const connect = (): void => {
    if (life !== undefined && life === disk.life()) return;
    const had = life;
    hangUp();
    life = disk.life();
    if (life === undefined) connectSoon();
    else if (had !== life) for (const heard of listeners) heard(life);
  };
  const lost = (to: string | undefined) => {
    if (life !== to || life === undefined) return;
    hangUp();
    connectSoon();
  };
  const ask = (name: string, given: readonly unknown[]): Promise<unknown> => {
    const to = life;
    const down = looks.has(name) ? undefined : { kind: 'down', why: 'no connection' };
    if (to === undefined) return down ? Promise.resolve(down) : Promise.reject(new LocusError('STORE_DOWN', 'the state store is away'));
    const unanswered: Unanswered = { kind: 'unanswered', why: WHY };
    const sentMs = kernel.nowMs;
    return carry<unknown>(wire, {
      name,
      timeoutMs: TIMEOUT_MS,
      order: connection,
      waitMs: storeWaitMs,
      work() {
        if (disk.life() !== to) return new Promise(() => kernel.after(process, RECONNECT_MS, 'the store hung up', () => lost(to)));
        return (twin as unknown as Record<string, (...given: readonly unknown[]) => Promise<unknown>>)[name]?.(...given);
      },
      done(answer) {
        const it = happened(who, name, given as readonly never[], answer as { readonly kind?: string }, sentMs);
        if (it !== undefined) say(it);
      },
      unanswered() {
        say({ kind: 'unanswered', who, wire: 'store', call: name, tookMs: kernel.nowMs - sentMs });
        lost(to);
        if (looks.has(name)) throw new LocusError('STORE_DOWN', `the state store did not answer: ${WHY}`);
        return unanswered;
      },
    });
  };
  const own = {
    async start() {
      await carry(wire, {
        name: 'store.start',
        timeoutMs: TIMEOUT_MS,
        work: () => twin.start(),
        unanswered() {
          throw new LocusError('STORE_DOWN', 'the state store cannot be reached');
        },
      });
      deaf = disk.onReturn(connectSoon);
      life = disk.life();
      connection = order();
    },
    async stop() {
      deaf();
      life = undefined;
    },
    life: () => life,
    onReconnect: (heard: (life: string) => void) => void listeners.push(heard),
  };
  return new Proxy(own as unknown as StateStore, {
    get: (target, name) => Reflect.get(target, name) ?? ((...given: unknown[]) => ask(String(name), given)),
  });
}

/** What took effect, if anything did. */
function happened(
  who: Who,
  name: string,
  given: readonly never[],
  answer: { readonly kind?: string },
  sentMs: number,
): Happening | undefined {
  const [a, b, c, , e] = given as readonly [never, never, never, never, never];
  const ok = answer?.kind === 'ok';
  if (name === 'commit') {
    const made = { who, claim: a, change: b };
    return ok ? { kind: 'committed', ...made, sentMs } : { kind: 'rejected', ...made, answer: answer as never };
  }
  if (name === 'claim' && answer.kind === 'claimed') return { kind: 'claimed', who, claim: (answer as { readonly claim: never }).claim };
  if (!ok) return undefined;
  if (name === 'append') return { kind: 'appended', who, address: a, item: b, entry: c };
  if (name === 'trim') return { kind: 'trimmed', who, claim: a, what: b };
  if (name === 'setApplied') return { kind: 'applied', who, key: a, offset: b, accepted: e ?? false };
  return undefined;
}
