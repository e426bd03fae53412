import type { DocumentSelection } from '../../contract/control';
import { RepublishError } from '../../contract/failures';
import { meantMachine, type NamedMachine } from '../../rules/machine-name';
import type { Queryable, Writable } from '../connection';
import { MACHINE_NAME } from './counts';
import { columnsOf, type DocumentRow, NO_TROUBLE, OPEN_RUN } from './documents';
import type { PlannedDocument } from './plan';

type Selection = Pick<DocumentSelection, 'documentType' | 'machineId'>;

/** The columns that the plan writes. */
export type PlanRow = Pick<
  DocumentRow,
  'page' | 'documentType' | 'machineId' | 'machineName' | 'outcome' | 'failureType' | 'failureMessage'
>;

/** The open and failed documents of the document type $2 and the machine $3. Null selects all of them. */
const SELECTED = `($2::text IS NULL OR document.document_type = $2)
  AND ($3::text IS NULL OR document.machine_id = $3)
  AND (document.outcome IS NULL OR document.outcome = 'failed')`;

function parameters(runId: string, { documentType, machineId }: Selection): (string | null)[] {
  return [runId, documentType ?? null, machineId ?? null];
}

/** How many machines of a run are compared with a mistyped machine id. */
const MAX_CANDIDATES = 1_000;

/**
 * Refuses a selection of a machine that the run does not have. Without this a control with a mistyped id
 * would change nothing and report success.
 *
 * @throws RepublishError MachineNotFound
 */
export async function requireMachineOfRun(
  db: Queryable,
  runId: string,
  { machineId }: Selection,
): Promise<void> {
  if (machineId === undefined) return;
  const found = await db.query(
    'SELECT 1 FROM republish.documents WHERE run_id = $1 AND machine_id = $2 LIMIT 1',
    [runId, machineId],
  );
  if (found.length > 0) return;
  const known = await db.query<NamedMachine>(
    `SELECT DISTINCT machine_id AS "machineId", ${MACHINE_NAME}
       FROM republish.documents WHERE run_id = $1 ORDER BY 1 LIMIT ${MAX_CANDIDATES}`,
    [runId],
  );
  throw new RepublishError(
    'MachineNotFound',
    `the run has no machine ${machineId}${meantMachine(machineId, known)}`,
  );
}

/**
 * Raises the holder of each page with a selected document. After that no attempt that is still running can
 * fail one of its documents. It is a transaction of its own, committed before the documents change: an
 * attempt could otherwise fail a document that a person has just opened again.
 */
async function raiseHolders(db: Writable, runId: string, selection: Selection): Promise<void> {
  await db.query(
    `WITH ${OPEN_RUN}
     UPDATE republish.pages AS page SET holder = holder + 1
       FROM run WHERE page.run_id = run.run_id
        AND page.page IN (SELECT page FROM republish.documents AS document
                           WHERE run_id = $1 AND ${SELECTED})`,
    parameters(runId, selection),
  );
}

/**
 * Opens sealed documents that failed, and clears the trouble of open documents. The signer then gets a new
 * question about each. Two groups stay failed:
 * - documents without a seal: their row in LNbits may be wrong (see `planBadRowsAgain`);
 * - documents whose signer signed another event than it was given, because it may also have encrypted with
 *   the wrong key. They need a new run.
 *
 * @returns how many documents changed
 */
export async function retryDocuments(db: Writable, runId: string, selection: Selection): Promise<number> {
  await raiseHolders(db, runId, selection);
  const rows = await db.query(
    `WITH ${OPEN_RUN}
     UPDATE republish.documents AS document
        SET outcome = NULL, settled_at = NULL, question = question + 1, ${NO_TROUBLE}
       FROM run WHERE document.run_id = run.run_id AND ${SELECTED}
        AND CASE WHEN document.outcome = 'failed' THEN event_id IS NOT NULL ELSE tries > 0 END
        AND NOT (coalesce(failure_type, '') = 'SignerReturnedWrongEvent' AND signature IS NULL)
     RETURNING 1`,
    parameters(runId, selection),
  );
  return rows.length;
}

/**
 * Settles open and failed documents as `skipped`. An attempt that is still running cannot seal or sign them
 * any more.
 *
 * @param message who skipped them and why
 * @returns how many documents changed
 */
export async function skipDocuments(
  db: Writable,
  runId: string,
  selection: Selection,
  message: string,
): Promise<number> {
  await raiseHolders(db, runId, selection);
  const rows = await db.query(
    `WITH ${OPEN_RUN}
     UPDATE republish.documents AS document
        SET outcome = 'skipped', settled_at = now(), failure_type = 'GivenUp',
            failure_message = $4 || CASE WHEN failure_message IS NULL THEN ''
                                         ELSE '; it had failed: ' || failure_message END
       FROM run WHERE document.run_id = run.run_id AND ${SELECTED}
     RETURNING 1`,
    [...parameters(runId, selection), message],
  );
  return rows.length;
}

/**
 * Documents that failed without a seal, in the order of machine id and document type. Their rows in LNbits
 * may have been corrected since.
 */
export function badRows(
  db: Queryable,
  runId: string,
  selection: Selection,
  { limit, after }: { limit: number; after?: Pick<PlanRow, 'documentType' | 'machineId'> | undefined },
): Promise<PlanRow[]> {
  return db.query<PlanRow>(
    `SELECT page, document_type AS "documentType", machine_id AS "machineId", machine_name AS "machineName",
            outcome, failure_type AS "failureType", failure_message AS "failureMessage"
       FROM republish.documents AS document
      WHERE run_id = $1 AND ${SELECTED} AND outcome = 'failed' AND event_id IS NULL
        AND ($5::text IS NULL
             OR (machine_id COLLATE "C", document_type COLLATE "C") > ($5::text, $6::text))
      ORDER BY machine_id COLLATE "C", document_type COLLATE "C" LIMIT $4`,
    [...parameters(runId, selection), limit, after?.machineId ?? null, after?.documentType ?? null],
  );
}

/**
 * Writes a new plan for documents that failed without a seal. `written_by` is the holder of their page,
 * because the trigger `keep_rules` accepts a failure from nobody else. Any other document does not change.
 */
export async function planBadRowsAgain(
  db: Writable,
  runId: string,
  documents: readonly Omit<PlannedDocument, 'page'>[],
): Promise<void> {
  await db.query(
    `WITH ${OPEN_RUN},
       held AS (SELECT page.run_id, page.page, holder FROM republish.pages AS page JOIN run USING (run_id)
                 WHERE page.page IN (SELECT page FROM republish.documents
                                      WHERE run_id = $1
                                        AND document_type = ANY ($2) AND machine_id = ANY ($3))
                   FOR SHARE OF page)
     UPDATE republish.documents AS document
        SET machine_name = planned.name, atm_pubkey = planned.atm, outcome = planned.outcome,
            failure_type = planned.failure, failure_message = planned.message, written_by = held.holder,
            tries = 0, trouble_since = NULL, question = question + 1,
            settled_at = CASE WHEN planned.outcome IS NOT NULL THEN now() END
       FROM held, unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
                    AS planned (type, machine, name, atm, outcome, failure, message)
      WHERE document.run_id = held.run_id AND document.page = held.page
        AND document.document_type = planned.type AND document.machine_id = planned.machine
        AND document.outcome = 'failed' AND document.event_id IS NULL`,
    [
      runId,
      ...columnsOf(documents, 'documentType', 'machineId', 'machineName', 'atmPubkey'),
      ...columnsOf(documents, 'outcome', 'failureType', 'failureMessage'),
    ],
  );
}
