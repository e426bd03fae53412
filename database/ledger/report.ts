import type { FailureType } from '../../contract/failures';
import type { RepublishInput } from '../../contract/input';
import type { Outcome } from '../../contract/progress';
import type { Queryable } from '../connection';
import type { DocumentKey, Relays } from './documents';
import { utc } from '../utc';

/** A row of `republish.runs` for the report. Times: ISO 8601. */
export interface RunRecord {
  runId: string;
  workflowId: string;
  operatorUserId: string;
  /** Hex. Null: the run has not read the account. */
  operatorPubkey: string | null;
  documentTypes: string[];
  request: RepublishInput;
  startedAt: string;
  /** Null: it has no audit row yet. */
  closedAt: string | null;
}

const RECORD = `run_id AS "runId", workflow_id AS "workflowId", operator_user_id AS "operatorUserId",
  operator_pubkey AS "operatorPubkey", document_types AS "documentTypes", request,
  ${utc('started_at')} AS "startedAt", ${utc('closed_at')} AS "closedAt"`;

export async function recordOfRun(db: Queryable, runId: string): Promise<RunRecord | undefined> {
  const [row] = await db.query<RunRecord>(`SELECT ${RECORD} FROM republish.runs WHERE run_id = $1`, [runId]);
  return row;
}

/** The newest run of an operator. */
export async function newestRecord(db: Queryable, operatorUserId: string): Promise<RunRecord | undefined> {
  const [row] = await db.query<RunRecord>(
    `SELECT ${RECORD} FROM republish.runs
      WHERE operator_user_id = $1 ORDER BY started_at DESC, run_id LIMIT 1`,
    [operatorUserId],
  );
  return row;
}

/**
 * The earlier key of an operator: that of the newest earlier run with another key. Undefined: there is none.
 * `until` is the start of that run.
 */
export async function keyBefore(
  db: Queryable,
  { operatorUserId, operatorPubkey, startedAt }: RunRecord,
): Promise<{ pubkey: string; until: string } | undefined> {
  const [row] = await db.query<{ pubkey: string; until: string }>(
    `SELECT operator_pubkey AS pubkey, ${utc('started_at')} AS until FROM republish.runs
      WHERE operator_user_id = $1 AND operator_pubkey <> $2 AND started_at < $3
      ORDER BY started_at DESC LIMIT 1`,
    [operatorUserId, operatorPubkey, startedAt],
  );
  return row;
}

/** A document of a run for the report, without content and signature. Times: ISO 8601. */
export interface ReportedDocument extends Omit<DocumentKey, 'runId'> {
  machineName: string;
  /** Null: the document is open. */
  outcome: Outcome | null;
  /** Hex. */
  eventId: string | null;
  supersededBy: string | null;
  relays: Relays;
  /** In an open document: the failure of its last try. */
  failureType: FailureType | null;
  failureMessage: string | null;
  /** An earlier run signed this event, for the same state. */
  reused: boolean;
  sealedAt: string | null;
  signedAt: string | null;
  sentAt: string | null;
  settledAt: string | null;
}

/** Every document of a run, maybe tens of thousands, in the order of machine id and document type. */
export function reportedDocuments(db: Queryable, runId: string): Promise<ReportedDocument[]> {
  return db.query<ReportedDocument>(
    `SELECT document_type AS "documentType", machine_id AS "machineId", machine_name AS "machineName",
            outcome, event_id AS "eventId", superseded_by AS "supersededBy", relays,
            failure_type AS "failureType",
            failure_message AS "failureMessage", reused, ${utc('sealed_at')} AS "sealedAt",
            ${utc('signed_at')} AS "signedAt", ${utc('sent_at')} AS "sentAt",
            ${utc('settled_at')} AS "settledAt"
       FROM republish.documents WHERE run_id = $1 ORDER BY machine_id COLLATE "C", document_type`,
    [runId],
  );
}
