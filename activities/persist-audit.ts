import type { PersistAuditInput, PersistAuditResult } from '../contract/activities';
import { type DocumentFailure, type Failure, remedyFor } from '../contract/failures';
import { isGivenUp, noOutcomes, type RunOutcome } from '../contract/progress';
import { appendAudit, type AuditRow, auditOfRun } from '../database/audit';
import {
  closeRun,
  failUnsettledDocuments,
  lockRun,
  type OutcomeRow,
  outcomesOfRun,
} from '../database/ledger/closing';
import { openRun } from '../database/ledger/runs';
import type { ActivityDependencies } from './dependencies';

/** Most failures in a workflow result and in its failure details. The audit row has all of them. */
const MAX_REPORTED_FAILURES = 200;
const MAX_REPORTED_MESSAGE = 400;
/** 67 bytes for each in the run's result: together with the failures that is below the 2 MB of a payload. */
const MAX_REPORTED_EVENTS = 25_000;

const BEGUN: Failure = { type: 'Interrupted', message: 'the run ended while the document was in work' };
const NOT_BEGUN: Failure = { type: 'NotAttempted', message: 'the run ended before the document was begun' };

/**
 * Closes the run: every document gets an outcome, and one audit row is appended from the ledger, in
 * one transaction. The row is keyed by the run, so a second call returns the first row. After that the ledger
 * takes no change of the run.
 */
export async function persistAudit(
  deps: Pick<ActivityDependencies, 'database' | 'failpoint' | 'onRunEnded'>,
  input: PersistAuditInput,
): Promise<PersistAuditResult> {
  const audit = await deps.database.transaction(async (client) => {
    const { runId, cause } = input;
    const { closed } = await openRun(client, input);
    if (!closed) {
      await lockRun(client, runId);
      await failUnsettledDocuments(client, runId, { cause, begun: BEGUN, notBegun: NOT_BEGUN });
      await appendAudit(client, auditRow(input, await outcomesOfRun(client, runId)));
      await closeRun(client, runId);
    }
    return auditOfRun(client, runId);
  });
  if (audit === undefined) throw new Error('the audit row was not written');
  deps.failpoint('after-audit');
  deps.onRunEnded(audit);
  const events = Object.values(audit.events).reduce((sum, ids) => sum + ids.length, 0);
  const fits = events <= MAX_REPORTED_EVENTS;
  return {
    packedEvents: mapValues(audit.events, (ids) => (fits ? packed(ids) : '')),
    ...(fits ? {} : { eventsLeftOut: events }),
    ...(input.failure === undefined && audit.failure !== null ? { failure: audit.failure } : {}),
    counts: audit.counts,
    failures: audit.failures
      .slice(0, MAX_REPORTED_FAILURES)
      .map((failure) => ({ ...failure, message: failure.message.slice(0, MAX_REPORTED_MESSAGE) })),
    failed: audit.failures.length,
    auditHead: audit.hash,
  };
}

/** base64url takes two thirds of hex. History holds the ids a second time, in the run's result. */
function packed(eventIds: string[]): string {
  return Buffer.from(eventIds.join(''), 'hex').toString('base64url');
}

function mapValues<V, W>(record: Record<string, V>, map: (value: V) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

function auditRow(input: PersistAuditInput, documents: OutcomeRow[]): AuditRow {
  const events: Record<string, string[]> = Object.fromEntries(input.documentTypes.map((type) => [type, []]));
  const counts: AuditRow['counts'] = Object.fromEntries(
    input.documentTypes.map((type) => [type, noOutcomes()]),
  );
  const failures: DocumentFailure[] = [];
  const skipped: AuditRow['skipped'] = [];
  const superseded: AuditRow['superseded'] = [];
  const laggards: AuditRow['laggards'] = [];
  for (const { documentType, machineId, machineName, outcome, eventId, ...row } of documents) {
    if (outcome === null) continue;
    const ofType = (counts[documentType] ??= noOutcomes());
    ofType[outcome] += 1;
    if (isGivenUp({ outcome, failureType: row.failureType })) ofType.givenUp += 1;
    if (outcome === 'failed' && row.failureType !== null) {
      failures.push({
        documentType,
        machineId,
        machineName,
        type: row.failureType,
        message: row.failureMessage ?? remedyFor(row.failureType),
      });
    }
    if (outcome === 'skipped') {
      skipped.push({
        documentType,
        machineId,
        ...(row.failureMessage === null ? {} : { reason: row.failureMessage }),
      });
    }
    if (eventId === null) continue;
    if (outcome === 'superseded')
      superseded.push({ documentType, machineId, eventId, supersededBy: row.supersededBy ?? '' });
    if (outcome !== 'published' && outcome !== 'unchanged') continue;
    (events[documentType] ??= []).push(eventId);
    for (const [relay, record] of Object.entries(row.relays))
      laggards.push({ documentType, machineId, relay, ...record });
  }
  const failure = input.failure ?? lostDocuments(input, documents.length);
  return {
    runId: input.runId,
    workflowId: input.workflowId,
    operatorUserId: input.request.operatorUserId,
    operatorPubkey: input.operatorPubkey ?? null,
    outcome: runOutcome(failure, input.cancelled, failures.length),
    events,
    counts,
    failures,
    skipped,
    superseded,
    laggards,
    failure: failure ?? null,
    swept: input.swept === true,
    reason: input.request.reason ?? null,
    interventions: input.interventions ?? [],
  };
}

/** Only this check notices a document whose row is gone: all other counts are of rows. */
function lostDocuments({ planned = 0, cancelled }: PersistAuditInput, rows: number): Failure | undefined {
  if (cancelled || rows >= planned) return undefined;
  return {
    type: 'LedgerIncomplete',
    message: `the ledger has ${rows} of the ${planned} documents that were planned`,
  };
}

function runOutcome(failure: Failure | undefined, cancelled: boolean, failed: number): RunOutcome {
  if (failure !== undefined) return 'failed';
  if (cancelled) return 'cancelled';
  return failed > 0 ? 'incomplete' : 'complete';
}
