/** What a cash location is told, what it answers, and what it writes down. Money is integer minor units with a currency. */
import { z } from 'zod';
import { DENOMINATIONS_MAX, type Notes } from './cassettes.ts';

const currency = z.string().regex(/^[A-Z]{3}$/, 'must be three capital letters, as in ISO 4217');
const amount = z.int().positive();
const commandId = z.string().regex(/^[A-Za-z0-9._:-]{1,128}$/, 'must be 1 to 128 of [A-Za-z0-9._:-]');
const name = z.string().min(1).max(64);
const reason = z.string().max(200);
const notes = z.record(z.string().regex(/^[1-9]\d{0,15}$/), z.int());

/** Integers above 2^53 lose notes silently, so a sum may not reach them either. */
const cassettes = z
  .array(z.strictObject({ denomination: amount, count: z.int().nonnegative() }))
  .min(1)
  .max(DENOMINATIONS_MAX)
  .refine((all) => new Set(all.map((it) => it.denomination)).size === all.length, 'must name each denomination once')
  .refine(
    (all) => Number.isSafeInteger(all.reduce((sum, it) => sum + it.denomination * it.count, 0)),
    'must be worth at most 9007199254740991 together',
  );

export const LoadInput = z.strictObject({ currency, cassettes });
/** `cash`: all that is in the cassettes in that currency after it. */
export const LoadReply = z.strictObject({ cash: z.int() });
export const DispenseInput = z.strictObject({ amount, currency, account: name.optional(), card: name.optional() });
/** What was taken, which is less than asked for when `partial`. */
export const DispenseReply = z.strictObject({ amount: z.int(), notes, partial: z.boolean() });
/** `commandId`: the dispense that is taken back. */
export const ReverseInput = z.strictObject({ commandId, reason: reason.optional() });
/** `amount` is 0 while the original is open or has not arrived. */
export const ReverseReply = z.strictObject({ commandId, amount: z.int() });
/** As counted by hand; a denomination that is not named was not counted. */
export const CountInput = z.strictObject({ currency, cassettes });
/** Counted less booked, where they differ. */
export const CountReply = z.strictObject({ difference: notes });
export const OpenInput = z.strictObject({});
export const CloseInput = z.strictObject({ reason: reason.optional() });
export const Nothing = z.strictObject({});

/** An order to the device; its idempotency key is the commandId. */
export type DispenseOrder = { readonly currency: string; readonly notes: Notes };
/** What the device says it did: taken by the customer, retracted after they left them, rejected before they saw them. The rest stayed. */
export type DispenseResult = {
  readonly status: 'dispensed' | 'partial';
  readonly notes: Notes;
  readonly retracted?: Notes;
  readonly rejected?: Notes;
};

export type CashEvent =
  | { readonly type: 'Loaded'; readonly currency: string; readonly notes: Notes }
  | {
      readonly type: 'DispenseIntended';
      readonly commandId: string;
      readonly currency: string;
      readonly amount: number;
      readonly notes: Notes;
    }
  | {
      readonly type: 'Dispensed';
      readonly commandId: string;
      readonly currency: string;
      readonly amount: number;
      readonly notes: Notes;
      readonly partial: boolean;
      readonly retracted?: Notes;
      readonly rejected?: Notes;
    }
  | { readonly type: 'DispenseFailed'; readonly commandId: string; readonly code: string }
  | { readonly type: 'DispenseInDoubt'; readonly commandId: string }
  /** `commandId` is the original's; a currency stands there whenever the amount is not 0. */
  | { readonly type: 'Reversed'; readonly commandId: string; readonly currency?: string; readonly amount: number }
  | { readonly type: 'ReversalNoted'; readonly commandId: string }
  | { readonly type: 'Counted'; readonly currency: string; readonly notes: Notes; readonly difference: Notes }
  | { readonly type: 'Opened' }
  | { readonly type: 'Closed'; readonly reason?: string };

/** Kept under the original's commandId: a dispense that can be reversed, or a mark that it was, be it before it arrived. */
export type OriginalRecord = { readonly reversed: false; readonly currency: string; readonly amount: number } | { readonly reversed: true };
