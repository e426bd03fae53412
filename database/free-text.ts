import { storable } from '../contract/free-text';

/*
 * Free text (reasons, names, messages) in a form that Postgres can store. A row that a run must write cannot
 * fail because of one character in it. The encoding of the database is checked before the first row
 * (server.ts).
 */

export function freeText(text: string): string;
export function freeText(text: string | null | undefined): string | null;
export function freeText(text: string | null | undefined): string | null {
  return text == null ? null : storable(text);
}

/** A value as JSON in which Postgres can store every text. */
export function freeJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? storable(part) : part));
}
