import { type FailureType, remedyFor, RepublishError } from '../contract/failures';
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
    const type = OF_THE_SOURCE[thrown.type];
    if (type === undefined) throw thrown;
    // The catalogue's is for the ledger; one of its own fits both.
    const own = thrown.remedy === remedyFor(thrown.type) ? undefined : thrown.remedy;
    throw new RepublishError(type, `${query}: ${thrown.message}`, undefined, own);
  }
}

const OF_THE_SOURCE: Partial<Record<FailureType, FailureType>> = {
  DatabaseUnavailable: 'SourceUnavailable',
  DatabaseMisconfigured: 'SourceMisconfigured',
};
