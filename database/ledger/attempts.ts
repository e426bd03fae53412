import type { Outcome } from '../../contract/progress';
import type { RelayStanding } from '../../contract/relay-standing';
import type { Queryable } from '../connection';
import { gathered } from '../gathered';
import { signerAsJson, type SignerRow } from '../signers';
import {
  COLUMNS,
  type DocumentKey,
  type DocumentRow,
  type EarlierSeal,
  newestSealOf,
  type SealedEvent,
} from './documents';

/**
 * A document by the number that the ledger gave it, of a run of this workflow: a ledger that was put back to an earlier day may
 * have given the number to another run's.
 */
export interface DocumentByNumber {
  document: number;
  workflowId: string;
}

/** What an attempt begins with. */
export interface AttemptRow extends DocumentRow {
  operatorUserId: string;
  /** The operator's current signer; null when there is none any more. */
  signer: SignerRow | null;
  /** The newest seal of any other run for the same address. */
  earlier: EarlierSeal | null;
}

export interface Seal {
  event: SealedEvent;
  stateFingerprint: string;
  /** Of an event that an earlier run has signed. */
  signature: string | null;
}

export interface Settlement {
  outcome: Outcome;
  relays: Record<string, RelayStanding>;
  supersededBy?: string | undefined;
}

/** What stands of a document. */
export interface Kept {
  signature: string | null;
  outcome: Outcome | null;
}

type Keyed<T> = T & { key: DocumentKey };

/**
 * The statements that bring a document from its attempt to its outcome. Every document of a worker needs them, so those of the same
 * moment go to Postgres together (see `gathered`). Together they do not wait for what another transaction holds; each does that alone.
 */
export class AttemptLedger {
  #begin: (named: DocumentByNumber) => Promise<AttemptRow | undefined>;
  #seal: (asked: Keyed<Seal>) => Promise<DocumentRow | undefined>;
  #keepSignature: (asked: Keyed<{ signature: string }>) => Promise<Kept | undefined>;
  #settle: (asked: Keyed<Settlement>) => Promise<Outcome | null>;

  constructor(private readonly db: Queryable) {
    this.#begin = gathered({
      many: (asked) => beginNumbered(db, asked, LOCK_WHAT_IS_FREE),
      one: async (asked) => (await beginNumbered(db, [asked], LOCK))[0],
    });
    this.#seal = gathered({
      many: (asked) => sealDocuments(db, asked, PATIENCE_OF_MANY_MS),
      one: async (asked) => (await sealDocuments(db, [asked]))[0],
    });
    this.#keepSignature = gathered({
      many: (asked) => writeSignatures(db, asked, LOCK_WHAT_IS_FREE),
      one: async (asked) => (await writeSignatures(db, [asked], LOCK))[0] ?? whatStands(db, asked.key),
    });
    this.#settle = gathered({
      many: (asked) => writeOutcomes(db, asked, LOCK_WHAT_IS_FREE),
      one: async (asked) =>
        (await writeOutcomes(db, [asked], LOCK))[0] ?? (await whatStands(db, asked.key))?.outcome ?? null,
    });
  }

  /**
   * Begins an attempt: counts it and returns the row as the last attempt left it, with all else that is needed before anybody is
   * asked; undefined when the ledger has no such document.
   */
  begin(named: DocumentKey | DocumentByNumber): Promise<AttemptRow | undefined> {
    return 'document' in named ? this.#begin(named) : beginByKey(this.db, named);
  }

  /**
   * Seals a document: first writer wins. Returns the row with the seal that stands, which is another attempt's if that one
   * was first; undefined when another run has sealed the same address at the same or a later date, so that this event
   * would not be the newest. A reused event of an earlier run brings its signature along.
   */
  seal(key: DocumentKey, seal: Seal): Promise<DocumentRow | undefined> {
    return this.#seal({ key, ...seal });
  }

  /**
   * Keeps the signature of the sealed event. First writer wins: both are valid, and relays must see the same bytes.
   * A document that has its outcome keeps what it has: nothing may be published after that. Returns what stands.
   */
  keepSignature(key: DocumentKey, signature: string): Promise<Kept | undefined> {
    return this.#keepSignature({ key, signature });
  }

  /** Brings a document to its outcome, unless it has one. Returns the outcome that stands. */
  settle(key: DocumentKey, settlement: Settlement): Promise<Outcome | null> {
    return this.#settle({ key, ...settlement });
  }
}

/** A statement for many waits for no row: it would hold the others meanwhile. */
const LOCK = 'FOR NO KEY UPDATE OF documents';
const LOCK_WHAT_IS_FREE = `${LOCK} SKIP LOCKED`;

const OPERATOR = '(SELECT operator_user_id FROM republish.runs WHERE runs.run_id = documents.run_id)';

const EARLIER = newestSealOf(
  'documents.operator_pubkey',
  'documents.document_type',
  'documents.atm_pubkey',
  'documents.run_id',
);

const ATTEMPT_COLUMNS = `${COLUMNS}, ${OPERATOR} AS "operatorUserId", ${signerAsJson(OPERATOR)} AS signer,
  (SELECT row_to_json(earlier) FROM (${EARLIER}) AS earlier) AS earlier`;

async function beginNumbered(
  db: Queryable,
  asked: readonly DocumentByNumber[],
  lock: string,
): Promise<(AttemptRow | undefined)[]> {
  const rows = await db.query<AttemptRow & { workflowId: string }>(
    `WITH free AS (
       SELECT number AS of_number, asked.of_workflow
         FROM republish.documents JOIN unnest($1::bigint[], $2::text[]) AS asked (a_number, of_workflow)
           ON number = asked.a_number
              AND EXISTS (SELECT 1 FROM republish.runs
                           WHERE runs.run_id = documents.run_id AND runs.workflow_id = asked.of_workflow)
       ${lock})
     UPDATE republish.documents SET attempts = attempts + 1 FROM free WHERE number = free.of_number
     RETURNING ${ATTEMPT_COLUMNS}, free.of_workflow AS "workflowId"`,
    [asked.map(({ document }) => document), asked.map(({ workflowId }) => workflowId)],
  );
  // A number that two workflows ask for is the document of one of them.
  return asked.map(({ document, workflowId }) =>
    rows.find((row) => row.number === document && row.workflowId === workflowId),
  );
}

/** As runs name their documents that began before documents had numbers. */
async function beginByKey(db: Queryable, key: DocumentKey): Promise<AttemptRow | undefined> {
  const [row] = await db.query<AttemptRow>(
    `UPDATE republish.documents SET attempts = attempts + 1
      WHERE run_id = $1 AND document_type = $2 AND machine_id = $3 RETURNING ${ATTEMPT_COLUMNS}`,
    [key.runId, key.documentType, key.machineId],
  );
  return row;
}

/** Columns of `asked` in the statements below, with the values of `keysOf`. */
const KEYS = '$1::text[], $2::text[], $3::text[]';
const IS_ASKED = 'run_id = asked.of_run AND document_type = asked.of_type AND machine_id = asked.of_machine';
const KEY_COLUMNS = 'run_id AS "runId", document_type AS "documentType", machine_id AS "machineId"';

function keysOf(asked: readonly { key: DocumentKey }[]): string[][] {
  return [
    asked.map(({ key }) => key.runId),
    asked.map(({ key }) => key.documentType),
    asked.map(({ key }) => key.machineId),
  ];
}

/** The row of each, where there is one. */
function inOrder<Row extends DocumentKey>(
  asked: readonly { key: DocumentKey }[],
  rows: Row[],
): (Row | undefined)[] {
  const nameOf = ({ runId, documentType, machineId }: DocumentKey): string =>
    JSON.stringify([runId, documentType, machineId]);
  const byName = new Map(rows.map((row) => [nameOf(row), row]));
  return asked.map(({ key }) => byName.get(nameOf(key)));
}

/** An address is locked for as long as it takes to seal it, so a moment is worth waiting; a row that is held is not. */
const PATIENCE_OF_MANY_MS = 250;

/**
 * Locks, writes and reads back each (migration 0004). In the order of their addresses, which stay locked until all are sealed.
 *
 * @param patienceMs how long one lock is waited for, before all are refused; absent: as long as Postgres lets a statement wait
 */
async function sealDocuments(
  db: Queryable,
  asked: readonly Keyed<Seal>[],
  patienceMs?: number,
): Promise<(DocumentRow | undefined)[]> {
  const seals = asked
    .map((seal) => ({ ...seal, address: `${seal.event.pubkey} ${seal.event.tags.flat().join(' ')}` }))
    .sort((a, b) => (a.address < b.address ? -1 : 1));
  const rows = await db.query<DocumentRow>(
    `SELECT ${COLUMNS}
       FROM (SELECT set_config('lock_timeout', $8, true) AS is_set) AS patience,
            unnest(${KEYS}, $4::text[], $5::text[], $6::text[], $7::text[])
              AS asked (of_run, of_type, of_machine, address, new_event, new_fingerprint, new_signature),
            -- Its argument names the patience, so that it is set before the first lock.
            republish.seal_document(CASE WHEN patience.is_set IS NOT NULL THEN asked.address END, asked.of_run, asked.of_type, asked.of_machine,
                                    asked.new_event::jsonb, asked.new_fingerprint, asked.new_signature)`,
    [
      ...keysOf(seals),
      seals.map(({ address }) => address),
      seals.map(({ event }) => JSON.stringify(event)),
      seals.map(({ stateFingerprint }) => stateFingerprint),
      seals.map(({ signature }) => signature),
      // Null sets it back to what it is anyway.
      patienceMs?.toString() ?? null,
    ],
  );
  return inOrder(asked, rows);
}

/** Of those that have neither signature nor outcome. */
async function writeSignatures(
  db: Queryable,
  asked: readonly Keyed<{ signature: string }>[],
  lock: string,
): Promise<(Kept | undefined)[]> {
  const rows = await db.query<Kept & DocumentKey>(
    `WITH free AS (
       SELECT number AS of_number, asked.new_signature
         FROM republish.documents
         JOIN unnest(${KEYS}, $4::text[]) AS asked (of_run, of_type, of_machine, new_signature) ON ${IS_ASKED}
        WHERE signature IS NULL AND outcome IS NULL ${lock})
     UPDATE republish.documents SET signature = free.new_signature, signed_at = now()
       FROM free WHERE number = free.of_number
     RETURNING ${KEY_COLUMNS}, signature, outcome`,
    [...keysOf(asked), asked.map(({ signature }) => signature)],
  );
  return inOrder(asked, rows);
}

/** Of those that have no outcome. */
async function writeOutcomes(
  db: Queryable,
  asked: readonly Keyed<Settlement>[],
  lock: string,
): Promise<(Outcome | undefined)[]> {
  const rows = await db.query<{ outcome: Outcome } & DocumentKey>(
    `WITH free AS (
       SELECT number AS of_number, asked.new_outcome, asked.new_relays, asked.new_superseded_by
         FROM republish.documents
         JOIN unnest(${KEYS}, $4::text[], $5::text[], $6::text[])
                AS asked (of_run, of_type, of_machine, new_outcome, new_relays, new_superseded_by) ON ${IS_ASKED}
        WHERE outcome IS NULL ${lock})
     UPDATE republish.documents
        SET outcome = free.new_outcome, relays = relays || free.new_relays::jsonb, superseded_by = free.new_superseded_by,
            settled_at = now(), failure_type = NULL, failure_message = NULL
       FROM free WHERE number = free.of_number
     RETURNING ${KEY_COLUMNS}, outcome`,
    [
      ...keysOf(asked),
      asked.map(({ outcome }) => outcome),
      asked.map(({ relays }) => JSON.stringify(relays)),
      asked.map(({ supersededBy }) => supersededBy ?? null),
    ],
  );
  return inOrder(asked, rows).map((row) => row?.outcome);
}

async function whatStands(db: Queryable, key: DocumentKey): Promise<Kept | undefined> {
  const [row] = await db.query<Kept>(
    'SELECT signature, outcome FROM republish.documents WHERE run_id = $1 AND document_type = $2 AND machine_id = $3',
    [key.runId, key.documentType, key.machineId],
  );
  return row;
}
