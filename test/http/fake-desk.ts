/** A desk whose every answer a test sets, and which remembers what it was asked. */
import type { Acted, Action, Desk, Submission, Told } from '../../src/desk.ts';
import type { Log } from '../../src/ports.ts';

export type Asked = {
  readonly submissions: Submission[];
  readonly acts: { readonly address: string; readonly action: Action; readonly forwarded: boolean }[];
  readonly filters: { readonly stuck: boolean; readonly limit: number }[];
  readonly accepted: unknown[];
};

export const DONE = '{"status":"done","reply":{"amount":60,  "notes":{"2000":3}},"seq":7,"epoch":3}';
export const acted: Acted = { kind: 'acted', text: '{"status":"done","verb":"pause","seq":8,"epoch":3}' };

export function fakeDesk(answers: Partial<Desk> = {}): { readonly desk: Desk; readonly asked: Asked } {
  const asked: Asked = { submissions: [], acts: [], filters: [], accepted: [] };
  const done: Told = { kind: 'final', status: 'done', text: DONE };
  const desk: Desk = {
    catalogue: () => [],
    submit: async () => done,
    outcome: async () => done,
    query: async () => ({ seq: 7, body: { open: true } }),
    act: async () => acted,
    locations: () => [{ address: 'cash-location/a' }],
    location: async () => ({ address: 'cash-location/a', seq: 7 }),
    parked: async () => [{ address: 'cash-location/a', commandId: 'c1' }],
    refusedPartitions: () => [{ topic: 'locus.commands', partition: 3, code: 'CANARY', why: 'another life' }],
    events: async () => ({ topic: 'locus.events', events: [], strange: [], next: 0, more: false }),
    letters: async () => ({ topic: 'locus.dead-letters', letters: [] }),
    letter: async () => undefined,
    replayLetter: async () => acted,
    accept: async () => acted,
    raiseGeneration: async () => acted,
    health: () => ({ live: undefined, ready: undefined, started: undefined, told: [] }),
    metrics: async () => ({ type: 'text/plain; version=0.0.4', text: 'locus_active 3\n' }),
    ...answers,
  };
  return {
    asked,
    desk: {
      ...desk,
      submit: (submission) => {
        asked.submissions.push(submission);
        return desk.submit(submission);
      },
      act: (address, action, forwarded) => {
        asked.acts.push({ address, action, forwarded });
        return desk.act(address, action, forwarded);
      },
      locations: (filter) => {
        asked.filters.push(filter);
        return desk.locations(filter);
      },
      accept: (at, because) => {
        asked.accepted.push({ ...at, because });
        return desk.accept(at, because);
      },
    },
  };
}

export type Line = { readonly level: string; readonly fields: object; readonly message: string };
export function fakeLog(): { readonly log: Log; readonly lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
  return { lines, log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } };
}
