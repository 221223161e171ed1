/** What a cash location answered is what its cash at that seq allows: refusals are true, replies add up, the note mix is the smallest. */
import { type MakeChecker, Violation } from '../../happening.ts';
import { type CommandFact, commandFact, type EventFact, eventFacts, isOwn, type Json, show } from '../facts.ts';
import { type Cash, type CashEvent, emptyCash, foldCash, heldIn, type Notes, type Row, sameNotes, worthOf } from './cash-fold.ts';
import { fewestNotes } from './note-mix.ts';

const NAME = 'decisions';
const TYPE = 'cash-location/';

type Place = {
  cash: Cash;
  /** Originals that were taken back, or are to be. */
  readonly reversed: Set<string>;
  readonly last: Map<string, EventFact>;
  readonly dispensed: Map<string, EventFact>;
};
type Outcome = { readonly status: string; readonly reply?: Json; readonly code?: string; readonly detail?: Json };
type Asked = Pick<CommandFact, 'input' | 'deadlineMs' | 'ifSeq'>;

const emptyPlace = (): Place => ({ cash: emptyCash(), reversed: new Set(), last: new Map(), dispensed: new Map() });

export const decisionsAreTrue: MakeChecker = ({ topics }) => {
  const places = new Map<string, Place>();
  const commands = new Map<string, CommandFact[]>();
  return {
    name: NAME,
    hear(it) {
      if (it.kind === 'produced' && (it.record.topic === topics.commands || it.record.topic === topics.bulk)) {
        const command = commandFact(it.record);
        if (command === undefined) return;
        commands.set(command.key, [...(commands.get(command.key) ?? []), command]);
      }
      if (it.kind !== 'committed' || !it.claim.address.startsWith(TYPE)) return;
      const { address } = it.claim;
      const place = places.get(address) ?? emptyPlace();
      places.set(address, place);
      for (const fact of eventFacts(it.change.events)) {
        const wrong = (fact.type === 'DispenseIntended' ? mixWrong(place, fact) : undefined) ?? outcomeWrong(place, fact, commands);
        if (wrong !== undefined)
          throw new Violation(NAME, `${fact.id} ${fact.type} of ${fact.commandId}: ${wrong}; before it: ${show(place.cash)}`);
      }
    },
  };
};

function mixWrong({ cash, reversed }: Place, { data, commandId }: EventFact): string | undefined {
  const { amount, currency, notes } = data as unknown as { amount: number; currency: string; notes: Notes };
  if (!cash.open) return 'it is out of service';
  if (reversed.has(commandId)) return 'it was reversed before it arrived';
  const fewest = fewestNotes(amount, heldIn(cash, currency) ?? []);
  const chosen = Object.values(notes).reduce((sum, count) => sum + count, 0);
  return fewest === undefined || fewest === chosen ? undefined : `${show(notes)} are ${chosen} notes, ${fewest} would do`;
}

function outcomeWrong(place: Place, fact: EventFact, commands: ReadonlyMap<string, CommandFact[]>): string | undefined {
  const before = place.cash;
  if (!isOwn(fact)) place.cash = foldCash(place.cash, fact.event as CashEvent);
  if (!isOwn(fact)) place.last.set(fact.commandId, fact);
  if (fact.type === 'Dispensed') place.dispensed.set(fact.commandId, fact);
  const asked = commands.get(`${fact.address} ${fact.commandId} ${fact.input}`);
  const outcome = fact.reply === undefined ? undefined : (JSON.parse(fact.reply) as Outcome);
  const wrong = asked === undefined ? undefined : judge(outcome, asked, before, place, fact);
  if (fact.type === 'Reversed' || fact.type === 'ReversalNoted') place.reversed.add(String(fact.data.commandId));
  return wrong;
}

function judge(outcome: Outcome | undefined, asked: readonly Asked[], before: Cash, place: Place, fact: EventFact): string | undefined {
  const [{ input }] = asked as [Asked];
  if (outcome?.status === 'refused') {
    const rule = refusals[String(outcome.code)];
    return rule?.({ input, asked, cash: before, place, fact }) === false
      ? `${outcome.code} ${show(outcome.detail)} is not so: ${show(input)}`
      : undefined;
  }
  if (outcome?.status !== 'done') return undefined;
  const { reply = {} } = outcome;
  const rule = replies[fact.type];
  return rule?.({ reply, input, place, fact, before }) === false ? `the reply ${show(reply)} is not so` : undefined;
}

type Refused = { input: Json; asked: readonly Asked[]; cash: Cash; place: Place; fact: EventFact };
const inCassettes = ({ cash, input }: Refused): readonly Row[] => heldIn(cash, String(input.currency)) ?? [];
const refusals: Readonly<Record<string, (it: Refused) => boolean>> = {
  INSUFFICIENT_CASH: (it) => worthOf(inCassettes(it)) < Number(it.input.amount),
  NOT_DISPENSABLE: (it) => [undefined, Number.POSITIVE_INFINITY].includes(fewestNotes(Number(it.input.amount), inCassettes(it))),
  CURRENCY_MISMATCH: ({ cash, input }) => heldIn(cash, String(input.currency)) === undefined,
  OUT_OF_SERVICE: ({ cash }) => !cash.open,
  IN_DOUBT_OPEN: ({ cash }) => cash.dispense !== null,
  ALREADY_REVERSED: ({ input, place }) => place.reversed.has(String(input.commandId)),
  REVERSED_BEFORE_ARRIVAL: ({ place, fact }) => place.reversed.has(fact.commandId),
  DEVICE_FAILED: ({ place, fact }) => {
    const type = place.last.get(fact.commandId)?.type;
    return type === 'DispenseFailed' || type === 'Reversed';
  },
  DEADLINE_EXCEEDED: ({ asked, fact }) => asked.some(({ deadlineMs }) => deadlineMs !== undefined && fact.timeMs > deadlineMs),
  PRECONDITION_FAILED: ({ asked, fact }) => asked.some(({ ifSeq }) => ifSeq !== undefined && Number(ifSeq) !== fact.seq - 1),
};

type Replied = { reply: Json; input: Json; place: Place; fact: EventFact; before: Cash };
const replies: Readonly<Record<string, (it: Replied) => boolean>> = {
  Loaded: ({ reply, input, place }) => reply.cash === worthOf(heldIn(place.cash, String(input.currency)) ?? []),
  Counted: ({ reply, input, fact, before }) => {
    const booked = new Map(heldIn(before, String(input.currency))?.map(({ denomination, held }) => [denomination, held]));
    const counted = Object.entries(fact.data.notes as Notes).sort(([a], [b]) => Number(b) - Number(a));
    const off = Object.fromEntries(counted.map(([name, count]) => [name, count - (booked.get(Number(name)) ?? 0)]));
    return sameNotes(off, fact.data.difference as Notes) && sameNotes(off, reply.difference as Notes);
  },
  Dispensed: ({ reply, fact }) => tells(reply, fact),
  Reversed: ({ reply, place, fact }) => {
    const original = place.dispensed.get(fact.commandId);
    // The last event of a dispense that was to be reversed, or that of the reversal itself.
    if (original !== undefined) return tells(reply, original);
    return reply.commandId === fact.data.commandId && reply.amount === fact.data.amount;
  },
  ReversalNoted: ({ reply, fact }) => reply.commandId === fact.data.commandId && reply.amount === 0,
};
const tells = (reply: Json, { data }: EventFact): boolean =>
  reply.amount === data.amount && reply.partial === data.partial && sameNotes(reply.notes as Notes, data.notes as Notes);
