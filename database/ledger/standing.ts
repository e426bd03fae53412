import type { Queryable } from '../connection';
import { GOOD } from './documents';

/** The newest event that a run published, left unchanged or found superseded at an address. */
export interface StandingRow {
  runId: string;
  documentType: string;
  atmPubkey: string;
  eventId: string;
  createdAtS: number;
}

/** The newest event that should stand at each address of these machines under a key, by all runs so far. */
export function standingDocuments(
  db: Queryable,
  operatorPubkey: string,
  documentTypes: readonly string[],
  atmPubkeys: readonly string[],
): Promise<StandingRow[]> {
  // float8: pg returns a bigint as text, and a double can hold every second.
  return db.query<StandingRow>(
    `SELECT DISTINCT ON (document_type, atm_pubkey) run_id AS "runId", document_type AS "documentType",
            atm_pubkey AS "atmPubkey", event_id AS "eventId", created_at_s::float8 AS "createdAtS"
       FROM republish.documents
      WHERE operator_pubkey = $1
        AND document_type = ANY ($2::text[]) AND atm_pubkey = ANY ($3::text[])
        AND event_id IS NOT NULL AND outcome IN ${GOOD}
      ORDER BY document_type, atm_pubkey, created_at_s DESC, event_id ASC, settled_at DESC`,
    [operatorPubkey, documentTypes, atmPubkeys],
  );
}
