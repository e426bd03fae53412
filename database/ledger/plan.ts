import type { PageEntry } from '../../contract/activities';
import type { DocumentFailure, FailureType } from '../../contract/failures';
import type { Queryable, Writable } from '../connection';
import { freeText } from '../free-text';
import { COUNTS, countsOf, type CountsRow, FAILURE_COLUMNS } from './counts';
import { columnsOf, OPEN_RUN } from './documents';

/** What `loadMachines` writes for a document. */
export interface PlannedDocument {
  page: number;
  documentType: string;
  machineId: string;
  machineName: string;
  atmPubkey: string | null;
  /** `skipped`: there is nothing to publish. `failed`: its row cannot be published. Null: it is open. */
  outcome: 'skipped' | 'failed' | null;
  failureType: FailureType | null;
  failureMessage: string | null;
}

/**
 * Writes a part of the plan into `republish.pages` and `republish.documents`. A row that exists does not
 * change, so a retry writes nothing twice.
 */
export async function planDocuments(
  db: Writable,
  run: { runId: string; operatorPubkey: string },
  documents: readonly PlannedDocument[],
): Promise<void> {
  // A person typed the name of a machine, and LNbits on SQLite may have characters that Postgres refuses.
  const written = documents.map((document) => ({
    ...document,
    machineName: freeText(document.machineName),
    failureMessage: freeText(document.failureMessage),
  }));
  await db.query(
    `WITH ${OPEN_RUN},
       planned AS (
         SELECT * FROM run, unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                                   $9::text[], $10::text[])
                              AS planned (page, type, machine, name, atm, outcome, failure, message)),
       paged AS (
         INSERT INTO republish.pages (run_id, page, document_type)
         SELECT DISTINCT run_id, page, type FROM planned
         ON CONFLICT (run_id, page) DO NOTHING)
     INSERT INTO republish.documents
            (run_id, operator_pubkey, page, document_type, machine_id, machine_name, atm_pubkey, outcome,
             failure_type, failure_message, settled_at)
     SELECT run_id, $2, page, type, machine, name, atm, outcome, failure, message,
            CASE WHEN outcome IS NOT NULL THEN now() END
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

/** The counts of at most `pages` pages of a run, from `firstPage` on. */
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

/**
 * Failed documents of a run, or of `pages` pages from `firstPage` on, in the order of page and machine id.
 */
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
 * The state fingerprints of the newest seals at all addresses of these document types and machines.
 *
 * @returns by `<document type>:<machine key>`. Null: the seal is not signed. An address without a seal is
 *   absent
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
                      WHERE seal.operator_pubkey = $1 AND seal.document_type = asked_type.name
                        AND seal.atm_pubkey = asked_key.name AND seal.event_id IS NOT NULL
                      ORDER BY seal.created_at_s DESC, seal.event_id ASC LIMIT 1) AS newest`,
    [operatorPubkey, documentTypes, atmPubkeys],
  );
  return new Map(rows.map((row) => [row.address, row.fingerprint]));
}
