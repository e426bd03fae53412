import type { Intervention } from '../../contract/control';
import { howFar } from '../../rules/how-far';
import { auditOfRun, type WrittenAuditRow } from '../../database/audit';
import type { Queryable } from '../../database/connection';
import { fleetOfRun } from '../../database/fleet-report';
import {
  keyBefore,
  type ReportedDocument,
  reportedDocuments,
  type RunRecord,
} from '../../database/ledger/report';
import { isGood } from '../../contract/progress';
import type { Link } from '../../rules/audit-chain';
import { causesOf, suffering } from './causes';
import { countsOf, machinesOf, relaysOf } from './machines';
import type { LiveRun, ReportState, RunReport } from './model';
import { verdictOf } from './verdict';

/** What is known of a run, from any source. */
export interface KnownRun {
  operatorUserId: string;
  runId: string;
  workflowId: string;
  /** Absent: the ledger has nothing of it yet. */
  record?: RunRecord | undefined;
  live: LiveRun | null;
  temporalAway: string | null;
}

/** The report of one run. Only reads. */
export async function runReport(db: Queryable, known: KnownRun, now: Date): Promise<RunReport> {
  const { record } = known;
  const [audit, documents, before, fleetRunId] = await Promise.all([
    auditOfRun(db, known.runId),
    reportedDocuments(db, known.runId),
    record && keyBefore(db, record),
    fleetOfRun(db, known.runId),
  ]);
  return assembled({ ...known, audit, documents, before, fleetRunId }, now);
}

/** A run with everything that the ledger has of it. */
interface ReadRun extends KnownRun {
  audit: WrittenAuditRow | undefined;
  documents: ReportedDocument[];
  before: { pubkey: string; until: string } | undefined;
  fleetRunId: string | undefined;
}

/** The report of a run, made from what was read. Pure. */
export function assembled(run: ReadRun, now: Date): RunReport {
  const { record, audit, live, documents } = run;
  const state = stateOf(run);
  const progress = live?.progress ?? null;
  const documentTypes = record?.documentTypes ?? Object.keys(progress?.documentTypes ?? {});
  const counted = countsOf(documents, documentTypes);
  const { counts } = counted;
  const failure = audit?.failure ?? null;
  const report = {
    kind: 'run',
    asOf: now.toISOString(),
    operatorUserId: run.operatorUserId,
    runId: run.runId,
    workflowId: run.workflowId,
    ...(record === undefined ? {} : { request: record.request }),
    documentTypes,
    keys: { now: audit?.operatorPubkey ?? record?.operatorPubkey ?? null, before: run.before ?? null },
    fleetRunId: run.fleetRunId ?? null,
    startedAt: live?.startedAt ?? record?.startedAt ?? null,
    endedAt: audit?.writtenAt ?? live?.closedAt ?? null,
    state,
    howFar: howFar({
      ...counts,
      ...(progress === null ? {} : { stages: progress.stages, phase: progress.phase }),
    }),
    ...counted,
    ...(progress?.lookedIn === undefined ? {} : { lookedIn: progress.lookedIn }),
    swept: audit?.swept ?? null,
    interventions: audit?.interventions ?? interventionsOf(progress),
    causes: causesOf(
      documents.flatMap((document) => {
        const { failureType: type, failureMessage, outcome } = document;
        if (type === null || isGood(outcome)) return [];
        return [suffering(document, { type, message: failureMessage ?? '', isOpen: outcome === null })];
      }),
      failure ?? (state === 'goes on' ? (live?.obstacle ?? progress?.blocked ?? null) : null),
      run.operatorUserId,
    ),
    auditRow: auditRowOf(audit),
    relays: relaysOf(documents),
    machines: machinesOf(documents, documentTypes, live?.waiting ?? []),
    live: live === null || audit !== undefined ? null : told(live),
    temporalAway: run.temporalAway,
  } satisfies Omit<RunReport, 'verdict'>;
  return { ...report, verdict: verdictOf({ ...report, failure }) };
}

function stateOf({ audit, live, temporalAway }: ReadRun): ReportState {
  if (audit !== undefined) return audit.outcome;
  if (live === null && temporalAway !== null) return 'unknown';
  return live?.closedAt === null ? 'goes on' : 'ended without audit';
}

function told({ status, taskQueue, obstacle, cancelRequested, ...live }: LiveRun): RunReport['live'] {
  const seen = { status, taskQueue, obstacle, cancelRequested, approvals: live.approvals.length };
  if (live.progress === null) return { ...seen, progress: null };
  const { approvals: _, ...progress } = live.progress;
  return { ...seen, progress };
}

/** Of a run or of a fleet. */
export function auditRowOf(audit: Link | undefined): RunReport['auditRow'] {
  return audit === undefined ? null : { position: audit.position, hash: audit.hash };
}

/** A run that is not over reports only why it pauses. The audit has all interventions. */
function interventionsOf(progress: LiveRun['progress']): Intervention[] {
  return progress?.paused === undefined ? [] : [progress.paused];
}
