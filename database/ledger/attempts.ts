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

/** What stands of a document that has been sealed. */
export interface Kept {
  signature: string | null;
  outcome: Outcome | null;
}

type Of<T> = T & { key: DocumentKey };

/**
 * The statements that bring a document from its attempt to its outcome. All documents of a worker need them, so those that are
 * asked for in the same moment are one statement.
 */
export class AttemptLedger {
  /**
   * Begins an attempt: counts it and returns the row as the last attempt left it, with all else that is needed before anybody is
   * asked; undefined when the ledger has no such document.
   */
  readonly begin: (named: DocumentKey | DocumentByNumber) => Promise<AttemptRow | undefined>;
  #seal: (asked: Of<Seal>) => Promise<DocumentRow | undefined>;
  #keepSignature: (asked: Of<{ signature: string }>) => Promise<Kept | undefined>;
  #settle: (asked: Of<Settlement>) => Promise<Outcome | null>;

  constructor(db: Queryable) {
    const beginNumbered = gathered((asked: readonly DocumentByNumber[]) => beginNumberedAttempts(db, asked));
    this.begin = (named) => ('document' in named ? beginNumbered(named) : beginAttempt(db, named));
    this.#seal = gathered((asked) => sealDocuments(db, asked));
    this.#keepSignature = gathered((asked) => keepSignatures(db, asked));
    this.#settle = gathered((asked) => settleDocuments(db, asked));
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

const OPERATOR = '(SELECT operator_user_id FROM republish.runs WHERE runs.run_id = documents.run_id)';

const EARLIER = newestSealOf(
  'documents.operator_pubkey',
  'documents.document_type',
  'documents.atm_pubkey',
  'documents.run_id',
);

const ATTEMPT_COLUMNS = `${COLUMNS}, ${OPERATOR} AS "operatorUserId", ${signerAsJson(OPERATOR)} AS signer,
  (SELECT row_to_json(earlier) FROM (${EARLIER}) AS earlier) AS earlier`;

async function beginNumberedAttempts(
  db: Queryable,
  asked: readonly DocumentByNumber[],
): Promise<(AttemptRow | undefined)[]> {
  const rows = await db.query<AttemptRow>(
    `UPDATE republish.documents SET attempts = attempts + 1
       FROM unnest($1::bigint[], $2::text[]) AS asked (of_number, of_workflow)
      WHERE number = asked.of_number
        AND EXISTS (SELECT 1 FROM republish.runs
                     WHERE runs.run_id = documents.run_id AND runs.workflow_id = asked.of_workflow)
      RETURNING ${ATTEMPT_COLUMNS}`,
    [asked.map(({ document }) => document), asked.map(({ workflowId }) => workflowId)],
  );
  const byNumber = new Map(rows.map((row) => [row.number, row]));
  return asked.map(({ document }) => byNumber.get(document));
}

/** As runs name their documents that began before documents had numbers. */
async function beginAttempt(db: Queryable, key: DocumentKey): Promise<AttemptRow | undefined> {
  const [row] = await db.query<AttemptRow>(
    `UPDATE republish.documents SET attempts = attempts + 1
      WHERE run_id = $1 AND document_type = $2 AND machine_id = $3 RETURNING ${ATTEMPT_COLUMNS}`,
    [key.runId, key.documentType, key.machineId],
  );
  return row;
}

/** Locks, writes and reads back each (migration 0004). In the order of their addresses, which are locked until all are sealed. */
async function sealDocuments(
  db: Queryable,
  asked: readonly Of<Seal>[],
): Promise<(DocumentRow | undefined)[]> {
  const seals = asked
    .map((seal) => ({ ...seal, address: `${seal.event.pubkey} ${seal.event.tags.flat().join(' ')}` }))
    .sort((a, b) => (a.address < b.address ? -1 : 1));
  const rows = await db.query<DocumentRow>(
    `SELECT ${COLUMNS}
       FROM unnest(${KEYS}, $4::text[], $5::text[], $6::text[], $7::text[])
              AS asked (of_run, of_type, of_machine, address, new_event, new_fingerprint, new_signature),
            republish.seal_document(asked.address, asked.of_run, asked.of_type, asked.of_machine,
                                    asked.new_event::jsonb, asked.new_fingerprint, asked.new_signature)`,
    [
      ...keysOf(seals),
      seals.map(({ address }) => address),
      seals.map(({ event }) => JSON.stringify(event)),
      seals.map(({ stateFingerprint }) => stateFingerprint),
      seals.map(({ signature }) => signature),
    ],
  );
  return inOrder(asked, rows);
}

async function keepSignatures(
  db: Queryable,
  asked: readonly Of<{ signature: string }>[],
): Promise<(Kept | undefined)[]> {
  const signed = await db.query<Kept & DocumentKey>(
    `UPDATE republish.documents SET signature = asked.new_signature, signed_at = now()
       FROM unnest(${KEYS}, $4::text[]) AS asked (of_run, of_type, of_machine, new_signature)
      WHERE ${IS_ASKED} AND signature IS NULL AND outcome IS NULL
      RETURNING ${KEY_COLUMNS}, signature, outcome`,
    [...keysOf(asked), asked.map(({ signature }) => signature)],
  );
  return inOrder(asked, [...signed, ...(await whatStands(db, asked, signed))]);
}

async function settleDocuments(db: Queryable, asked: readonly Of<Settlement>[]): Promise<(Outcome | null)[]> {
  const settled = await db.query<Kept & DocumentKey>(
    `UPDATE republish.documents
        SET outcome = asked.new_outcome, relays = relays || asked.new_relays::jsonb, superseded_by = asked.new_superseded_by,
            settled_at = now(), failure_type = NULL, failure_message = NULL
       FROM unnest(${KEYS}, $4::text[], $5::text[], $6::text[])
              AS asked (of_run, of_type, of_machine, new_outcome, new_relays, new_superseded_by)
      WHERE ${IS_ASKED} AND outcome IS NULL
      RETURNING ${KEY_COLUMNS}, signature, outcome`,
    [
      ...keysOf(asked),
      asked.map(({ outcome }) => outcome),
      asked.map(({ relays }) => JSON.stringify(relays)),
      asked.map(({ supersededBy }) => supersededBy ?? null),
    ],
  );
  const rows = inOrder(asked, [...settled, ...(await whatStands(db, asked, settled))]);
  return rows.map((row) => row?.outcome ?? null);
}

/** Of those that were asked for and not written: others have been first. */
async function whatStands(
  db: Queryable,
  asked: readonly { key: DocumentKey }[],
  written: DocumentKey[],
): Promise<(Kept & DocumentKey)[]> {
  const done = new Set(written.map(nameOf));
  const left = asked.filter(({ key }) => !done.has(nameOf(key)));
  if (left.length === 0) return [];
  return db.query<Kept & DocumentKey>(
    `SELECT ${KEY_COLUMNS}, signature, outcome
       FROM republish.documents, unnest(${KEYS}) AS asked (of_run, of_type, of_machine) WHERE ${IS_ASKED}`,
    keysOf(left),
  );
}

const KEYS = '$1::text[], $2::text[], $3::text[]';
const IS_ASKED = 'run_id = asked.of_run AND document_type = asked.of_type AND machine_id = asked.of_machine';
const KEY_COLUMNS = 'run_id AS "runId", document_type AS "documentType", machine_id AS "machineId"';

/** Values of KEYS. */
function keysOf(asked: readonly { key: DocumentKey }[]): string[][] {
  return [
    asked.map(({ key }) => key.runId),
    asked.map(({ key }) => key.documentType),
    asked.map(({ key }) => key.machineId),
  ];
}

function inOrder<Row extends DocumentKey>(
  asked: readonly { key: DocumentKey }[],
  rows: Row[],
): (Row | undefined)[] {
  const byName = new Map(rows.map((row) => [nameOf(row), row]));
  return asked.map(({ key }) => byName.get(nameOf(key)));
}

function nameOf({ runId, documentType, machineId }: DocumentKey): string {
  return JSON.stringify([runId, documentType, machineId]);
}
