import type { LedgerView, PageCounts, PageEntry } from '../../contract/activities';
import type { Queryable, Writable } from '../connection';
import { addCounts, COUNTS, countsOf, type CountsRow } from './counts';
import { NO_TROUBLE, OPEN_RUN } from './documents';
import { failuresOf } from './plan';

const MAX_FAILURES = 50;

/** A run in the ledger: pages with open documents, counts by document type, and at most 50 failures. */
export async function ledgerView(db: Queryable, runId: string): Promise<LedgerView> {
  const rows = await db.query<CountsRow & { page: number; documentType: string }>(
    `SELECT page, document_type AS "documentType", ${COUNTS} FROM republish.documents WHERE run_id = $1
      GROUP BY page, document_type ORDER BY page`,
    [runId],
  );
  const pages: PageEntry[] = [];
  const counts: Record<string, PageCounts> = {};
  for (const row of rows) {
    const ofPage = countsOf(row);
    if (row.open > 0) pages.push([row.page, ofPage]);
    addCounts((counts[row.documentType] ??= {}), ofPage);
  }
  return { pages, counts, failures: await failuresOf(db, runId, { limit: MAX_FAILURES }) };
}

/** Clears the trouble of open documents after a pause: no page could try them meanwhile. */
export async function clearTrouble(db: Writable, runId: string): Promise<void> {
  await db.query(
    `WITH ${OPEN_RUN}
     UPDATE republish.documents AS document SET ${NO_TROUBLE}
       FROM run WHERE document.run_id = run.run_id AND outcome IS NULL AND trouble_since IS NOT NULL`,
    [runId],
  );
}
