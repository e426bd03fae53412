import type { PageCounts, PageReference } from '../../contract/activities';
import type { DocumentFailure, Failure } from '../../contract/failures';
import type { WaitingDocument } from '../../contract/progress';
import type { Queryable, Writable } from '../connection';
import { signerAsJson, type SignerRow } from '../signers';
import { utc } from '../utc';
import { COUNTS, countsOf, type CountsRow, FAILURE_COLUMNS, MACHINE_NAME } from './counts';
import { type DocumentAddress, type DocumentRow, type EarlierSeal, OPEN_RUN } from './documents';
import { RUN_COLUMNS, type RunRow } from './runs';

/** An open document of a page. */
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
  /** The number in the ids of its NIP-46 requests. It rises when the signer must get a new question. */
  question: number;
  /** ISO 8601. Null: the document has no trouble. */
  troubleSince: string | null;
};

/** What an attempt reads when it begins a page. */
export interface BegunPage {
  run: RunRow;
  documentType: string;
  /** The number of this attempt. It may write failures until another one raises the number of the page. */
  holder: number;
  /** The operator's current signer. Null: there is none. */
  signer: SignerRow | null;
  /** The open documents. Those with the fewest failed tries come first. */
  documents: OpenDocument[];
}

type PageHead = RunRow & Pick<BegunPage, 'documentType' | 'holder' | 'signer'>;

const HEAD = `${RUN_COLUMNS}, page.document_type AS "documentType", page.holder,
  ${signerAsJson('run.operator_user_id')} AS signer`;

/**
 * Begins an attempt at a page: raises its holder, so that earlier attempts cannot write failures any more.
 * The page of a closed run has no open documents, and its holder does not change.
 *
 * @returns undefined: the run has no such page
 */
export async function beginPage(db: Writable, key: PageReference): Promise<BegunPage | undefined> {
  const head = (await raiseHolder(db, key)) ?? (await headOf(db, key));
  if (head === undefined) return undefined;
  const { documentType, holder, signer, ...run } = head;
  return { run, documentType, holder, signer, documents: await openDocuments(db, key) };
}

/**
 * Locks the run first, as OPEN_RUN does, and returns nothing if it is closed. RUN_COLUMNS needs all columns.
 */
async function raiseHolder(db: Writable, { runId, page }: PageReference): Promise<PageHead | undefined> {
  const [head] = await db.query<PageHead>(
    `WITH run AS (SELECT * FROM republish.runs WHERE run_id = $1 AND closed_at IS NULL FOR KEY SHARE)
     UPDATE republish.pages AS page SET holder = holder + 1
       FROM run WHERE page.run_id = run.run_id AND page.page = $2
     RETURNING ${HEAD}`,
    [runId, page],
  );
  return head;
}

async function headOf(db: Queryable, { runId, page }: PageReference): Promise<PageHead | undefined> {
  const [head] = await db.query<PageHead>(
    `SELECT ${HEAD} FROM republish.pages AS page JOIN republish.runs AS run USING (run_id)
      WHERE run_id = $1 AND page.page = $2`,
    [runId, page],
  );
  return head;
}

/** A statement of its own, after the holder is raised: it sees what the earlier attempt has just written. */
function openDocuments(db: Queryable, { runId, page }: PageReference): Promise<OpenDocument[]> {
  return db.query<OpenDocument>(
    `SELECT machine_id AS "machineId", ${MACHINE_NAME}, atm_pubkey AS "atmPubkey", unsigned_event AS event,
            state_fingerprint AS "stateFingerprint", signature, reused, resealed, sent_at IS NOT NULL AS sent,
            tries, relays, question, ${utc('trouble_since')} AS "troubleSince"
       FROM republish.documents
      WHERE run_id = $1 AND page = $2 AND outcome IS NULL ORDER BY tries, machine_id COLLATE "C"`,
    [runId, page],
  );
}

/**
 * The newest seal of any other run at each address, by the machine key. It may be unsigned: the bunker may
 * have signed that event without our knowledge, so a new event needs a later date than every seal.
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
            LATERAL (SELECT unsigned_event AS event, signature, state_fingerprint AS "stateFingerprint",
                            outcome
                       FROM republish.documents AS seal
                      WHERE seal.operator_pubkey = $1 AND seal.document_type = $2
                        AND seal.atm_pubkey = asked.atm_pubkey
                        AND seal.event_id IS NOT NULL AND seal.run_id <> $4
                      ORDER BY seal.created_at_s DESC, seal.event_id ASC LIMIT 1) AS earlier`,
    [operatorPubkey, documentType, atmPubkeys, exceptRunId],
  );
  return new Map(rows.map(({ atmPubkey, ...seal }) => [atmPubkey, seal]));
}

/**
 * Settles every open document of a page as failed, after its activity has failed. It raises the holder, so
 * that no attempt that is still running can write a failure. Does nothing if the page has another holder: a
 * newer attempt has begun, or a person has opened its documents again.
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
        SET outcome = 'failed', failure_type = $3, failure_message = $4, written_by = held.holder,
            settled_at = now()
       FROM held
      WHERE document.run_id = held.run_id AND document.page = held.page AND document.outcome IS NULL`,
    [runId, page, failure.type, failure.message, holder],
  );
}

/** What a page returns and shows. */
export interface PageState {
  counts: PageCounts;
  /** Failed documents, at most 10. */
  failures: DocumentFailure[];
  /** Open documents in trouble, at most 20. The longest trouble comes first. */
  waiting: WaitingDocument[];
  /** The smallest number of failed tries of an open document. 0: no document is open. */
  leastTries: number;
}

const OF_PAGE = 'FROM republish.documents WHERE run_id = $1 AND page = $2';

const FAILURES = `SELECT ${FAILURE_COLUMNS} ${OF_PAGE} AND outcome = 'failed'
   ORDER BY machine_id COLLATE "C" LIMIT 10`;

const WAITING = `SELECT document_type AS "documentType", machine_id AS "machineId", ${MACHINE_NAME}, tries,
    concat_ws(': ', failure_type, failure_message) AS why, failure_type AS type, ${utc('trouble_since')} AS since
  ${OF_PAGE} AND outcome IS NULL AND trouble_since IS NOT NULL
   ORDER BY trouble_since, machine_id COLLATE "C" LIMIT 20`;

export async function pageState(db: Queryable, { runId, page }: PageReference): Promise<PageState> {
  const [row] = await db.query<CountsRow & Omit<PageState, 'counts'>>(
    `SELECT ${COUNTS}, coalesce(min(tries) FILTER (WHERE outcome IS NULL), 0) AS "leastTries",
            (SELECT coalesce(json_agg(failure), '[]') FROM (${FAILURES}) AS failure) AS failures,
            (SELECT coalesce(json_agg(open), '[]') FROM (${WAITING}) AS open) AS waiting
       ${OF_PAGE}`,
    [runId, page],
  );
  if (row === undefined) throw new Error('an aggregate has returned no row');
  const { failures, waiting, leastTries } = row;
  return { counts: countsOf(row), failures, waiting, leastTries };
}
