/**
 * The books of a cash location: each event is one balanced entry, the ledger is the fold of the entries.
 *
 * Positive is debit, and every entry adds up to 0 per currency. Two families, each balanced in itself:
 *   cash    supplied (from whom it came, so negative) · vault (in cassettes) · inDoubt · taken · retracted · rejected · overShort (missed when counted)
 *   claims  charged (against whom the claims stand, so negative) · receivable (what holders owe for what they took) · reversed (what was taken back)
 */
import { worth } from './cassettes.ts';
import type { CashEvent } from './messages.ts';

export const ACCOUNTS = [
  'supplied',
  'vault',
  'inDoubt',
  'taken',
  'retracted',
  'rejected',
  'overShort',
  'charged',
  'receivable',
  'reversed',
] as const;
export type Account = (typeof ACCOUNTS)[number];
export type Posting = { readonly account: Account; readonly currency: string; readonly amount: number };
type Balances = Readonly<Record<Account, number>>;
export type Ledger = {
  readonly byCurrency: Readonly<Record<string, Balances>>;
  /** Intents without evidence: the evidence does not repeat what was ordered. By commandId, a Map because `__proto__` is one. */
  readonly open: ReadonlyMap<string, { readonly currency: string; readonly worth: number }>;
};

export const emptyLedger: Ledger = { byCurrency: {}, open: new Map() };
const zero = Object.fromEntries(ACCOUNTS.map((account) => [account, 0])) as Balances;

export function post(ledger: Ledger, event: CashEvent): Ledger {
  const byCurrency: Record<string, Balances> = { ...ledger.byCurrency };
  let sum = 0;
  for (const { account, currency, amount } of entryOf(ledger, event)) {
    const balances = byCurrency[currency] ?? zero;
    byCurrency[currency] = { ...balances, [account]: balances[account] + amount };
    sum += amount;
  }
  if (sum !== 0) throw new Error(`the entry of ${event.type} is off by ${sum}: ${JSON.stringify(event)}`);
  return { byCurrency, open: openAfter(ledger, event) };
}

/** What the event moves, from where to where; nothing for an event that moves no money. */
export function entryOf(ledger: Ledger, event: CashEvent): readonly Posting[] {
  switch (event.type) {
    case 'Loaded':
      return move(event.currency, 'supplied', { vault: worth(event.notes) });
    case 'Counted':
      return move(event.currency, 'overShort', { vault: worth(event.difference) });
    case 'DispenseIntended':
      return move(event.currency, 'vault', { inDoubt: worth(event.notes) });
    case 'DispenseFailed': {
      const intent = intentOf(ledger, event);
      return move(intent.currency, 'inDoubt', { vault: intent.worth });
    }
    case 'Dispensed': {
      const intent = intentOf(ledger, event);
      const retracted = worth(event.retracted ?? {});
      const rejected = worth(event.rejected ?? {});
      const vault = intent.worth - event.amount - retracted - rejected;
      return [
        ...move(intent.currency, 'inDoubt', { vault, taken: event.amount, retracted, rejected }),
        ...move(intent.currency, 'charged', { receivable: event.amount }),
      ];
    }
    case 'Reversed':
      return event.currency === undefined ? [] : move(event.currency, 'receivable', { reversed: event.amount });
    default:
      return [];
  }
}

function move(currency: string, from: Account, to: Partial<Balances>): readonly Posting[] {
  const debits = Object.entries(to).filter(([, amount]) => amount !== 0) as [Account, number][];
  const sum = debits.reduce((all, [, amount]) => all + amount, 0);
  const credit = sum === 0 ? [] : [{ account: from, currency, amount: -sum }];
  return [...credit, ...debits.map(([account, amount]) => ({ account, currency, amount }))];
}

function openAfter(ledger: Ledger, event: CashEvent): Ledger['open'] {
  if (event.type !== 'DispenseIntended' && event.type !== 'Dispensed' && event.type !== 'DispenseFailed') return ledger.open;
  const open = new Map(ledger.open);
  if (event.type === 'DispenseIntended') open.set(event.commandId, { currency: event.currency, worth: worth(event.notes) });
  else open.delete(event.commandId);
  return open;
}

function intentOf(ledger: Ledger, event: { readonly type: string; readonly commandId: string }) {
  const intent = ledger.open.get(event.commandId);
  if (!intent) throw new Error(`${event.type} of ${event.commandId}, which has no open intent in the ledger`);
  return intent;
}
