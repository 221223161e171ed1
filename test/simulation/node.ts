/** One replica of a simulated world: the shipping object graph over wires, as one process that can be killed, frozen and drained. */
import type { MemoryCommandLog } from '../../infra/memory/log.ts';
import { memoryNotices } from '../../infra/memory/notices.ts';
import { memoryRegistry } from '../../infra/memory/registry.ts';
import { memoryStateStore } from '../../infra/memory/state-store.ts';
import type { Bound, Handler } from '../../src/actor.ts';
import type { Acted, Desk } from '../../src/desk.ts';
import { why } from '../../src/errors.ts';
import type { Log } from '../../src/ports.ts';
import { definitions } from '../../src/runtime/definition.ts';
import { desk } from '../../src/runtime/desk.ts';
import { Replica } from '../../src/runtime/replica.ts';
import type { Meters } from '../../src/runtime/site.ts';
import { Waiters } from '../../src/runtime/waiters.ts';
import type { Who } from './happening.ts';
import type { Process } from './kernel.ts';
import { carry, type Wire } from './links.ts';
import { commandLogLink, leaseLink, noticesLink, registryLink, writerLink } from './port-links.ts';
import type { Peer, Stage } from './stage.ts';
import { storeLink } from './store-link.ts';

/** What an operator waits for another replica, ms; and what the caller of an effect waits at most. */
const PEER_MS = 10_000;
const EFFECT_MS = 60_000;
/** What a supervisor waits longer than a replica takes to drain, ms. */
const GRACE_MS = 10_000;
const silence = () => {
  throw new Error('no answer from the outside');
};

export class Node {
  readonly who: Who;
  readonly replicaId: string;
  readonly process: Process;
  readonly replica: Replica;
  readonly desk: Desk;
  /** Requests reach it. */
  serves = false;
  state: 'starting' | 'up' | 'draining' | 'gone' = 'starting';
  readonly #waiters: Waiters;
  readonly #stage: Stage;
  readonly #notices: ReturnType<typeof noticesLink>;
  /** Its place in the group, once it has one. */
  member: MemoryCommandLog | undefined;

  constructor(stage: Stage, replicaId: string, run: number) {
    const { kernel, settings, topics } = stage;
    this.#stage = stage;
    this.replicaId = replicaId;
    this.who = `${replicaId}/${run}`;
    const its = kernel.process(this.who);
    this.process = its;
    const clock = kernel.clock(its);
    const log = logOf(stage, this.who);
    const random = kernel.chance(`replica ${this.who}`);
    const wire = (name: keyof Stage['weather'], port: string = name): Wire => ({
      kernel,
      process: its,
      chance: kernel.chance(`wire ${this.who} ${port}`),
      weather: stage.weather[name],
      passes: stage.passes,
    });
    const { who } = this;
    const say = stage.hear;
    const store = storeLink(wire('store'), memoryStateStore(stage.disk, { random }), stage, who);
    const registry = registryLink(wire('store', 'registry'), memoryRegistry(stage.disk));
    this.#notices = noticesLink(wire('store', 'notices'), memoryNotices(stage.disk), () => stage.weather.store.loseReply * 5);
    const appended = (record: never) => say({ kind: 'produced', who, record });
    const writer = writerLink(
      wire('log'),
      stage.log.writer({ eventsTopic: topics.events, deadLettersTopic: topics.letters, appended: appended as never }),
    );
    this.replica = new Replica({
      clock,
      random,
      log,
      meters: stage.meters as Meters,
      marginMs: () => {},
      store,
      leaseStore: leaseLink(wire('leases'), stage.leaseStore(), { who, say: stage.honestLeases ? say : () => {} }),
      registry,
      notices: this.#notices,
      writer,
      definitions: definitions(stage.actors(clock, log).map((bound) => watched(bound, wire('device'), who, stage))),
      limits: settings.limits,
      replicaId,
      url: `http://${replicaId}`,
      group: stage.group,
      source: 'simulation',
      lanes: new Map([
        [topics.commands, 'customer'],
        [topics.bulk, 'bulk'],
      ]),
      leaseTtlMs: settings.leaseTtlMs,
      sessionMs: settings.sessionMs,
      partitions: settings.partitions,
      commandLog: ({ mayJoin, fatal, before }) => {
        this.member = stage.log.commandLog({
          groupId: stage.group,
          replicaId,
          topics: [topics.commands, topics.bulk],
          sessionTimeoutMs: settings.sessionMs,
          clock,
          before,
          mayJoin,
          onFatal: fatal,
          committed: ({ topic, partition, offset }) => {
            say({ kind: 'offset-committed', who, at: { topic, partition }, offset });
            stage.passes(its, 'offsets:applied');
          },
        });
        return commandLogLink(wire('log'), this.member);
      },
      fatal: (reason) => this.#fatal(reason),
    });
    this.#waiters = new Waiters(clock, `notify:${this.who}`);
    this.desk = desk({
      replica: this.replica,
      waiters: this.#waiters,
      peers: {
        act: (url, address, action) => this.#forward(wire('device', 'peers'), url, (other) => other.desk.act(address, action, true)),
      },
      registry,
      archive: stage.log.archive(),
      topics: { lanes: [topics.commands, topics.bulk], events: topics.events, deadLetters: topics.letters },
      sessionMs: settings.sessionMs,
      metrics: async () => ({ type: '', text: '' }),
    });
    this.replica.site.evidence.forwardBy(async (address, { intent, evidence }) => {
      const key = `evidence:${intent.commandId}:${intent.fence.epoch}`;
      const action = { verb: 'settle', key, commandId: intent.commandId, because: 'evidence in hand', evidence } as const;
      const acted = await this.desk.act(address, action, false);
      return acted.kind === 'acted' || acted.code === 'NOT_FOUND';
    });
  }

  /** As main.ts starts it; a start that fails ends the process, and whoever supervises it begins another. */
  start(): void {
    const { kernel, hear } = this.#stage;
    hear({ kind: 'started', who: this.who });
    const boot = async () => {
      await this.replica.start();
      await this.#waiters.start(this.#notices);
      this.serves = true;
      // Told to end while it was starting: it ends once it has started.
      if (this.state === 'draining') this.#leave();
      else this.state = 'up';
    };
    kernel.soon(this.process, 'starts', () => {
      boot().catch((error: unknown) => {
        this.#stage.tell(this.who, 'error', { why: why(error) }, 'cannot start');
        this.kill();
      });
    });
  }
  kill(): void {
    if (this.state === 'gone') return;
    this.state = 'gone';
    this.#stage.kernel.kill(this.process);
    this.member?.vanish();
    this.#stage.hear({ kind: 'killed', who: this.who });
    this.#stage.gone(this.who);
  }
  /** SIGTERM. */
  drain(): void {
    if (this.state === 'gone' || this.state === 'draining') return;
    const { kernel, settings } = this.#stage;
    this.state = 'draining';
    this.#stage.hear({ kind: 'draining', who: this.who });
    if (this.serves) kernel.soon(this.process, 'SIGTERM', () => this.#leave());
    kernel.after(kernel.world, settings.limits.drainMs + GRACE_MS, 'SIGKILL', () => this.kill());
  }
  #leave(): void {
    const { kernel } = this.#stage;
    const over = () => {
      if (this.state === 'gone') return;
      this.state = 'gone';
      kernel.kill(this.process);
      this.member?.vanish();
      this.#stage.hear({ kind: 'drained', who: this.who });
      this.#stage.gone(this.who);
    };
    this.replica.drain().then(over, (error: unknown) => kernel.fail(error));
  }
  #fatal(reason: string): void {
    if (this.state === 'gone' || this.state === 'draining') return;
    this.#stage.tell(this.who, 'error', { why: reason }, 'must end');
    this.drain();
  }

  /** Runs `work` in this replica as if a request had come, and hands its answer to whoever asked, in an event of theirs. */
  ask<T>(label: string, work: () => Promise<T>): Promise<T> {
    const { kernel } = this.#stage;
    return new Promise((resolve, reject) => {
      kernel.soon(this.process, label, () => {
        work().then(
          (answer) => void kernel.soon(kernel.world, `${label} answered`, () => resolve(answer)),
          (error: unknown) => void kernel.soon(kernel.world, `${label} failed`, () => reject(error)),
        );
      });
    });
  }

  #forward(wire: Wire, url: string, work: (other: Peer) => Promise<Acted>): Promise<Acted> {
    const unanswered = (): Acted => ({ kind: 'refused', code: 'OWNER_UNREACHABLE', why: 'no answer' });
    return carry(wire, {
      name: 'forward',
      timeoutMs: PEER_MS,
      unanswered,
      work: () => {
        const other = this.#stage.nodes().findLast((it) => `http://${it.replicaId}` === url && it.state !== 'gone');
        return other === undefined ? unanswered() : other.ask('forwarded', () => work(other));
      },
    });
  }
}

/** The handlers of an actor, each call of them told. */
function watched(bound: Bound, wire: Wire, who: Who, stage: Stage): Bound {
  const { process, passes } = wire;
  const handlers = Object.entries(bound.handlers).map(([name, handler]) => {
    const call = <C extends { readonly address: string; readonly fence: never; readonly key?: string }, T>(
      verb: 'open' | 'run' | 'probe',
      context: C,
      order: unknown,
      work: () => Promise<T>,
    ): Promise<T> => {
      if (process.state === 'dead') return new Promise(() => {});
      const { address, key, fence } = context;
      stage.hear({ kind: 'asked', who, address, verb, fence, ...(key !== undefined && { key }), ...(verb === 'run' && { order }) });
      stage.askedBy.set(address, process);
      if (stage.carriesEffects) return carry(wire, { name: verb, work, timeoutMs: EFFECT_MS, unanswered: silence });
      const answer = work();
      passes(process, `${verb}:sent`);
      return answer.then((it) => {
        passes(process, `${verb}:answered`);
        return it;
      });
    };
    const { open, run, probe } = handler as Handler<unknown, unknown>;
    const its = {
      ...(open && { open: (context: never) => call('open', context, undefined, () => open(context)) }),
      run: (order: unknown, context: never) => call('run', context, order, () => run(order, context)),
      probe: (order: unknown, context: never) => call('probe', context, undefined, () => probe(order, context)),
    };
    return [name, its] as const;
  });
  return { actor: bound.actor, handlers: Object.fromEntries(handlers) as unknown as Bound['handlers'] };
}

function logOf(stage: Stage, who: Who): Log {
  const level = (name: keyof Log) => (fields: object, message: string) => stage.tell(who, name, fields, message);
  return { debug: () => {}, info: level('info'), warn: level('warn'), error: level('error') };
}
