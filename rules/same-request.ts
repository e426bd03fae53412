import type { FleetInput } from '../contract/fleet';
import type { RepublishInput } from '../contract/input';

type Key = keyof RepublishInput | keyof FleetInput;

/** Entries of a list that are named. */
const MAX_NAMED = 5;
/** Of a key or of a value that came from anywhere. */
const MAX_SHOWN = 40;

/** The words for each key of a request; value `undefined`: the key is left out. */
const WORDS: Partial<Record<Key, (value: unknown) => string>> = {
  operatorUserId: (value) => `operator ${text(value)}`,
  operators: (value) => (value === undefined ? 'no operators by name' : `operators ${names(value)}`),
  all: (value) => (value === undefined ? 'not all operators' : 'all operators'),
  operatorsAtOnce: (value) =>
    value === undefined ? 'the default number at a time' : `${text(value)} at a time`,
  documentTypes: (value) => (value === undefined ? 'all document types' : `document types ${names(value)}`),
  machineIds: (value) => (value === undefined ? 'all machines' : `machines ${names(value)}`),
  expectedPubkey: (value) => (value === undefined ? 'no expected key' : `expected key ${text(value)}`),
  force: (value) => (value === undefined ? 'no force' : 'force'),
  resetCounts: (value) => (value === undefined ? 'counts are not reset' : 'counts are reset'),
  onFailure: (value) =>
    value === undefined ? 'failed documents are reported' : 'failed documents hold the run',
};

/** What a key means that is left out. */
const DEFAULTS: Partial<Record<Key, unknown>> = {
  all: false,
  force: false,
  resetCounts: false,
  onFailure: 'report',
};

/**
 * How the request of a run differs from ours, in its words, such as `machines m1` or `no expected key`.
 * Empty: it is the same request, so its result is as good as ours. The reason, the order of lists and written
 * defaults do not matter.
 *
 * This rule decides whether a running run is ours or another one. `examples/python` has it too, and both are
 * tested with `test/vectors/same-request.json`.
 *
 * @param theirs as it was read of a history: anything, from any client
 */
export function differencesOf(theirs: unknown, ours: object): string[] {
  if (typeof theirs !== 'object' || theirs === null || Array.isArray(theirs))
    return ['a request that cannot be read'];
  const [one, other] = [essenceOf(theirs), essenceOf(ours)];
  const keys = [...new Set([...one.keys(), ...other.keys()])].sort();
  return keys
    .filter((key) => isDifferent(one.get(key), other.get(key)))
    .map((key) => inWords(key, one.get(key)));
}

/** A request as a text, without its reason: equal texts are the same request. */
export function requestText(request: object): string {
  return JSON.stringify([...essenceOf(request)].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function essenceOf(request: object): Map<string, unknown> {
  const keys = Object.entries(request).filter(
    ([key, value]) => key !== 'reason' && value != null && value !== DEFAULTS[key as Key],
  );
  return new Map(
    keys.map(([key, value]) => [key, Array.isArray(value) ? [...new Set(value)].sort() : value]),
  );
}

function isDifferent(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) !== JSON.stringify(other);
}

function inWords(key: string, value: unknown): string {
  if (Object.hasOwn(WORDS, key)) return WORDS[key as Key]?.(value) ?? key;
  const name = text(key);
  return value === undefined ? `no ${name}` : `${name} ${text(value)}`;
}

function names(value: unknown): string {
  if (!Array.isArray(value)) return text(value);
  const named = value.slice(0, MAX_NAMED).map(text).join(', ');
  return value.length > MAX_NAMED ? `${named} and ${value.length - MAX_NAMED} more` : named;
}

function text(value: unknown): string {
  const written = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  const characters = [...written];
  return characters.length > MAX_SHOWN ? `${characters.slice(0, MAX_SHOWN).join('')}…` : written;
}
