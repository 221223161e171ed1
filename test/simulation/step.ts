/** One step of the world outside, as plain data. */
import type { Action } from '../../src/desk.ts';

export type Step = { readonly atMs: number } & (
  | ({ readonly do: 'record' } & Letter)
  | ({ readonly do: 'call'; readonly call: number; readonly client: number } & Omit<Order, 'input'> & {
        readonly input: unknown;
        readonly commandId: string;
        readonly waitMs: number;
        readonly deadlineInMs?: number;
        readonly ifSeq?: 'as-read';
      })
  | { readonly do: 'read'; readonly client: number; readonly address: string; readonly query?: string }
  | ({ readonly do: 'act' } & Act)
  | { readonly do: 'raise' }
);
/** A record as an outside client sends it; `partition`: by number, wherever its key belongs. */
export type Letter = {
  readonly topic: 'commands' | 'bulk';
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly partition?: number;
};
/** `target`: whoever runs it finds the commandId in the location's parked command or open intent. */
export type Act = {
  readonly address: string;
  readonly verb: Action['verb'];
  readonly key: string;
  readonly commandId?: string;
  readonly target?: 'parked' | 'open';
  readonly because: string;
};

export type Order = { readonly address: string; readonly name: string; readonly input: object };
export type Sent = Order & { readonly commandId: string };
