import { types } from 'node:util';
import { RepublishError } from '../contract/failures';
import { MAX_DEPTH } from './exact-json';
import { pathText } from './path';

/**
 * The JSON text of an assembled state. JSON.stringify alone turns NaN into null and a Date into text, and
 * leaves functions out. Every value that it would change is refused by path. Members that are undefined are
 * left out.
 *
 * @param maxBytes ends the walk through a value that is far too large or refers to itself
 * @throws RepublishError StateInvalid, StateTooLarge
 */
export function plainText(value: unknown, maxBytes: number): string {
  requirePlain(value, maxBytes);
  return JSON.stringify(value);
}

function requirePlain(root: unknown, maxBytes: number): void {
  let values = 0;
  const around = new Set<unknown>();
  const walk = (value: unknown, path: readonly PropertyKey[]): void => {
    values += 1;
    // Each value takes at least one byte of JSON.
    if (values > maxBytes) {
      throw new RepublishError('StateTooLarge', `the state has more than ${maxBytes} values`);
    }
    const problem = problemOf(value);
    if (problem !== undefined) throw new RepublishError('StateInvalid', `${pathText(path)}: ${problem}`);
    if (typeof value !== 'object' || value === null) return;
    if (path.length > MAX_DEPTH) {
      throw new RepublishError('StateInvalid', `${pathText(path)}: is nested more than ${MAX_DEPTH} deep`);
    }
    if (around.has(value)) throw new RepublishError('StateInvalid', `${pathText(path)}: contains itself`);
    around.add(value);
    if (Array.isArray(value)) {
      for (let index = 0; index < value.length; index += 1) walk(value[index], [...path, index]);
    } else
      for (const [key, inner] of Object.entries(value)) if (inner !== undefined) walk(inner, [...path, key]);
    around.delete(value);
  };
  walk(root, ['state']);
}

function problemOf(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : 'is not a finite number';
    case 'object':
      if (value === null) return undefined;
      // Checked first: reading a computed member would run foreign code.
      if (isComputed(value)) return 'has a member that is computed when it is read';
      return isPlain(value) ? undefined : 'is neither a plain object nor an array';
    default:
      return `JSON has nothing for ${typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`}`;
  }
}

/** Checks the prototype's prototype, so that objects of another realm count, too. */
function isPlain(value: object): boolean {
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A computed member may return another value each time, or throw an error that quotes the state. */
function isComputed(value: object): boolean {
  if (types.isProxy(value)) return true;
  return Object.values(Object.getOwnPropertyDescriptors(value)).some(({ get }) => get !== undefined);
}
