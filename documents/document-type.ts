import type { z } from 'zod';

/** NIP-78 application data: the kind of every configuration document. */
export const DOCUMENT_KIND = 30078;

/** Where a type's state is read unless the configuration says otherwise: a table of the reference schema. */
interface DefaultSource {
  table: string;
}

/** A row of the state query, with column names as keys. */
export type StateRow = Record<string, unknown>;

/** A kind of configuration document that machines read. */
export interface DocumentType {
  /** First part of the d tag, such as `bitspire-fees`. */
  readonly type: string;
  readonly source: DefaultSource;
  /** What the machines require of the state. It only judges: what is published is the state as it was, unknown keys kept. */
  readonly schema: z.ZodType;
  /** Makes the state from the machine's rows (at least one). */
  readonly assemble: (rows: StateRow[]) => unknown;
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
