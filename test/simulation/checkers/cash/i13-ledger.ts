/** I13: the ledger balances at every seq, no account goes below nothing, and no more is taken back than was taken. */
import { type MakeChecker, Violation } from '../../happening.ts';
import { type EventFact, eventFacts } from '../facts.ts';
import { type Notes, worth } from './cash-fold.ts';

const NAME = 'I13';
const TYPE = 'cash-location/';
const ACCOUNTS = ['vault', 'inDoubt', 'taken', 'retracted', 'rejected', 'receivable'] as const;
type Account = (typeof ACCOUNTS)[number] | 'supplied' | 'overShort' | 'charged' | 'reversed';
type Posting = readonly [Account, number];
type Books = {
  readonly balances: Map<string, number>;
  readonly intents: Map<string, { readonly currency: string; readonly amount: number; readonly notes: Notes }>;
  readonly takenBy: Map<string, { readonly currency: string; readonly amount: number }>;
  readonly reversed: Set<string>;
};

export const ledgerBalances: MakeChecker = () => {
  const all = new Map<string, Books>();
  return {
    name: NAME,
    hear(it) {
      if (it.kind !== 'committed' || !it.claim.address.startsWith(TYPE)) return;
      const { address } = it.claim;
      const books = all.get(address) ?? { balances: new Map(), intents: new Map(), takenBy: new Map(), reversed: new Set() };
      all.set(address, books);
      for (const event of eventFacts(it.change.events)) post(books, event);
    },
  };
};

function post(books: Books, event: EventFact): void {
  const because = (what: string) => new Violation(NAME, `${event.id} ${event.type}: ${what}`);
  const entry = entryOf(books, event, because);
  if (entry === undefined) return;
  const { currency, postings } = entry;
  const sum = postings.reduce((sum, [, amount]) => sum + amount, 0);
  if (sum !== 0) throw because(`its entry is off by ${sum}`);
  for (const [account, amount] of postings) {
    const name = `${account} ${currency}`;
    const balance = (books.balances.get(name) ?? 0) + amount;
    if (balance < 0 && (ACCOUNTS as readonly string[]).includes(account)) throw because(`the account ${name} would stand at ${balance}`);
    books.balances.set(name, balance);
  }
}

type Entry = { readonly currency: string; readonly postings: readonly Posting[] };
function entryOf(books: Books, event: EventFact, because: (what: string) => Error): Entry | undefined {
  const { notes, difference, amount } = event.data as { notes: Notes; difference: Notes; amount: number };
  const currency = String(event.data.currency);
  const commandId = String(event.data.commandId);
  switch (event.type) {
    case 'Loaded':
      return {
        currency,
        postings: [
          ['supplied', -worth(notes)],
          ['vault', worth(notes)],
        ],
      };
    case 'Counted':
      return {
        currency,
        postings: [
          ['overShort', -worth(difference)],
          ['vault', worth(difference)],
        ],
      };
    case 'DispenseIntended':
      if (amount !== worth(notes)) throw because(`its notes are worth ${worth(notes)}, it is for ${amount}`);
      books.intents.set(commandId, { currency, amount, notes });
      return {
        currency,
        postings: [
          ['vault', -amount],
          ['inDoubt', amount],
        ],
      };
    case 'DispenseFailed': {
      const intent = ended(books, commandId, because);
      return {
        currency: intent.currency,
        postings: [
          ['inDoubt', -intent.amount],
          ['vault', intent.amount],
        ],
      };
    }
    case 'Dispensed': {
      const intent = ended(books, commandId, because);
      if (amount !== worth(notes)) throw because(`what was taken is worth ${worth(notes)}, it says ${amount}`);
      books.takenBy.set(commandId, { currency, amount });
      const retracted = worth((event.data.retracted ?? {}) as Notes);
      const rejected = worth((event.data.rejected ?? {}) as Notes);
      const back = intent.amount - amount - retracted - rejected;
      const cash: readonly Posting[] = [
        ['inDoubt', -intent.amount],
        ['vault', back],
        ['taken', amount],
        ['retracted', retracted],
        ['rejected', rejected],
      ];
      return { currency, postings: [...cash, ['charged', -amount], ['receivable', amount]] };
    }
    case 'Reversed':
      return reversed(books, commandId, amount, because);
    default:
      return undefined;
  }
}

function ended(books: Books, commandId: string, because: (what: string) => Error) {
  const intent = books.intents.get(commandId);
  if (intent === undefined) throw because(`no intent of ${commandId} is open`);
  books.intents.delete(commandId);
  return intent;
}

function reversed(books: Books, commandId: string, amount: number, because: (what: string) => Error): Entry | undefined {
  const taken = books.takenBy.get(commandId);
  if (amount > (taken?.amount ?? 0)) throw because(`${amount} are taken back of ${commandId}, taken were ${taken?.amount ?? 0}`);
  if (amount > 0 && books.reversed.has(commandId)) throw because(`${commandId} is taken back a second time`);
  if (amount > 0) books.reversed.add(commandId);
  return (
    taken && {
      currency: taken.currency,
      postings: [
        ['receivable', -amount],
        ['reversed', amount],
      ],
    }
  );
}
