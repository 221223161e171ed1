/** redlock 5.0.0-beta.2 with the types of what is used here: it ships some, but its exports map hides them. */
// @ts-expect-error see above: once this line is an error, the library has learned it
import * as library from 'redlock';

/** What redlock asks of a client. */
export type Client = {
  evalsha(sha: string, keys: number, args: readonly (string | number)[]): Promise<unknown>;
  eval(text: string, keys: number, args: readonly (string | number)[]): Promise<unknown>;
};
export type Lock = { readonly value: string };
type Votes = { readonly votesFor: ReadonlySet<Client>; readonly votesAgainst: ReadonlyMap<Client, Error> };
type RedlockInstance = {
  /** The value of the next lock, asked for before `acquire` waits for anything. */
  _random(): string;
  acquire(keys: string[], durationMs: number): Promise<Lock>;
  release(lock: Lock): Promise<unknown>;
};
type Library = {
  readonly default: new (
    clients: Iterable<Client>,
    settings: { readonly retryCount: number },
    scripts: { readonly acquireScript: () => string },
  ) => RedlockInstance;
  readonly Lock: new (redlock: RedlockInstance, keys: string[], value: string, attempts: readonly unknown[], expiration: number) => Lock;
  /** Not enough nodes voted for it; an attempt settles once all votes are in. */
  readonly ExecutionError: new () => Error & { readonly attempts: readonly Promise<Votes>[] };
  /** One node's vote against: another holds it there. */
  readonly ResourceLockedError: new () => Error;
};
const typed = library as Library;
export const Redlock = typed.default;
export const { Lock, ExecutionError, ResourceLockedError } = typed;
