/** Evidence that could not be committed yet: valid under any epoch, kept until it is seen committed, handed to whoever claims next. */
import type { Address } from '../message/address.ts';
import type { Evidence, Intent } from './ground.ts';

export type Kept = { readonly intent: Intent; readonly evidence: Evidence };

export class EvidenceKeeper {
  readonly #kept = new Map<Address, Kept>();
  #forward: (address: Address, kept: Kept) => Promise<boolean> = async () => false;

  /** How evidence of a location that is not ours reaches its owner; true: the owner has it. */
  forwardBy(forward: (address: Address, kept: Kept) => Promise<boolean>): void {
    this.#forward = forward;
  }
  keep(address: Address, intent: Intent, evidence: Evidence): void {
    this.#kept.set(address, { intent, evidence });
  }
  /** What is kept of exactly this intent. */
  of(address: Address, intent: Intent): Evidence | undefined {
    const kept = this.#kept.get(address);
    return kept?.intent.commandId === intent.commandId ? kept.evidence : undefined;
  }
  settled(address: Address, commandId: string): void {
    if (this.#kept.get(address)?.intent.commandId === commandId) this.#kept.delete(address);
  }
  get size(): number {
    return this.#kept.size;
  }
  /** Offers what is kept of locations that are not ours to their owners. */
  async handOver(ours: (address: Address) => boolean): Promise<void> {
    for (const [address, kept] of [...this.#kept]) {
      if (ours(address) || !(await this.#forward(address, kept))) continue;
      if (this.#kept.get(address) === kept) this.#kept.delete(address);
    }
  }
}
