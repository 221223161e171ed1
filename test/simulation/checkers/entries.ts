/** What the store was told of each commandId, as one heard it: nothing here is ever forgotten. */
import type { Happening } from '../happening.ts';

export type Told = { readonly status: string; readonly hash: string; readonly text: string };

export class Entries {
  readonly #byAddress = new Map<string, Map<string, Told>>();

  /** Call it after a checker has judged the happening by what was known before. */
  hear(it: Happening): void {
    if (it.kind === 'committed') for (const entry of it.change.entries) this.#set(it.claim.address, entry.commandId, entry);
    if (it.kind === 'appended') this.#set(it.address, it.item.commandId, it.entry);
  }
  get(address: string, commandId: string): Told | undefined {
    return this.#byAddress.get(address)?.get(commandId);
  }
  *all(): Iterable<readonly [string, string, Told]> {
    for (const [address, ids] of this.#byAddress) for (const [id, entry] of ids) yield [address, id, entry];
  }

  #set(address: string, commandId: string, { status, hash, text }: Told): void {
    const ids = this.#byAddress.get(address) ?? new Map<string, Told>();
    this.#byAddress.set(address, ids.set(commandId, { status, hash, text }));
  }
}
