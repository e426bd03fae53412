import { noOperators } from '../../contract/fleet';
import { COUNTED, type Counts, noCounts, type OutcomeCounts } from '../../contract/progress';
import { howFarOfFleet } from '../../rules/how-far';
import type { Queryable } from '../../database/connection';
import { type FleetRecord, type ReportedOperator, reportedOperators } from '../../database/fleet-report';
import { auditOfFleet, type WrittenFleetAuditRow } from '../../database/fleets';
import { causesOf, type Sufferer } from './causes';
import { fleetVerdictOf } from './fleet-verdict';
import type { FleetReport, LiveFleet, OperatorReport, ReportState } from './model';
import { auditRowOf } from './run';

/** Failed documents of one operator that are listed. The operator's own report has all. */
const MAX_FAILURES = 10;

export interface KnownFleet {
  runId: string;
  workflowId: string;
  /** Absent: the ledger has nothing of it yet. */
  record?: FleetRecord | undefined;
  live: LiveFleet | null;
  temporalAway: string | null;
}

/** The report of a fleet. Only reads. */
export async function fleetReport(db: Queryable, known: KnownFleet, now: Date): Promise<FleetReport> {
  const { runId } = known;
  const [audit, operators] = await Promise.all([
    auditOfFleet(db, runId),
    reportedOperators(db, { runId, maxFailures: MAX_FAILURES }),
  ]);
  return assembledFleet({ ...known, audit, operators }, now);
}

interface ReadFleet extends KnownFleet {
  audit: WrittenFleetAuditRow | undefined;
  operators: ReportedOperator[];
}

/** The report of a fleet, made from what was read. Pure. */
export function assembledFleet(fleet: ReadFleet, now: Date): FleetReport {
  const { record, audit, live } = fleet;
  const operators = fleet.operators.map(operatorReport);
  const state = stateOf(fleet);
  const counts = countsOf(operators);
  const report = {
    kind: 'fleet',
    asOf: now.toISOString(),
    runId: fleet.runId,
    workflowId: fleet.workflowId,
    ...(record === undefined ? {} : { request: record.request }),
    startedAt: record?.startedAt ?? null,
    endedAt: audit?.writtenAt ?? live?.closedAt ?? null,
    state,
    counts,
    howFar: howFarOfFleet({ planned: counts.planned, operators: counts }),
    documents: documentsOf(operators),
    interventions: audit?.interventions ?? (live?.progress?.paused ? [live.progress.paused] : []),
    causes: causesOf(
      operators.flatMap(sufferersOf),
      audit?.failure ?? (state === 'goes on' ? (live?.obstacle ?? null) : null),
    ),
    auditRow: auditRowOf(audit),
    operators,
    temporalAway: fleet.temporalAway,
  } satisfies Omit<FleetReport, 'verdict'>;
  return { ...report, verdict: fleetVerdictOf(report, { failure: audit?.failure ?? null, live }) };
}

function stateOf({ audit, live, temporalAway }: ReadFleet): ReportState {
  if (audit !== undefined) return audit.outcome;
  if (live === null && temporalAway !== null) return 'unknown';
  return live?.closedAt === null ? 'goes on' : 'ended without audit';
}

function operatorReport({ counts, ...operator }: ReportedOperator): OperatorReport {
  return {
    ...operator,
    state: operator.outcome ?? (operator.runId === null ? 'waiting' : 'in work'),
    counts: counts === null ? null : sumOf(Object.values(counts)),
  };
}

function sumOf(counts: Iterable<OutcomeCounts>): Counts {
  const sum = noCounts();
  for (const each of counts) for (const key of COUNTED) sum[key] += each[key];
  sum.planned = sum.published + sum.unchanged + sum.superseded + sum.failed;
  return sum;
}

function documentsOf(operators: readonly OperatorReport[]): Counts {
  return sumOf(operators.flatMap(({ counts }) => counts ?? []));
}

function countsOf(operators: readonly OperatorReport[]): FleetReport['counts'] {
  const counts = { ...noOperators(), planned: operators.length, inWork: 0, waiting: 0 };
  for (const { state } of operators) counts[state === 'in work' ? 'inWork' : state] += 1;
  return counts;
}

/** An incomplete operator counts for each failure of its documents. */
function sufferersOf({ operatorUserId: id, failure, failures }: OperatorReport): Sufferer[] {
  if (failure === null) return [];
  if (failure.type !== 'RepublishIncomplete' || failures.length === 0) return [{ ...failure, id, name: id }];
  const types = [...new Set(failures.map(({ type }) => type))];
  return types.map((type) => ({ type, message: '', id, name: id }));
}
