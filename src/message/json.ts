/** JSON from strangers: UTF-8, bounded in depth, without keys that reach into a prototype. */
import { isUtf8 } from 'node:buffer';
import { type Fault, fault } from '../errors.ts';

/** How deep an input may nest. */
export const DEPTH_MAX = 32;
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);

/** `root` names the value in faults of a part of it, `whole` what holds its bytes. */
export function parseJson(value: Uint8Array, root: string, depthMax: number, whole = 'value'): { readonly json: unknown } | Fault {
  if (!isUtf8(value)) return fault('JSON_INVALID', whole, text(value), 'must be UTF-8');
  let json: unknown;
  try {
    json = JSON.parse(text(value));
  } catch (error) {
    return fault('JSON_INVALID', whole, text(value), `must be JSON: ${(error as Error).message.slice(0, 120)}`);
  }
  return flaw(json, [root], depthMax, depthMax) ?? { json };
}

/** JSON.parse never recurses and makes `__proto__` an ordinary key, so that looking afterwards is safe; this stops at the depth it forbids. */
function flaw(value: unknown, path: string[], left: number, depthMax: number): Fault | undefined {
  if (typeof value !== 'object' || value === null) {
    if (typeof value !== 'number' || Number.isFinite(value)) return undefined;
    return fault('JSON_INVALID', path.join('.'), String(value), 'must be a number that a double can hold');
  }
  if (left === 0) return fault('JSON_TOO_DEEP', path[0] ?? '', path.slice(1).join('.'), `must be nested at most ${depthMax} deep`);
  for (const key of Object.keys(value)) {
    path.push(key);
    if (FORBIDDEN.has(key)) return fault('KEY_FORBIDDEN', path.join('.'), key, 'must not be named __proto__, constructor or prototype');
    const found = flaw((value as Readonly<Record<string, unknown>>)[key], path, left - 1, depthMax);
    if (found) return found;
    path.pop();
  }
  return undefined;
}

/** `,"name":value` as JSON.stringify has it inside an object behind another member: nothing for what JSON does not know. */
export function member(name: string, value: unknown): string {
  const json = JSON.stringify(value) as string | undefined;
  return json === undefined ? '' : `,"${name}":${json}`;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
