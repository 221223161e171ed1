/** What charges cards for the pay station: a terminal that remembers what it did, by the key of each call. */
import type { Handlers } from '../../src/actor.ts';
import type { PayStation } from './pay-station.ts';

type Remembered =
  | { readonly status: 'confirmed'; readonly result: { readonly receipt: string } }
  | { readonly status: 'failed'; readonly code: string };

export class Terminal {
  /** Each charge once, in the order in which the terminal made it. */
  readonly charged: string[] = [];
  /** The answer to the next charge is lost on its way back. */
  losesAnswer = false;
  declines = false;
  readonly #known = new Map<string, Remembered>();

  readonly handlers: Handlers<typeof PayStation> = {
    charge: {
      run: async (order, { key }) => {
        const known = this.#known.get(key) ?? this.#charge(order.cents, key);
        if (!this.losesAnswer) return known;
        this.losesAnswer = false;
        throw new Error('the line is dead');
      },
      probe: async (_order, { key }) => {
        const known = this.#known.get(key);
        if (known !== undefined) return known;
        // A promise: from now on this key is void, so that a charge still on the wire cannot come true.
        this.#known.set(key, { status: 'failed', code: 'NEVER_CHARGED' });
        return { status: 'failed', code: 'NEVER_CHARGED' };
      },
    },
  };

  #charge(cents: number, key: string): Remembered {
    const said: Remembered = this.declines
      ? { status: 'failed', code: 'CARD_REFUSED' }
      : { status: 'confirmed', result: { receipt: `R-${key}` } };
    this.#known.set(key, said);
    if (said.status === 'confirmed') this.charged.push(`${key} ${cents}`);
    return said;
  }
}
