import { remedyFor, RepublishError, traitsOf } from '../contract/failures';
import type { StateRows } from './source';

/** Rows of one machine's state; a query that forgot its condition would give the whole table. */
export const MAX_ROWS = 1_000;

/** A row as JSON text; null: the rows of its machine are too many bytes. */
export interface RowText {
  row: string | null;
}

/** @param rows at most MAX_ROWS + 1 of one machine */
export function rowsOrTooLarge(rows: readonly RowText[], maxBytes: number): StateRows {
  if (rows.length > MAX_ROWS)
    return new RepublishError('StateTooLarge', `the state has more than ${MAX_ROWS} rows`);
  const texts = rows.flatMap(({ row }) => row ?? []);
  if (texts.length === rows.length) return texts;
  return new RepublishError('StateTooLarge', `the rows of the state have more than ${maxBytes * 4} bytes`);
}

/** Says which query failed, and that it is LNbits' database that did not answer, not the ledger's. */
export async function namedQuery<T>(query: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    if (!(thrown instanceof RepublishError)) throw thrown;
    const { ofLnbits: type } = traitsOf(thrown.type);
    throw type === undefined ? thrown : ofQuery(query, thrown, type);
  }
}

/** The failure of a query of LNbits' database; the failure without the query's name is its `cause`. */
export function ofQuery(query: string, cause: RepublishError, type = cause.type): RepublishError {
  // The remedy of the catalogue is for the type; one of its own fits both types.
  const remedy = cause.remedy === remedyFor(cause.type) ? undefined : cause.remedy;
  const { sqlState } = cause;
  return new RepublishError(type, `${query}: ${cause.message}`, { remedy, sqlState, cause });
}
