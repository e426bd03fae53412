import type { PageEntry } from '../../contract/activities';
import type { DocumentFailure, FailureType } from '../../contract/failures';
import type { Queryable, Writable } from '../connection';
import { freeText } from '../free-text';
import { COUNTS, countsOf, type CountsRow, FAILURE_COLUMNS } from './counts';
import { columnsOf, OPEN_RUN } from './documents';

export interface PlannedDocument {
  page: number;
  documentType: string;
  machineId: string;
  machineName: string;
  atmPubkey: string | null;
  /** Set for documents that need no publishing (skipped) or cannot have it (failed). */
  outcome: 'skipped' | 'failed' | null;
  failureType: FailureType | null;
  failureMessage: string | null;
}

/** Writes a part of the plan, with its pages. What is there already stays: the plan of a run is made once. */
export async function planDocuments(
  db: Writable,
  run: { runId: string; operatorPubkey: string },
  documents: readonly PlannedDocument[],
): Promise<void> {
  // Names are whatever somebody has typed, and SQLite keeps what Postgres does not.
  const written = documents.map((document) => ({
    ...document,
    machineName: freeText(document.machineName),
    failureMessage: freeText(document.failureMessage),
  }));
  await db.query(
    `WITH ${OPEN_RUN},
       planned AS (
         SELECT * FROM run, unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
                                AS planned (page, type, machine, name, atm, outcome, failure, message)),
       paged AS (
         INSERT INTO republish.pages (run_id, page, document_type) SELECT DISTINCT run_id, page, type FROM planned
         ON CONFLICT (run_id, page) DO NOTHING)
     INSERT INTO republish.documents (run_id, operator_pubkey, page, document_type, machine_id, machine_name, atm_pubkey,
                                      outcome, failure_type, failure_message, settled_at)
     SELECT run_id, $2, page, type, machine, name, atm, outcome, failure, message, CASE WHEN outcome IS NOT NULL THEN now() END
       FROM planned
     ON CONFLICT (run_id, document_type, machine_id) DO NOTHING`,
    [
      run.runId,
      run.operatorPubkey,
      ...columnsOf(written, 'page', 'documentType', 'machineId', 'machineName', 'atmPubkey'),
      ...columnsOf(written, 'outcome', 'failureType', 'failureMessage'),
    ],
  );
}

/** All pages from the first of them on, `pages` at the most, as they stand. */
export async function pagesFrom(
  db: Queryable,
  runId: string,
  firstPage: number,
  pages: number,
): Promise<PageEntry[]> {
  const rows = await db.query<CountsRow & { page: number }>(
    `SELECT page, ${COUNTS} FROM republish.documents WHERE run_id = $1 AND page >= $2 AND page < $3
      GROUP BY page ORDER BY page`,
    [runId, firstPage, firstPage + pages],
  );
  return rows.map((row) => [row.page, countsOf(row)]);
}

/** Failed documents of a run or of some of its pages, in order. */
export function failuresOf(
  db: Queryable,
  runId: string,
  { firstPage = 0, pages, limit }: { firstPage?: number; pages?: number | undefined; limit: number },
): Promise<DocumentFailure[]> {
  return db.query<DocumentFailure>(
    `SELECT ${FAILURE_COLUMNS} FROM republish.documents
      WHERE run_id = $1 AND page >= $2 AND ($3::int IS NULL OR page < $3) AND outcome = 'failed'
      ORDER BY page, machine_id COLLATE "C" LIMIT $4`,
    [runId, firstPage, pages === undefined ? null : firstPage + pages, limit],
  );
}

/**
 * What the newest seals of many addresses fingerprint, by `<type>:<atm pubkey>`; null where the seal is not
 * signed.
 */
export async function newestFingerprints(
  db: Queryable,
  operatorPubkey: string,
  documentTypes: readonly string[],
  atmPubkeys: readonly string[],
): Promise<Map<string, string | null>> {
  const rows = await db.query<{ address: string; fingerprint: string | null }>(
    `SELECT asked_type.name || ':' || asked_key.name AS address, newest.fingerprint
       FROM unnest($2::text[]) AS asked_type (name), unnest($3::text[]) AS asked_key (name),
            LATERAL (SELECT CASE WHEN signature IS NOT NULL THEN state_fingerprint END AS fingerprint
                       FROM republish.documents AS seal
                      WHERE seal.operator_pubkey = $1 AND seal.document_type = asked_type.name AND seal.atm_pubkey = asked_key.name
                        AND seal.event_id IS NOT NULL
                      ORDER BY seal.created_at_s DESC, seal.event_id ASC LIMIT 1) AS newest`,
    [operatorPubkey, documentTypes, atmPubkeys],
  );
  return new Map(rows.map((row) => [row.address, row.fingerprint]));
}
