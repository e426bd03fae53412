import type { PageCounts, PageReference } from '../../contract/activities';
import type { DocumentFailure, Failure } from '../../contract/failures';
import type { WaitingDocument } from '../../contract/progress';
import type { Queryable, Writable } from '../connection';
import { signerAsJson, type SignerRow } from '../signers';
import { utc } from '../utc';
import { COUNTS, countsOf, type CountsRow, FAILURE_COLUMNS, MACHINE_NAME } from './counts';
import { type DocumentAddress, type DocumentRow, type EarlierSeal, OPEN_RUN } from './documents';
import { RUN_COLUMNS, type RunRow } from './runs';

/** A document of a page that has no outcome. */
export type OpenDocument = Pick<
  DocumentRow,
  | 'machineId'
  | 'machineName'
  | 'atmPubkey'
  | 'event'
  | 'stateFingerprint'
  | 'signature'
  | 'reused'
  | 'resealed'
  | 'tries'
  | 'relays'
> & {
  sent: boolean;
  /** How often its signer's questions were put anew. */
  question: number;
  /** ISO 8601; null: it meets with no trouble. */
  troubleSince: string | null;
};

/** What an attempt at a page begins with. */
export interface BegunPage {
  run: RunRow;
  documentType: string;
  /** Its number: failures are taken from it until somebody has a higher one. */
  holder: number;
  /** The operator's current signer; null when there is none. */
  signer: SignerRow | null;
  /** Without an outcome, those that were tried the least first. */
  documents: OpenDocument[];
}

type PageHead = RunRow & Pick<BegunPage, 'documentType' | 'holder' | 'signer'>;

const HEAD = `${RUN_COLUMNS}, page.document_type AS "documentType", page.holder, ${signerAsJson('run.operator_user_id')} AS signer`;

/**
 * Begins an attempt: from now on failures of earlier attempts are not taken. Undefined: the run has no such
 * page. The page of a closed run has no open documents.
 */
export async function beginPage(db: Writable, key: PageReference): Promise<BegunPage | undefined> {
  const head = (await raiseHolder(db, key)) ?? (await headOf(db, key));
  if (head === undefined) return undefined;
  const { documentType, holder, signer, ...run } = head;
  return { run, documentType, holder, signer, documents: await openDocuments(db, key) };
}

/** The run is locked first, see OPEN_RUN; nothing where it is closed. */
async function raiseHolder(db: Writable, { runId, page }: PageReference): Promise<PageHead | undefined> {
  const [head] = await db.query<PageHead>(
    `WITH run AS (SELECT * FROM republish.runs WHERE run_id = $1 AND closed_at IS NULL FOR KEY SHARE)
     UPDATE republish.pages AS page SET holder = holder + 1 FROM run WHERE page.run_id = run.run_id AND page.page = $2
     RETURNING ${HEAD}`,
    [runId, page],
  );
  return head;
}

async function headOf(db: Queryable, { runId, page }: PageReference): Promise<PageHead | undefined> {
  const [head] = await db.query<PageHead>(
    `SELECT ${HEAD} FROM republish.pages AS page JOIN republish.runs AS run USING (run_id) WHERE run_id = $1 AND page.page = $2`,
    [runId, page],
  );
  return head;
}

/** In a statement of its own: what the last attempt wrote before it lost the page must be seen. */
function openDocuments(db: Queryable, { runId, page }: PageReference): Promise<OpenDocument[]> {
  return db.query<OpenDocument>(
    `SELECT machine_id AS "machineId", ${MACHINE_NAME}, atm_pubkey AS "atmPubkey", unsigned_event AS event,
            state_fingerprint AS "stateFingerprint", signature, reused, resealed, sent_at IS NOT NULL AS sent, tries, relays, question,
            ${utc('trouble_since')} AS "troubleSince"
       FROM republish.documents WHERE run_id = $1 AND page = $2 AND outcome IS NULL ORDER BY tries, machine_id COLLATE "C"`,
    [runId, page],
  );
}

/**
 * The newest seal of each of these addresses by any other run, by the machine's key. Signed or not: an
 * unsigned seal may have become an event at the bunker, so nothing may be dated before it.
 */
export async function newestSeals(
  db: Queryable,
  { operatorPubkey, documentType }: Omit<DocumentAddress, 'atmPubkey'>,
  atmPubkeys: readonly string[],
  exceptRunId: string,
): Promise<Map<string, EarlierSeal>> {
  const rows = await db.query<EarlierSeal & { atmPubkey: string }>(
    `SELECT asked.atm_pubkey AS "atmPubkey", earlier.*
       FROM unnest($3::text[]) AS asked (atm_pubkey),
            LATERAL (SELECT unsigned_event AS event, signature, state_fingerprint AS "stateFingerprint", outcome
                       FROM republish.documents AS seal
                      WHERE seal.operator_pubkey = $1 AND seal.document_type = $2 AND seal.atm_pubkey = asked.atm_pubkey
                        AND seal.event_id IS NOT NULL AND seal.run_id <> $4
                      ORDER BY seal.created_at_s DESC, seal.event_id ASC LIMIT 1) AS earlier`,
    [operatorPubkey, documentType, atmPubkeys, exceptRunId],
  );
  return new Map(rows.map(({ atmPubkey, ...seal }) => [atmPubkey, seal]));
}

/**
 * Raises the holder of a page, so that no attempt fails a document any more, and fails what is open itself.
 * Nothing, where somebody else has the page by now, or a person has opened its documents again.
 */
export async function settlePage(
  db: Writable,
  { runId, page, holder }: PageReference & { holder: number },
  failure: Failure,
): Promise<void> {
  await db.query(
    `WITH ${OPEN_RUN},
       held AS (UPDATE republish.pages AS page SET holder = holder + 1 FROM run
                 WHERE page.run_id = run.run_id AND page.page = $2 AND page.holder = $5
                RETURNING page.run_id, page.page, page.holder)
     UPDATE republish.documents AS document
        SET outcome = 'failed', failure_type = $3, failure_message = $4, written_by = held.holder, settled_at = now()
       FROM held WHERE document.run_id = held.run_id AND document.page = held.page AND document.outcome IS NULL`,
    [runId, page, failure.type, failure.message, holder],
  );
}

/** How a page stands. */
export interface PageState {
  counts: PageCounts;
  /** Failed documents, at most 10. */
  failures: DocumentFailure[];
  /** Open documents that meet with trouble, at most 20, those that have met it the longest first. */
  waiting: WaitingDocument[];
  /** The least tries in vain that an open document has; 0 where none is open. */
  leastTries: number;
}

const OF_PAGE = 'FROM republish.documents WHERE run_id = $1 AND page = $2';

const FAILURES = `SELECT ${FAILURE_COLUMNS} ${OF_PAGE} AND outcome = 'failed' ORDER BY machine_id COLLATE "C" LIMIT 10`;

const WAITING = `SELECT document_type AS "documentType", machine_id AS "machineId", ${MACHINE_NAME}, tries,
    concat_ws(': ', failure_type, failure_message) AS why,
    ${utc('trouble_since')} AS since
  ${OF_PAGE} AND outcome IS NULL AND trouble_since IS NOT NULL ORDER BY trouble_since, machine_id COLLATE "C" LIMIT 20`;

export async function pageState(db: Queryable, { runId, page }: PageReference): Promise<PageState> {
  const [row] = await db.query<CountsRow & Omit<PageState, 'counts'>>(
    `SELECT ${COUNTS}, coalesce(min(tries) FILTER (WHERE outcome IS NULL), 0) AS "leastTries",
            (SELECT coalesce(json_agg(failure), '[]') FROM (${FAILURES}) AS failure) AS failures,
            (SELECT coalesce(json_agg(open), '[]') FROM (${WAITING}) AS open) AS waiting
       ${OF_PAGE}`,
    [runId, page],
  );
  if (row === undefined) throw new Error('an aggregate without a row');
  const { failures, waiting, leastTries } = row;
  return { counts: countsOf(row), failures, waiting, leastTries };
}
