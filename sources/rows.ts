import { remedyFor, RepublishError, traitsOf } from '../contract/failures';
import type { StateRows } from './source';

/** The most rows of one machine's state. A query without its condition would return the whole table. */
export const MAX_ROWS = 1_000;

/** A row as JSON text. Null: the rows of its machine together have too many bytes. */
export interface RowText {
  row: string | null;
}

/**
 * The rows of one machine, or StateTooLarge.
 *
 * @param rows at most MAX_ROWS + 1
 * @param maxBytes the limit of the state. Its rows may have four times as many
 */
export function rowsOrTooLarge(rows: readonly RowText[], maxBytes: number): StateRows {
  if (rows.length > MAX_ROWS)
    return new RepublishError('StateTooLarge', `the state has more than ${MAX_ROWS} rows`);
  const texts = rows.flatMap(({ row }) => row ?? []);
  if (texts.length === rows.length) return texts;
  return new RepublishError('StateTooLarge', `the rows of the state have more than ${maxBytes * 4} bytes`);
}

/**
 * Adds the name of the query to a failure, and changes its type: the ledger and the source use the same
 * database code, and `DatabaseUnavailable` would point to the ledger.
 */
export async function namedQuery<T>(query: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    if (!(thrown instanceof RepublishError)) throw thrown;
    const { ofLnbits: type } = traitsOf(thrown.type);
    throw type === undefined ? thrown : ofQuery(query, thrown, type);
  }
}

/** A failure with the name of its query. `cause` is the failure without the name. */
export function ofQuery(query: string, cause: RepublishError, type = cause.type): RepublishError {
  // The remedy of the catalogue belongs to the type. A remedy of this very failure fits the new type too.
  const remedy = cause.remedy === remedyFor(cause.type) ? undefined : cause.remedy;
  const { sqlState } = cause;
  return new RepublishError(type, `${query}: ${cause.message}`, { remedy, sqlState, cause });
}
