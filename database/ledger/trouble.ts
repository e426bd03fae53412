import type { PageReference } from '../../contract/activities';
import { type FailureType, traitsOf } from '../../contract/failures';
import type { Writable } from '../connection';
import { columnsOf, OPEN_RUN, type Relays } from './documents';

/** A document has at least this many failed tries before it fails, also when its time is over. */
const LEAST_TRIES = 3;

/**
 * SQL: since when the document has had only trouble. A signer that lets it wait, and signs others of the run
 * meanwhile, is no trouble (`letsWait`). `greatest` ignores null: the run has no signature.
 */
const SINCE = `greatest(coalesce(trouble_since, now()),
  CASE WHEN asked.is_let_wait THEN (SELECT signed_at FROM last_signature) END)`;

/** SQL: this failure ends the document. */
const ENDS = `asked.final
  OR (tries + 1 >= ${LEAST_TRIES} AND now() - ${SINCE} >= make_interval(secs => $5::float8 / 1000))`;

/** The attempt that writes failures. */
export interface Holder extends PageReference {
  documentType: string;
  holder: number;
  /** How long a document may have trouble before it fails. */
  documentTimeoutMs: number;
}

/** The failure of one try. */
export interface Trouble {
  machineId: string;
  type: FailureType;
  message: string;
  /** The failure ends the document. */
  final: boolean;
  /** The event was sent to relays. Default: false. */
  sent?: boolean;
  /** The signer gave an answer that cannot be used: the next try asks a new question. Default: false. */
  isAnswered?: boolean | undefined;
  relays?: Relays | undefined;
}

/**
 * Writes the failures of an attempt while it is the holder of the page. From an earlier attempt nothing is
 * written. A final failure ends its document. A passing failure ends it when the document has at least three
 * failed tries and at least `documentTimeoutMs` of trouble, by the clock of Postgres. So a document can only
 * fail directly after a failed try. If the signer lets it wait, that time counts from the newest signature of
 * the run, of any document.
 */
export async function noteTrouble(
  db: Writable,
  { runId, page, documentType, holder, documentTimeoutMs }: Holder,
  troubles: readonly Trouble[],
): Promise<void> {
  await db.query(
    `WITH ${OPEN_RUN},
       held AS (SELECT page.run_id, page.page FROM republish.pages AS page JOIN run USING (run_id)
                 WHERE page.page = $2 AND page.holder = $4 FOR SHARE OF page),
       last_signature AS (SELECT max(signed_at) AS signed_at FROM republish.documents
                           WHERE run_id = $1 AND NOT reused)
     UPDATE republish.documents AS document
        SET tries = tries + 1, trouble_since = ${SINCE}, failure_type = asked.type,
            failure_message = asked.message, written_by = $4, question = question + asked.is_answered::int,
            relays = document.relays || asked.relays::jsonb,
            sent_at = CASE WHEN asked.is_sent THEN coalesce(sent_at, now()) ELSE sent_at END,
            outcome = CASE WHEN ${ENDS} THEN 'failed' END, settled_at = CASE WHEN ${ENDS} THEN now() END
       FROM held, unnest($6::text[], $7::text[], $8::text[], $9::bool[], $10::bool[], $11::text[],
                         $12::bool[], $13::bool[])
                    AS asked (machine, type, message, final, is_sent, relays, is_answered, is_let_wait)
      WHERE document.run_id = held.run_id AND document.page = held.page AND document_type = $3
        AND machine_id = asked.machine AND outcome IS NULL`,
    [
      runId,
      page,
      documentType,
      holder,
      documentTimeoutMs,
      ...columnsOf(troubles, 'machineId', 'type', 'message', 'final', 'sent'),
      troubles.map(({ relays }) => JSON.stringify(relays ?? {})),
      troubles.map(({ isAnswered = false }) => isAnswered),
      troubles.map(({ type }) => traitsOf(type).letsWait === true),
    ],
  );
}
