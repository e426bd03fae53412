import type { z } from 'zod';
import { RepublishError } from '../contract/failures';
import { didYouMean } from '../rules/suggest';

/** NIP-78 application data: the kind of every configuration document. */
export const DOCUMENT_KIND = 30078;

/**
 * Where the rows of a type come from: a table of the extension with a column `machine_id`, or SQL that
 * returns `machine_id` and the columns of the state, for all machines. `{name}` in the SQL stands for a table
 * of the extension. It must work in Postgres and SQLite. The order of the rows has no meaning, even with
 * ORDER BY: `assemble` sorts them.
 */
export type StateSource = { table: string } | { sql: string };

/**
 * A row of the state query, without `machine_id`; the keys are column names. Numbers have the value of the
 * database: a row with a number that JavaScript cannot carry exactly is refused before the type sees it.
 */
export type StateRow = Record<string, unknown>;

/** A kind of configuration document that machines read. */
export interface DocumentType {
  /** First part of the d tag, such as `bitspire-fees`. */
  readonly type: string;
  /**
   * Tags after the d tag. Default: `[["p", <atm_pubkey>]]`. A change of tags alone does not sign documents
   * again: `--force` does.
   */
  readonly tags?: (atmPubkey: string) => string[][];
  readonly source: StateSource;
  /**
   * What the machines require of the state. It only judges: the state is published as it is, with unknown
   * keys.
   */
  readonly schema: z.ZodType;
  /**
   * Makes the state, a plain JSON value, from the machine's rows (at least one). null: there is no state.
   * undefined is refused, because a forgotten `return` gives it. A row with the one column `state` is already
   * the document and is not passed to this function.
   *
   * The same rows must give the same state: it is made again before the seal and at the end of the run, and a
   * difference fails as StateChanged. Leave out values that change without an edit (times, counters).
   *
   * @throws RepublishError StateInvalid for rules that no schema can express. Its message goes into history,
   *   log and audit: name paths and rules, never values. A message that quotes the state is not shown. Any
   *   other error counts as StateInvalid, and its message is not shown
   */
  readonly assemble: (rows: StateRow[]) => unknown;
  /** Why a machine may have no rows, shown as `skipped: <text>`. Default: `has no state`. */
  readonly withoutState?: string;
  /**
   * For a document that sets values which the machine counts itself. A person must know before it is signed,
   * and `--force` does not sign it without `--reset-counts`. Returns what is set, for a person.
   */
  readonly resetsMachineState?: (rows: StateRow[]) => string | ResetWarning;
}

/** What a document sets that its machine counts itself. */
export interface ResetWarning {
  /** A sentence that is true for every machine. `plan` prints it once. */
  everyMachine: string;
  /** A sentence about the machine whose rows were given, such as when they were last edited. */
  thisMachine?: string;
}

/** Marks types that this or another copy of the package has made. */
const BRAND = Symbol.for('republish-operator-configs/document-type');

/** The `code` of the TypeError. Another copy of the package knows it by that. Its message quotes no value. */
export const DEFINITION_WRONG = 'DEFINITION_WRONG';

/**
 * Checks a definition, so that a wrong one fails at start and not on a relay.
 *
 * @throws TypeError with the member and what it must be
 */
export function defineDocumentType(definition: DocumentType): DocumentType {
  const problem = problemOf(definition);
  if (problem !== undefined) throw Object.assign(new TypeError(problem), { code: DEFINITION_WRONG });
  // A copy: the caller keeps its own object, which may be frozen.
  return Object.freeze(Object.defineProperty({ ...definition }, BRAND, { value: true }));
}

/** Whether defineDocumentType of this or another copy of the package made the value. */
export function isDocumentType(value: unknown): value is DocumentType {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, BRAND);
}

const MAX_TYPE_LENGTH = 64;
const MEMBERS: readonly string[] = [
  'type',
  'tags',
  'source',
  'schema',
  'assemble',
  'withoutState',
  'resetsMachineState',
] satisfies (keyof DocumentType)[];

function problemOf(definition: unknown): string | undefined {
  if (typeof definition !== 'object' || definition === null) return 'a document type must be an object';
  const given = definition as Record<keyof DocumentType, unknown>;
  const { type } = given;
  if (
    typeof type !== 'string' ||
    !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(type) ||
    type.length > MAX_TYPE_LENGTH ||
    type in {}
  ) {
    const shown = typeof type === 'string' ? `"${type.slice(0, 80)}"` : 'without a "type"';
    return (
      `document type ${shown} must be lower-case words joined by hyphens, at most ` +
      `${MAX_TYPE_LENGTH} characters, such as "bitspire-fees"`
    );
  }
  const wrong = (rule: string): string => `document type "${type}": ${rule}`;
  // A mistyped member would count as left out, and its check would be missing.
  const stranger = Object.keys(given).find((key) => !MEMBERS.includes(key));
  if (stranger !== undefined)
    return wrong(
      `"${stranger}" is not known${didYouMean(stranger, MEMBERS)}; known are ${MEMBERS.join(', ')}`,
    );
  if (!isSource(given.source)) {
    return wrong('"source" must be { table: "<name>" } or { sql: "SELECT machine_id, ... FROM {name}" }');
  }
  if (typeof (given.schema as { safeParse?: unknown } | undefined)?.safeParse !== 'function') {
    return wrong('"schema" must be a zod schema, such as z.looseObject({ ... })');
  }
  if (typeof given.assemble !== 'function')
    return wrong('"assemble" must be a function from rows to the state');
  for (const name of ['tags', 'resetsMachineState'] as const) {
    if (given[name] !== undefined && typeof given[name] !== 'function')
      return wrong(`"${name}" must be a function`);
  }
  if (given.withoutState !== undefined && !isText(given.withoutState)) {
    return wrong('"withoutState" must be text, such as "has not reported yet"');
  }
  return undefined;
}

function isSource(source: unknown): boolean {
  if (typeof source !== 'object' || source === null) return false;
  const { table, sql, ...others } = source as { table?: unknown; sql?: unknown };
  if (Object.keys(others).length > 0) return false;
  // The preset has the schema.
  return sql === undefined ? isText(table) && !table.includes('.') : table === undefined && isText(sql);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '';
}

/** The d tag (NIP-01) under which a machine finds its document. */
export function dTag(documentType: string, atmPubkey: string): string {
  return `${documentType}:${atmPubkey}`;
}

/** All tags of a document: `d`, by which its machine finds it, and the tags of the type (default: `p`). */
export function tagsOf({ type, tags }: DocumentType, atmPubkey: string): string[][] {
  const further = tags === undefined ? [['p', atmPubkey]] : furtherTags(type, tags, atmPubkey);
  return [['d', dTag(type, atmPubkey)], ...further];
}

/** @throws RepublishError StateInvalid: the signer gets only valid tags, and only one `d` */
function furtherTags(type: string, tags: NonNullable<DocumentType['tags']>, atmPubkey: string): string[][] {
  try {
    const given: unknown = tags(atmPubkey);
    // Copied inside the try: a getter may throw.
    if (Array.isArray(given) && given.every(isFurtherTag)) return given.map((tag) => [...tag]);
  } catch {
    throw new RepublishError('StateInvalid', `"tags" of the document type ${type} failed`);
  }
  throw new RepublishError(
    'StateInvalid',
    `"tags" of the document type ${type} must give lists of texts, none of them a second "d"`,
  );
}

function isFurtherTag(tag: unknown): tag is string[] {
  return (
    Array.isArray(tag) && tag.length > 0 && tag[0] !== 'd' && tag.every((part) => typeof part === 'string')
  );
}
