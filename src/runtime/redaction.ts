/** Keeps account and card numbers out of every log line, whatever object or sentence they came in. */

const SECRET_KEYS = new Set(['account', 'card', 'authorization', 'password', 'token']);
/** `"account":"…"` in JSON text and `input.account is "…"` in a sentence; the value may have been cut short. */
const NAMED = /((?:account|card)\\?"?\s*(?::|\bis\b)\s*)(?:\\?"[^"]*(?:"|$)|[^\s,}"]+)/gi;
/** 13 to 19 digits, as card numbers have (ISO/IEC 7812), perhaps in groups. */
const DIGITS = /\b\d(?:[ -]?\d){12,18}\b/g;
/** Names of things: they may hold many digits and are what one looks for. */
const NAMES = new Set(['address', 'commandId', 'replica', 'topic', 'traceId']);
const DEPTH_MAX = 8;
const HIDDEN = '[redacted]';

/** The same fields with what must not be seen replaced. */
export function redacted(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return mask(fields, 0) as Record<string, unknown>;
}

function mask(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return maskText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) return HIDDEN;
  if (value instanceof Error) return maskError(value, depth);
  if (Array.isArray(value)) return value.map((item) => mask(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, maskField(key, item, depth)]));
}

function maskField(key: string, value: unknown, depth: number): unknown {
  if (SECRET_KEYS.has(key)) return HIDDEN;
  return NAMES.has(key) && typeof value === 'string' ? value : mask(value, depth + 1);
}

function maskError(error: Error, depth: number): unknown {
  const { name, message, stack, cause } = error;
  const code = (error as { code?: unknown }).code;
  return {
    type: name,
    message: maskText(message),
    ...(code === undefined ? {} : { code }),
    ...(stack === undefined ? {} : { stack: maskText(stack) }),
    ...(cause === undefined ? {} : { cause: mask(cause, depth + 1) }),
  };
}

export const maskText = (text: string): string =>
  text
    .replace(NAMED, `$1"${HIDDEN}"`)
    .replace(DIGITS, (digits) => (isCardNumber(digits) ? `${'*'.repeat(digits.length - 4)}${digits.slice(-4)}` : digits));

/** The check digit of ISO/IEC 7812-1 (Luhn). */
function isCardNumber(text: string): boolean {
  const digits = text.replace(/\D/g, '');
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
