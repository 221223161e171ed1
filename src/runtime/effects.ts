/** Calls to the outside, each bounded in time. What comes back is always data: evidence, nothing known, or a fence above ours. */
import type { EffectContext, Fence } from '../actor.ts';
import { why } from '../errors.ts';
import type { Alarm, Clock } from '../ports.ts';
import type { Definition } from './definition.ts';
import type { Evidence, Intent } from './ground.ts';

export type Report =
  | { readonly kind: 'evidence'; readonly evidence: Evidence }
  | { readonly kind: 'unknown'; readonly why: string }
  | { readonly kind: 'fenced'; readonly highest: Fence };
type Answer = Evidence | { readonly status: 'unknown' } | { readonly status: 'fenced'; readonly highest: Fence };

const reportOf = (answer: Answer): Report => {
  if (answer.status === 'confirmed' || answer.status === 'failed') return { kind: 'evidence', evidence: answer };
  if (answer.status === 'fenced') return { kind: 'fenced', highest: answer.highest };
  return { kind: 'unknown', why: 'the outside does not know' };
};

/**
 * One call, and the context that its handler is given. It ends once, with the answer or at the limit; what arrives after the limit goes to
 * `late`. The signal is made when it is asked for: it costs more than the rest of a call to a handler that needs none.
 */
class Call implements EffectContext {
  readonly address: string;
  readonly key: string;
  readonly fence: Fence;
  readonly witness: string | undefined;
  declare readonly signal: AbortSignal;
  #end: (report: Report) => void = () => {};
  readonly #late: ((report: Report) => void) | undefined;
  #alarm: Alarm | undefined;
  #abort: AbortController | undefined;
  #over = false;

  /** Of its own, so that a copy of a context has it, but one for all: with a getter made for each, V8 gives each object a shape of its own. */
  static readonly #signal: PropertyDescriptor & ThisType<Call> = {
    enumerable: true,
    get() {
      this.#abort ??= new AbortController();
      if (this.#over) this.#abort.abort();
      return this.#abort.signal;
    },
  };

  constructor(address: string, key: string, fence: Fence, witness?: string, late?: (report: Report) => void) {
    this.address = address;
    this.key = key;
    this.fence = fence;
    this.witness = witness;
    this.#late = late;
    Object.defineProperty(this, 'signal', Call.#signal);
  }

  within(clock: Clock, limitMs: number, ask: (context: EffectContext) => Promise<Answer>): Promise<Report> {
    return new Promise((resolve) => {
      this.#end = resolve;
      this.#alarm = clock.after(limitMs, () => this.#expire(limitMs));
      void this.#ask(ask);
    });
  }
  async #ask(ask: (context: EffectContext) => Promise<Answer>): Promise<void> {
    try {
      this.#finish(reportOf(await ask(this)));
    } catch (error) {
      // A throw is not evidence of anything: the call may have been made.
      this.#finish({ kind: 'unknown', why: why(error) });
    }
  }
  #expire(limitMs: number): void {
    this.#over = true;
    this.#end({ kind: 'unknown', why: `no answer in ${limitMs} ms` });
    this.#abort?.abort();
  }
  #finish(report: Report): void {
    this.#alarm?.cancel();
    if (this.#over) this.#late?.(report);
    else this.#end(report);
    this.#over = true;
  }
}

export type Effects = {
  /** Runs the effect of a committed intent, once. */
  run(definition: Definition, address: string, intent: Intent, late: (report: Report) => void): Promise<Report>;
  /** Asks what became of it, under a fence higher than the run's. */
  probe(definition: Definition, address: string, intent: Intent, fence: Fence): Promise<Report>;
  /** Raises the outside's fence before an activation's first intent; undefined: no answer in time. */
  open(
    definition: Definition,
    address: string,
    effect: string,
    fence: Fence,
  ): Promise<{ readonly witness: string | undefined } | { readonly highest: Fence } | undefined>;
};

export function effects(clock: Clock, probeTimeoutMs: number): Effects {
  const handlerOf = (definition: Definition, effect: string) => {
    const handler = definition.handlers[effect];
    if (handler === undefined) throw new Error(`this version of ${definition.type} has no effect ${effect}`);
    return handler;
  };
  return {
    run: (definition, address, intent, late) => {
      const { commandId, fence, witness } = intent;
      const limitMs = definition.effects[intent.effect]?.timeoutMs ?? probeTimeoutMs;
      const ask = (context: EffectContext) => handlerOf(definition, intent.effect).run(intent.order, context);
      return new Call(address, commandId, fence, witness, late).within(clock, limitMs, ask);
    },
    probe: (definition, address, intent, fence) =>
      new Call(address, intent.commandId, fence, intent.witness).within(clock, probeTimeoutMs, (context) =>
        handlerOf(definition, intent.effect).probe(intent.order, context),
      ),
    async open(definition, address, effect, fence) {
      const ask = handlerOf(definition, effect).open;
      if (ask === undefined) return { witness: undefined };
      let witness: string | undefined;
      const report = await new Call(address, '', fence).within(clock, probeTimeoutMs, async ({ signal }) => {
        const answer = await ask({ address, fence, signal });
        if (typeof answer !== 'string') return answer;
        witness = answer;
        return { status: 'unknown' };
      });
      if (report.kind === 'fenced') return { highest: report.highest };
      return witness === undefined ? undefined : { witness };
    },
  };
}

/** Is `a` strictly above `b`? */
export const above = (a: Fence, b: Fence): boolean => a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq);
