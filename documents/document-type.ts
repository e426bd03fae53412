import type { z } from 'zod';

/** NIP-78 application data: the kind of every configuration document. */
export const DOCUMENT_KIND = 30078;

/**
 * Where a type's rows come from: a table of the extension with a column `machine_id`, or SQL that gives `machine_id` beside
 * what the state is made of, for all machines. `{name}` in the SQL stands for a table of the extension. Must be good for
 * Postgres and SQLite.
 */
export type StateSource = { table: string } | { sql: string };

/** A row of the state query, with column names as keys and without `machine_id`. Numbers have the value of the database. */
export type StateRow = Record<string, unknown>;

/** A kind of configuration document that machines read. */
export interface DocumentType {
  /** First part of the d tag, such as `bitspire-fees`. */
  readonly type: string;
  /** Tags behind the d tag. Default: `[["p", <atm_pubkey>]]`. */
  readonly tags?: (atmPubkey: string) => string[][];
  readonly source: StateSource;
  /** What the machines require of the state. It only judges: what is published is the state as it was, unknown keys kept. */
  readonly schema: z.ZodType;
  /**
   * Makes the state from the machine's rows (at least one).
   *
   * @throws RepublishError for what no schema can say; any other error counts as StateInvalid, and its message is not shown
   */
  readonly assemble: (rows: StateRow[]) => unknown;
  /** Why a machine may have no rows, as it is shown: `skipped: <this>`. Default: `has no state`. */
  readonly withoutState?: string;
  /**
   * The document sets something that the machine counts itself, so a person has to know before it is signed, and `--force`
   * leaves it alone without `--reset-counts`. Given the rows, says what is set to what, in one sentence.
   */
  readonly resetsMachineState?: (rows: StateRow[]) => string;
}

/** Checks a definition where it is written, so that a bad type name fails at start and not in a relay. */
export function defineDocumentType(definition: DocumentType): DocumentType {
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(definition.type)) {
    throw new TypeError(`document type "${definition.type}" must be lower-case words joined by hyphens`);
  }
  return Object.freeze(definition);
}

/** The d tag (NIP-01) under which a machine finds its document. */
export function dTag(documentType: string, atmPubkey: string): string {
  return `${documentType}:${atmPubkey}`;
}

/** All tags of a document: `d`, by which its machine finds it, and what the type adds, `p` unless it says otherwise. */
export function tagsOf({ type, tags }: DocumentType, atmPubkey: string): string[][] {
  return [['d', dTag(type, atmPubkey)], ...(tags?.(atmPubkey) ?? [['p', atmPubkey]])];
}
