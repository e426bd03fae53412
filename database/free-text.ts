import { inAscii, storable } from '../contract/free-text';
import type { Queryable } from './connection';

/** These take every character: UTF8, and SQL_ASCII, which does not look. */
const TAKES_ALL = ['UTF8', 'SQL_ASCII'];

/** How free text (reasons, names, messages) is written so that this database takes it, whatever it says. */
export interface TextWriter {
  text(text: string | null | undefined): string | null;
  json(value: unknown): string;
}

/**
 * A row that a run must leave cannot fail for a character: one that a database of another encoding may not have (LATIN1 refuses an
 * emoji: 22P05) is written as `\u{1f600}`.
 */
export async function textWriterOf(db: Queryable): Promise<TextWriter> {
  const [row] = await db.query<{ encoding: string }>("SELECT current_setting('server_encoding') AS encoding");
  const write = TAKES_ALL.includes(row?.encoding ?? '')
    ? storable
    : (text: string): string => inAscii(storable(text));
  return {
    text: (text) => (text == null ? null : write(text)),
    json: (value) =>
      JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? write(part) : part)),
  };
}
