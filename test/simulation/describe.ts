/** A happening in one line: what a trace is made of. */
import type { Happening } from './happening.ts';

const claimOf = ({ address, epoch }: { readonly address: string; readonly epoch: number }) => `${address} e${epoch}`;

export function described(it: Happening): string {
  const who = 'who' in it ? it.who : '-';
  return `${who} ${it.kind} ${rest(it)}`;
}

function rest(it: Happening): string {
  switch (it.kind) {
    case 'claimed':
      return claimOf(it.claim);
    case 'committed':
    case 'rejected': {
      const { seq, events, entries, header } = it.change;
      const ids = entries.map((entry) => `${entry.commandId}:${entry.status}`).join(' ');
      const intent = header.intent === undefined ? '' : header.intent === '' ? ' -intent' : ' +intent';
      return `${claimOf(it.claim)} s${seq}+${events.length} ${ids}${intent}${it.kind === 'rejected' ? ` ${it.answer.kind}` : ''}`;
    }
    case 'appended':
      return `${it.address} ${it.item.lane} ${it.item.offset} ${it.item.commandId}`;
    case 'trimmed':
      return claimOf(it.claim);
    case 'applied':
      return `${it.key.topic}/${it.key.partition} ${it.offset}${it.accepted ? ' accepted' : ''}`;
    case 'unanswered':
      return `${it.wire} ${it.call}`;
    case 'store-restarted':
      return it.life;
    case 'produced':
      return `${it.record.topic}/${it.record.partition} ${it.record.offset} ${it.record.value?.byteLength ?? 0} bytes`;
    case 'offset-committed':
      return `${it.at.topic}/${it.at.partition} ${it.offset}`;
    case 'asked':
      return `${it.address} ${it.verb} ${it.key ?? ''} ${it.fence.epoch}/${it.fence.seq}`;
    case 'device':
      return JSON.stringify(it.line);
    case 'called':
      return `${it.call} ${it.address} ${it.name} ${it.commandId}`;
    case 'answered':
      return `${it.call} ${JSON.stringify(it.answer)}`;
    case 'read':
      return `${it.client} ${it.address} s${it.seq}${it.stale ? ' stale' : ''}`;
    case 'fault':
      return `${it.name} ${JSON.stringify(it.detail)}`;
    case 'leased':
      return `${it.address} ${it.verb} ${it.answer}`;
    case 'sized':
      return `${it.residents} ${it.mailbox} ${it.inflight}`;
    default:
      return '';
  }
}
