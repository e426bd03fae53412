import type { DocumentPosition, LedgerCounts } from '../../contract/activities';
import type { DocumentSelection } from '../../contract/control';
import type { Queryable } from '../connection';
import { type DocumentRow, NUMBER, type PlannedDocument } from './documents';

type Selection = Pick<DocumentSelection, 'documentType' | 'machineId'>;

/** A row without an event, as its plan has it. */
export type PlanRow = Pick<
  DocumentRow,
  'number' | 'documentType' | 'machineId' | 'machineName' | 'outcome' | 'failureType' | 'failureMessage'
>;

const PLAN_COLUMNS = `${NUMBER}, document_type AS "documentType", machine_id AS "machineId", machine_name AS "machineName", outcome,
  failure_type AS "failureType", failure_message AS "failureMessage"`;

/** The selection as a condition on the parameters $2 and $3. */
const SELECTED = `($2::text IS NULL OR document_type = $2) AND ($3::text IS NULL OR machine_id = $3)`;

function parameters(runId: string, { documentType, machineId }: Selection): (string | null)[] {
  return [runId, documentType ?? null, machineId ?? null];
}

/** Documents that failed before any attempt, in the order of machines and types. */
export function badRows(
  db: Queryable,
  runId: string,
  selection: Selection,
  limit: number,
): Promise<PlanRow[]> {
  return db.query<PlanRow>(
    `SELECT ${PLAN_COLUMNS} FROM republish.documents
      WHERE run_id = $1 AND ${SELECTED} AND outcome = 'failed' AND attempts = 0 AND event_id IS NULL
      ORDER BY machine_id COLLATE "C", document_type LIMIT $4`,
    [...parameters(runId, selection), limit],
  );
}

/** Documents up to a position that are planned and that no attempt has begun, or tried to. */
export function notBegun(
  db: Queryable,
  runId: string,
  selection: Selection,
  upTo: DocumentPosition | undefined,
  limit: number,
): Promise<PlanRow[]> {
  return db.query<PlanRow>(
    `SELECT ${PLAN_COLUMNS} FROM republish.documents
      WHERE run_id = $1 AND ${SELECTED} AND outcome IS NULL AND attempts = 0 AND event_id IS NULL AND failure_type IS NULL
        AND ($5::text IS NULL OR (machine_id COLLATE "C", document_type COLLATE "C") <= ($5::text, $6::text))
      ORDER BY machine_id COLLATE "C", document_type COLLATE "C" LIMIT $4`,
    [...parameters(runId, selection), limit, upTo?.machineId ?? null, upTo?.documentType ?? null],
  );
}

/** Writes a new plan for bad rows. Rows that are no longer bad (another call was first) stay as they are. */
export async function planBadRowsAgain(
  db: Queryable,
  runId: string,
  documents: PlannedDocument[],
): Promise<void> {
  const column = <K extends keyof PlannedDocument>(key: K): PlannedDocument[K][] =>
    documents.map((row) => row[key]);
  await db.query(
    `UPDATE republish.documents AS document
        SET machine_name = planned.name, atm_pubkey = planned.atm, outcome = planned.outcome,
            failure_type = planned.failure, failure_message = planned.message,
            settled_at = CASE WHEN planned.outcome IS NULL THEN NULL ELSE now() END
       FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
         AS planned (type, machine, name, atm, outcome, failure, message)
      WHERE document.run_id = $1 AND document.document_type = planned.type AND document.machine_id = planned.machine
        AND document.outcome = 'failed' AND document.attempts = 0 AND document.event_id IS NULL`,
    [
      runId,
      column('documentType'),
      column('machineId'),
      column('machineName'),
      column('atmPubkey'),
      column('outcome'),
      column('failureType'),
      column('failureMessage'),
    ],
  );
}

/**
 * Gives documents up that have no good outcome: they are then `skipped`, with who asked and why. Nothing is published for
 * them after this, also not by an attempt that is still on its way. Returns how many.
 */
export async function skipUnpublished(
  db: Queryable,
  runId: string,
  selection: Selection,
  message: string,
): Promise<number> {
  const rows = await db.query(
    `UPDATE republish.documents
        SET outcome = 'skipped', settled_at = now(), failure_type = 'GivenUp',
            failure_message = $4 || CASE WHEN failure_message IS NULL THEN '' ELSE '; it had failed: ' || failure_message END
      WHERE run_id = $1 AND ${SELECTED} AND (outcome IS NULL OR outcome = 'failed')
      RETURNING 1`,
    [...parameters(runId, selection), message],
  );
  return rows.length;
}

/** Failed and skipped documents of a run by document type, as the ledger has them now. */
export async function ledgerCounts(db: Queryable, runId: string): Promise<LedgerCounts['counts']> {
  const rows = await db.query<{ documentType: string; failed: number; skipped: number }>(
    `SELECT document_type AS "documentType", (count(*) FILTER (WHERE outcome = 'failed'))::int AS failed,
            (count(*) FILTER (WHERE outcome = 'skipped'))::int AS skipped
       FROM republish.documents WHERE run_id = $1 GROUP BY document_type`,
    [runId],
  );
  return Object.fromEntries(rows.map(({ documentType, ...counts }) => [documentType, counts]));
}
