/** A dispenser in memory: what it does with an order depends on the order's key alone, so that a seed repeats it. */
import { CashLocation } from '../../actors/cash-location/actor.ts';
import { type Notes, worth } from '../../actors/cash-location/cassettes.ts';
import type { DispenseOrder, DispenseResult } from '../../actors/cash-location/messages.ts';
import { type Bound, bind, type Confirmed, type EffectContext, type Failed } from '../../src/actor.ts';

export class Dispenser {
  readonly #paid = new Map<string, Notes>();
  readonly #void = new Set<string>();

  /** How often it paid. */
  get paid(): number {
    return this.#paid.size;
  }
  /** Minor units that left it, whatever the currency. */
  get delivered(): number {
    return [...this.#paid.values()].reduce((sum, notes) => sum + worth(notes), 0);
  }

  bound(): Bound {
    return bind(CashLocation, {
      dispenseCash: {
        run: async ({ notes }: DispenseOrder, { key }: EffectContext) => {
          const how = fateOf(key);
          if (how === 'lost before') throw new Error('the line was cut before it heard');
          if (how === 'jam' || this.#void.has(key)) return { status: 'failed', code: 'JAM' };
          this.#paid.set(key, notes);
          if (how === 'lost after') throw new Error('the line was cut after it paid');
          return this.#told(key);
        },
        probe: async (_order: DispenseOrder, { key }: EffectContext) => {
          this.#void.add(key);
          return this.#told(key);
        },
      },
    });
  }

  #told(key: string): Confirmed<DispenseResult> | Failed {
    const notes = this.#paid.get(key);
    return notes === undefined ? { status: 'failed', code: 'NONE' } : { status: 'confirmed', result: { status: 'dispensed', notes } };
  }
}

function fateOf(key: string): 'well' | 'jam' | 'lost before' | 'lost after' {
  const sum = [...key].reduce((total, letter) => total + letter.charCodeAt(0), 0);
  return (['jam', 'lost before', 'lost after'] as const)[sum % 12] ?? 'well';
}
