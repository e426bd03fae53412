import { storable } from '../contract/free-text';

/*
 * Free text (reasons, names, messages) as Postgres takes it, whatever it says: a row that a run must leave
 * cannot fail for a character. That its database takes every character is looked at before anything is
 * written there (server.ts).
 */

export function freeText(text: string): string;
export function freeText(text: string | null | undefined): string | null;
export function freeText(text: string | null | undefined): string | null {
  return text == null ? null : storable(text);
}

/** JSON with every text in it as it can be stored. */
export function freeJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? storable(part) : part));
}
