import { randomBytes, randomUUID } from 'node:crypto';
import type { PageReference } from '../../contract/activities';
import type { Failure } from '../../contract/failures';
import { createDatabase, dropDatabase } from '../../database/admin';
import { appendAudit, type AuditRow } from '../../database/audit';
import { type Database, openDatabase, type Writable } from '../../database/connection';
import { type DocumentRow, documentsOfRun, type SealedEvent } from '../../database/ledger/documents';
import { keepSignature, sealDocument, type Settlement } from '../../database/ledger/facts';
import { beginPage, settlePage } from '../../database/ledger/page';
import { planDocuments, type PlannedDocument } from '../../database/ledger/plan';
import { closeRun, failUnsettledDocuments, lockRun, type Reasons } from '../../database/ledger/closing';
import { openRun } from '../../database/ledger/runs';
import { testServers } from './servers';
import { until } from './until';

/** A database with an empty ledger, of a test file's own. */
export interface TestLedger {
  database: Database;
  url: string;
  /** How often Postgres has asked for a transaction to be run again, as it does after a deadlock. */
  repeats(): number;
  /** Resolves when a statement waits for a lock. */
  untilSomebodyWaits(): Promise<void>;
  stop(): Promise<void>;
}

export async function startLedger(): Promise<TestLedger> {
  const { postgresUrl } = testServers();
  const name = `ledger_${randomUUID().replaceAll('-', '')}`;
  const url = await createDatabase(postgresUrl, name, 'template_lnbits');
  let repeats = 0;
  const database = openDatabase({ url, maxConnections: 20, onRepeat: () => void (repeats += 1) });
  return {
    database,
    url,
    repeats: () => repeats,
    untilSomebodyWaits: () =>
      until(async () => {
        const rows = await database.query(
          "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        );
        return rows.length > 0;
      }),
    async stop() {
      await database.close();
      await dropDatabase(postgresUrl, name);
    },
  };
}

export const OPERATOR = 'a'.repeat(64);
export const TYPE = 'bitspire-fees';

/** A run of one page with the machines m1, m2, ..., each with a key, unless the test gives other values. */
export async function plannedRun(
  db: Writable,
  documents: Partial<PlannedDocument>[] = [{}],
  operatorPubkey = OPERATOR,
  operatorUserId = 'op',
): Promise<{ runId: string; page: number; documentType: string; machineId: string }> {
  const runId = `run-${randomUUID()}`;
  await openRun(db, {
    runId,
    workflowId: 'w',
    operatorPubkey,
    documentTypes: [TYPE],
    request: { operatorUserId },
  });
  await planDocuments(
    db,
    { runId, operatorPubkey },
    documents.map((document, index) => planned({ machineId: `m${index + 1}`, ...document })),
  );
  return { runId, page: 0, documentType: TYPE, machineId: 'm1' };
}

export function planned(document: Partial<PlannedDocument>): PlannedDocument {
  return {
    page: 0,
    documentType: TYPE,
    machineId: 'm1',
    machineName: 'M',
    atmPubkey: hex32(),
    outcome: null,
    failureType: null,
    failureMessage: null,
    ...document,
  };
}

export const hex32 = (): string => randomBytes(32).toString('hex');

export function sealedEvent(createdAtS = 1_700_000_000, id = hex32()): SealedEvent {
  return { id, pubkey: OPERATOR, kind: 30078, created_at: createdAtS, tags: [['d', 'x']], content: 'x' };
}

export interface Key {
  runId: string;
  page: number;
  documentType: string;
  machineId: string;
}

/** Seals a document with a new event, or a given one, and signs it; the event. */
export async function signed(db: Writable, key: Key, event = sealedEvent()): Promise<SealedEvent> {
  await sealDocument(db, key, { event, stateFingerprint: 'f', signature: null });
  await keepSignature(db, key, event.id, 'sig');
  return event;
}

/** Seals a document with an event that an earlier run has signed. */
export async function reused(db: Writable, key: Key, event = sealedEvent()): Promise<SealedEvent> {
  await sealDocument(db, key, { event, stateFingerprint: 'f', signature: 'earlier sig' });
  return event;
}

export function good(
  { machineId }: { machineId: string },
  { id }: SealedEvent,
  rest: Partial<Settlement> = {},
): Settlement {
  return { machineId, eventId: id, outcome: 'published', relays: { 'ws://r': { state: 'holds' } }, ...rest };
}

/** Begins an attempt at the page: what it needs to write failures. */
export async function attempt(db: Writable, key: Key, documentTimeoutMs = 60_000) {
  const begun = await beginPage(db, key);
  if (begun === undefined) throw new Error('the page is not there');
  const { runId, page, documentType } = key;
  return { runId, page, documentType, holder: begun.holder, documentTimeoutMs };
}

/** Moments of a close: the run is locked and nothing read; all is written and nothing committed. */
export type CloseHooks = Partial<Record<'locked' | 'written', () => Promise<unknown>>>;

/** As the audit does it. */
export async function close(
  db: Database,
  { runId }: { runId: string },
  hooks: CloseHooks = {},
): Promise<void> {
  await db.transaction(async (client) => {
    await lockRun(client, runId);
    await hooks.locked?.();
    await failUnsettledDocuments(client, runId, REASONS);
    await closeRun(client, runId);
    await hooks.written?.();
  });
}

const REASONS: Reasons = {
  begun: { type: 'Interrupted', message: 'i' },
  notBegun: { type: 'NotAttempted', message: 'n' },
};

/** The same with an audit row in the chain of the run's operator. */
export async function closeWithAudit(
  db: Database,
  { runId }: { runId: string },
  operatorUserId: string,
): Promise<void> {
  await db.transaction(async (client) => {
    await lockRun(client, runId);
    await failUnsettledDocuments(client, runId, REASONS);
    await appendAudit(client, emptyAudit({ runId, operatorUserId }));
    await closeRun(client, runId);
  });
}

export async function rowOf(db: Writable, key: Key): Promise<DocumentRow> {
  const row = (await documentsOfRun(db, key.runId)).find(({ machineId }) => machineId === key.machineId);
  if (row === undefined) throw new Error('the document is not there');
  return row;
}

/** Settles a page in the name of whoever holds it now. */
export async function endPage(db: Writable, key: PageReference, failure: Failure): Promise<void> {
  const [row] = await db.query<{ holder: number }>(
    'SELECT holder FROM republish.pages WHERE run_id = $1 AND page = $2',
    [key.runId, key.page],
  );
  await settlePage(db, { ...key, holder: row?.holder ?? 0 }, failure);
}

/** An audit row of a run without failures, skips or warnings. */
export function emptyAudit(of: Partial<AuditRow> & Pick<AuditRow, 'runId'>): AuditRow {
  return {
    workflowId: 'w',
    operatorUserId: 'op',
    operatorPubkey: null,
    outcome: 'complete',
    events: {},
    counts: {},
    failures: [],
    skipped: [],
    superseded: [],
    laggards: [],
    swept: true,
    interventions: [],
    failure: null,
    reason: null,
    ...of,
  };
}
