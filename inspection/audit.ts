import type { Failure } from '../contract/failures';
import type { Outcome } from '../contract/progress';
import type { RelayStanding } from '../contract/relay-standing';
import {
  auditOfRun,
  auditsOfOperator,
  knownOperators,
  unauditedRuns,
  type WrittenAuditRow,
} from '../database/audit';
import type { Queryable } from '../database/connection';
import { type DocumentRow, documentsOfRun } from '../database/ledger/documents';
import { nevent, npub } from '../nostr/keys';

/** A document of a run as it is shown: no ciphertext, no signature. */
export interface ToldDocument {
  documentType: string;
  machineId: string;
  machineName: string;
  outcome: Outcome | null;
  /** Hex. */
  eventId: string | null;
  /** The same with its author, for Nostr clients (NIP-19). */
  nevent: string | null;
  /** The newer event that stands at the address instead. */
  supersededBy: string | null;
  failure: Failure | null;
  /** Why it was skipped, such as `not paired yet`. */
  skippedBecause: string | null;
  /** The state of each relay at the end of the run, by its URL as it may be shown. */
  relays: Record<string, RelayStanding>;
}

export interface ToldAudit extends WrittenAuditRow {
  operatorNpub: string | null;
  documents: ToldDocument[];
}

export interface AuditReport {
  /** Newest first. */
  audits: ToldAudit[];
  /** Runs of the operator that have no audit yet. */
  open: { runId: string; startedAt: string }[];
  /** Operators that the ledger knows. Only present when it does not know the one that was asked for. */
  known?: string[];
}

/** The audit of a run, or the newest ones of an operator, with all documents of each. */
export async function auditReport(db: Queryable, subject: string, limit: number): Promise<AuditReport> {
  const run = await auditOfRun(db, subject);
  const rows = run ? [run] : await auditsOfOperator(db, subject, limit);
  const audits: ToldAudit[] = [];
  for (const row of rows) {
    const documents = await documentsOfRun(db, row.runId);
    const operatorNpub = row.operatorPubkey === null ? null : npub(row.operatorPubkey);
    audits.push({ ...row, operatorNpub, documents: documents.map(told) });
  }
  const open = run ? [] : await unauditedRuns(db, subject);
  const known = audits.length + open.length > 0 ? {} : { known: await knownOperators(db) };
  return { audits, open, ...known };
}

function told(row: DocumentRow): ToldDocument {
  const { documentType, machineId, machineName, outcome, event, relays, supersededBy } = row;
  return {
    documentType,
    machineId,
    machineName,
    outcome,
    eventId: event?.id ?? null,
    nevent: event === null ? null : nevent(event.id, event.pubkey),
    supersededBy,
    failure: row.failureType === null ? null : { type: row.failureType, message: row.failureMessage ?? '' },
    skippedBecause: outcome === 'skipped' ? row.failureMessage : null,
    relays,
  };
}
