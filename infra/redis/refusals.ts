/** Tells what stands between this program and a Redis: who refuses whom, over what, and what to change. Never holds a password. */
import { ReplyError } from 'ioredis';
import { type Fault, LocusError, linkRefused, tlsFault, why } from '../../src/errors.ts';

/** One Redis as the configuration names it. */
export type Link = {
  /** `redis://[user:password@]host:port[/db]`, `rediss://` for TLS. */
  readonly url: string;
  /** The only CAs that are trusted over TLS, in PEM; without it those that Node trusts. */
  readonly ca?: string | undefined;
  /** The variable that holds the URL; REDIS_URL unless told. */
  readonly variable?: string;
  /** What to call a variable whose value came from elsewhere, such as a file. */
  readonly named?: (variable: string) => string;
};

/** Where, without the password. */
export function place(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}
export const databaseOf = (url: string): string => new URL(url).pathname.slice(1) || '0';
export const userOf = (url: string): string => decodeURIComponent(new URL(url).username) || 'default';
const nameOf = ({ variable = 'REDIS_URL', named = (it) => it }: Link): string => named(variable);

/** The server answered, and the answer was no: nothing was done. Any other rejection may have happened. */
export const answered = (error: unknown): error is Error => error instanceof ReplyError;
/** Redis says it in two ways: of a command, and of what a script does for this user. */
export const forbidden = (error: unknown): error is Error => answered(error) && /^NOPERM|The user executing the script/.test(error.message);

/** The rights that this user lacks there, such as `+hset` or `~l:*`, as one fault with the line that grants them. */
export function rightsFault(link: Link, lacking: readonly string[]): Fault {
  const user = userOf(link.url);
  const rights = lacking.join(' ');
  const field = `${nameOf(link)} (user ${user} at ${place(link.url)})`;
  return { code: 'LINK_REFUSED', field, value: `not allowed ${rights}`, rule: `grant it there: ACL SETUSER ${user} ${rights}` };
}

/** Why the link was refused, if it was; undefined: anything that may pass by itself. */
export function refusal(error: unknown, link: Link): Fault | undefined {
  if (!(error instanceof Error) || error instanceof LocusError) return undefined;
  const name = nameOf(link);
  const at = place(link.url);
  const end = { server: `Redis at ${at}`, address: name, ca: (link.named ?? ((it) => it))('REDIS_SSL_CA'), hasCa: link.ca !== undefined };
  if (!answered(error)) return tlsFault(error, end);
  const said = (value: string, rule: string): Fault => ({ code: 'LINK_REFUSED', field: name, value, rule });
  if (/^WRONGPASS|^ERR invalid password/.test(error.message))
    return said(
      `refused by Redis at ${at} for user ${userOf(link.url)} (WRONGPASS)`,
      'write the password that this user has there, and see that the user is on',
    );
  if (error.message.startsWith('NOAUTH'))
    return said(`without a password, which Redis at ${at} asks for`, 'write it as redis://user:password@host:port');
  if (forbidden(error)) return rightsFault(link, [lackingIn(error.message)]);
  return undefined;
}

/** The right that a single refusal names. */
function lackingIn(message: string): string {
  const command = /run the '([^']+)' command/.exec(message)?.[1];
  if (command !== undefined) return `+${command}`;
  return message.includes('channel') ? '&locus:notice:*' : '~*';
}

/** What a first attempt met, as what to stop for or as what may pass. */
export function failure(error: unknown, link: Link): LocusError {
  if (error instanceof LocusError) return error;
  const fault = refusal(error, link);
  if (fault !== undefined) return linkRefused([fault]);
  return new LocusError('STORE_DOWN', `Redis at ${place(link.url)} cannot be reached`, { cause: new Error(told(error, link)) });
}

/** The reason in words; a server that knows no AUTH repeats what it was sent. */
export function told(error: unknown, link: Link): string {
  const fault = refusal(error, link);
  if (fault !== undefined) return linkRefused([fault]).message;
  const { protocol, password } = new URL(link.url);
  const text = password === '' ? why(error) : why(error).replaceAll(decodeURIComponent(password), '(hidden)');
  const code = (error as { code?: unknown } | undefined)?.code;
  const other = protocol === 'rediss:' ? 'redis://, if it does not speak TLS' : 'rediss://, if it speaks TLS';
  return code === 'ECONNRESET' || code === 'ETIMEDOUT' ? `${text} (or ${nameOf(link)} should begin with ${other})` : text;
}
