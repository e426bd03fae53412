import { type FailureType, remedyFor, RepublishError } from '../contract/failures';
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
    const type = OF_THE_SOURCE[thrown.type];
    if (type === undefined) throw thrown;
    // The remedy of the catalogue is about the ledger. A remedy of this very failure fits the source too.
    const own = thrown.remedy === remedyFor(thrown.type) ? undefined : thrown.remedy;
    throw new RepublishError(type, `${query}: ${thrown.message}`, undefined, own);
  }
}

const OF_THE_SOURCE: Partial<Record<FailureType, FailureType>> = {
  DatabaseUnavailable: 'SourceUnavailable',
  DatabaseMisconfigured: 'SourceMisconfigured',
};
