/** Calls to the outside, each bounded in time. What comes back is always data: evidence, nothing known, or a fence above ours. */
import type { Fence } from '../actor.ts';
import { why } from '../errors.ts';
import type { Clock } from '../ports.ts';
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

/** Resolves once, with the answer or at the limit. What arrives after the limit goes to `late`. */
function within(
  clock: Clock,
  limitMs: number,
  call: (signal: () => AbortSignal) => Promise<Answer>,
  late?: (report: Report) => void,
): Promise<Report> {
  let abort: AbortController | undefined;
  const signal = () => {
    abort ??= new AbortController();
    if (over) abort.abort();
    return abort.signal;
  };
  let over = false;
  return new Promise((resolve) => {
    const alarm = clock.after(limitMs, () => {
      over = true;
      resolve({ kind: 'unknown', why: `no answer in ${limitMs} ms` });
      abort?.abort();
    });
    const finish = (report: Report) => {
      alarm.cancel();
      if (over) late?.(report);
      else resolve(report);
      over = true;
    };
    const ask = async () => {
      try {
        finish(reportOf(await call(signal)));
      } catch (error) {
        // A throw is not evidence of anything: the call may have been made.
        finish({ kind: 'unknown', why: why(error) });
      }
    };
    void ask();
  });
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
  const context = (address: string, intent: Intent, fence: Fence, signal: () => AbortSignal) => ({
    address,
    key: intent.commandId,
    fence,
    witness: intent.witness,
    /** Made when asked for: a signal costs more than the rest of a call to a handler that needs none. */
    get signal() {
      return signal();
    },
  });
  return {
    run: (definition, address, intent, late) =>
      within(
        clock,
        definition.effects[intent.effect]?.timeoutMs ?? probeTimeoutMs,
        (signal) => handlerOf(definition, intent.effect).run(intent.order, context(address, intent, intent.fence, signal)),
        late,
      ),
    probe: (definition, address, intent, fence) =>
      within(clock, probeTimeoutMs, (signal) =>
        handlerOf(definition, intent.effect).probe(intent.order, context(address, intent, fence, signal)),
      ),
    async open(definition, address, effect, fence) {
      const ask = handlerOf(definition, effect).open;
      if (ask === undefined) return { witness: undefined };
      let witness: string | undefined;
      const report = await within(clock, probeTimeoutMs, async (signal) => {
        const answer = await ask({ address, fence, signal: signal() });
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
