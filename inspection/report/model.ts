import type { Intervention } from '../../contract/control';
import type { FailureType } from '../../contract/failures';
import type { FleetInput, FleetProgress, OperatorCounts } from '../../contract/fleet';
import type { HowFar } from '../../contract/how-far';
import type { RepublishInput } from '../../contract/input';
import type { Counts, Outcome, Progress, RunOutcome, WaitingDocument } from '../../contract/progress';
import type { Obstacle } from '../../contract/obstacle';
import type { RelayStanding } from '../../contract/relay-standing';
import type { ReportedOperator } from '../../database/fleet-report';
import type { ReportedDocument } from '../../database/ledger/report';

/**
 * What is told of a run or of a fleet on one page. Times are ISO 8601, keys and ids hex. No secret, no state.
 */
export type Report = RunReport | FleetReport;

interface Told {
  /** When it was looked at. */
  asOf: string;
  runId: string;
  workflowId: string;
  /** Null: nobody knows yet. */
  startedAt: string | null;
  /** Null: it goes on, or nobody knows. */
  endedAt: string | null;
  state: ReportState;
  verdict: Verdict;
  howFar: HowFar;
  /** What people asked of it; while it goes on only what it says itself. */
  interventions: Intervention[];
  causes: Cause[];
  /**
   * Its row in the chain of the audit, whose hash is the head if nothing came later. Null: it has no audit.
   */
  auditRow: { position: number; hash: string } | null;
  /** Why Temporal could not be asked, where it should have been. */
  temporalAway: string | null;
}

/**
 * As the audit has it; without an audit: `goes on`, `ended without audit` as Temporal says, or `unknown`
 * where Temporal could not be asked.
 */
export type ReportState = RunOutcome | 'goes on' | 'ended without audit' | 'unknown';

/** What a reader has to know first. */
export interface Verdict {
  tone: 'good' | 'warning' | 'bad' | 'calm';
  /** One sentence. */
  sentence: string;
  /** What to do, the most pressing first; commands have the operator's name. Empty: nothing. */
  remedies: string[];
  /** What else has to be known to read the sentence rightly. */
  remarks: string[];
}

/** Documents, or operators, that failed for one reason or meet with it now. */
export interface Cause {
  type: FailureType;
  meaning: string;
  remedy: string;
  /** It ended the run, or keeps it from going on. */
  isOfAll: boolean;
  failed: number;
  /** Not failed yet. */
  open: number;
  /** What was said of them, the most frequent first; at most 20 of `reasonsInAll`. */
  reasons: Reason[];
  reasonsInAll: number;
}

export interface Reason {
  /** Without the names of those whom it concerns. */
  text: string;
  count: number;
  /** Some of them; `id` is that of the machine, or of the operator. */
  examples: { id: string; name: string }[];
}

export interface RunReport extends Told {
  kind: 'run';
  operatorUserId: string;
  /** Absent: nothing of it is in the ledger yet. */
  request?: RepublishInput;
  documentTypes: string[];
  keys: {
    now: string | null;
    /** Of an earlier run under another key; `until`: when the last of those began. */
    before: { pubkey: string; until: string } | null;
  };
  fleetRunId: string | null;
  counts: Counts & { open: number };
  byType: Record<string, Counts & { open: number }>;
  /** All documents were looked at once more at the end. Null: it has no audit. */
  swept: boolean | null;
  relays: RelayReport[];
  machines: MachineReport[];
  /** What Temporal says of a run that goes on; null where it was not asked, or does not answer. */
  live: LiveReport | null;
}

export interface RelayReport {
  relay: string;
  /** Documents that it showed when it was asked last. */
  holds: number;
  /** Why it does not hold others, the most frequent first. */
  others: { state: RelayStanding['state']; detail: string; count: number }[];
}

/** Most urgent first: so they are told. */
export const GRADES = ['wrong', 'open', 'good', 'nothing'] as const;

/**
 * `wrong`: something failed, meets with trouble or was given up; `open`: something is not done yet; `good`:
 * all that was to stand stands; `nothing`: there was nothing to publish.
 */
export type Grade = (typeof GRADES)[number];

export interface MachineReport {
  machineId: string;
  machineName: string;
  grade: Grade;
  documents: MachineDocument[];
}

export type MachineDocument = Omit<ReportedDocument, 'machineId' | 'machineName'> & {
  /** What an open document waits for, in words. */
  waitsFor: string | null;
};

/** What Temporal knows of a run, also while no worker answers. */
export interface LiveRun {
  runId: string;
  workflowId: string;
  /** As Temporal names it: RUNNING, COMPLETED, FAILED, CANCELLED, TERMINATED or TIMED_OUT. */
  status: string;
  startedAt: string;
  closedAt: string | null;
  taskQueue: string;
  /** Why nobody works on it, or nobody can. */
  obstacle: Obstacle | null;
  /** Its cancellation was asked for, whether it knows that or not. */
  cancelRequested: boolean;
  /** Null while no worker answers. */
  progress: Progress | null;
  waiting: WaitingDocument[];
  /** Pages on which a person has to approve. */
  approvals: string[];
}

/**
 * Of the pages for approval only how many: a report is sent around, and whoever has such an address may
 * approve.
 */
export interface LiveReport extends Pick<LiveRun, 'status' | 'taskQueue' | 'obstacle' | 'cancelRequested'> {
  progress: Omit<Progress, 'approvals'> | null;
  approvals: number;
}

export interface FleetReport extends Told {
  kind: 'fleet';
  request?: Omit<FleetInput, 'operators'>;
  counts: OperatorCounts & { planned: number; inWork: number; waiting: number };
  /** Documents of all runs that have an audit. */
  documents: Counts;
  operators: OperatorReport[];
}

export interface OperatorReport extends Omit<ReportedOperator, 'counts'> {
  /** `waiting`: the run of this operator was not started, or not yet. */
  state: RunOutcome | 'in work' | 'waiting';
  counts: Record<Outcome, number> | null;
}

export interface LiveFleet {
  runId: string;
  workflowId: string;
  status: string;
  closedAt: string | null;
  taskQueue: string;
  obstacle: Obstacle | null;
  progress: FleetProgress | null;
}

/** Asks Temporal. Each gives undefined where it knows no such run. @throws where Temporal cannot be asked */
export interface AskTemporal {
  newestRun(operatorUserId: string): Promise<LiveRun | undefined>;
  run(workflowId: string, runId: string): Promise<LiveRun | undefined>;
  /** Without an id: the newest. */
  fleet(runId?: string): Promise<LiveFleet | undefined>;
}
