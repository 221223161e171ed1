/** Speaks HTTP to a replica for the command line, and turns what went wrong into one line and an exit code. */
import type { Clock } from '../clock.ts';
import { why } from '../errors.ts';

/** 0: done · 1: it was not, or not yet · 2: the command line is wrong · 78: the configuration is (sysexits.h EX_CONFIG). */
export const EXIT = { done: 0, failed: 1, usage: 2, config: 78 } as const;

/** Ends a command: the message is one line for people. */
export class Failure extends Error {
  readonly exit: number;
  /** What the replica said, for programs. */
  readonly answer: Answer | undefined;
  /** It may have been done all the same. */
  readonly unsure: boolean;
  constructor(exit: number, message: string, { answer, unsure = false }: { answer?: Answer | undefined; unsure?: boolean } = {}) {
    super(message);
    this.exit = exit;
    this.answer = answer;
    this.unsure = unsure;
  }
}

export type Request = {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** How long the answer may take, ms. */
  readonly withinMs?: number;
};
export type Answer = { readonly status: number; readonly text: string };
export type Client = { call(request: Request): Promise<Answer> };

const WITHIN_MS = 15_000;

/** Answers below 400 come back; others, and none, are a Failure. */
export function client(url: string, token: string | undefined, clock: Clock): Client {
  return {
    async call({ method = 'GET', path, headers = {}, body, withinMs = WITHIN_MS }) {
      const over = new AbortController();
      const alarm = clock.after(withinMs, () => over.abort(new Error(`no answer in ${withinMs} ms`)), true);
      const auth = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const type = body === undefined ? {} : { 'content-type': 'application/json' };
      let answer: Answer;
      try {
        const init = { method, signal: over.signal, headers: { ...auth, ...type, ...headers }, ...(body === undefined ? {} : { body }) };
        const response = await fetch(`${url}${path}`, init);
        answer = { status: response.status, text: await response.text() };
      } catch (error) {
        throw new Failure(EXIT.failed, `${url} does not answer: ${why(error)}`, { unsure: !UNSENT.test(why(error)) });
      } finally {
        alarm.cancel();
      }
      if (answer.status >= 400 && answer.status !== 412) throw refusal(answer);
      return answer;
    },
  };
}

/** Nobody was there to hear it. */
const UNSENT = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|bad port/;

/** A problem+json in one line. */
function refusal(answer: Answer): Failure {
  const { status, text } = answer;
  try {
    const { code, title, detail, maybeAccepted } = JSON.parse(text) as Record<string, unknown>;
    const message = `${code ?? status}: ${String(detail ?? title).replaceAll('\n', '; ')}`;
    return new Failure(EXIT.failed, message, { answer, unsure: maybeAccepted === true });
  } catch {
    return new Failure(EXIT.failed, `answered ${status}, not as a replica of Locus does`, { answer, unsure: true });
  }
}
