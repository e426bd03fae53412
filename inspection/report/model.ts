import type { Intervention } from '../../contract/control';
import type { FailureType } from '../../contract/failures';
import type { FleetInput, FleetProgress, OperatorCounts } from '../../contract/fleet';
import type { HowFar } from '../../rules/how-far';
import type { RepublishInput } from '../../contract/input';
import type { Counts, OutcomeCounts, Progress, RunOutcome, WaitingDocument } from '../../contract/progress';
import type { Obstacle } from '../../contract/obstacle';
import type { RelayStanding } from '../../contract/relay-standing';
import type { ReportedOperator } from '../../database/fleet-report';
import type { ReportedDocument } from '../../database/ledger/report';

/**
 * The content of a report, of a run or of a fleet. Times are ISO 8601; keys and ids are hex. It contains no
 * secret and no state.
 */
export type Report = RunReport | FleetReport;

interface Told {
  /** When it was made. */
  asOf: string;
  runId: string;
  workflowId: string;
  /** Null: not known yet. */
  startedAt: string | null;
  /** Null: it is not over, or that is not known. */
  endedAt: string | null;
  state: ReportState;
  verdict: Verdict;
  howFar: HowFar;
  /** The interventions. Before there is an audit, only those that the run itself reports. */
  interventions: Intervention[];
  causes: Cause[];
  /** Its row in the audit chain. If no later row exists, the hash is the head. Null: it has no audit. */
  auditRow: { position: number; hash: string } | null;
  /** Why Temporal could not be asked, if it should have been. */
  temporalAway: string | null;
}

/**
 * From the audit. Without one: `goes on`, `ended without audit` as Temporal reports it, or `unknown` if
 * Temporal could not be asked.
 */
export type ReportState = RunOutcome | 'goes on' | 'ended without audit' | 'unknown';

/** What a reader needs first. */
export interface Verdict {
  tone: 'good' | 'warning' | 'bad' | 'calm';
  /** One sentence. */
  sentence: string;
  /** What to do, the most urgent first. Commands contain the operator's id. Empty: nothing. */
  remedies: string[];
  /** Facts that change how the sentence is read. */
  remarks: string[];
}

/** Documents or operators with the same failure, final or not. */
export interface Cause {
  type: FailureType;
  meaning: string;
  remedy: string;
  /** It ended or blocks the run. */
  isOfAll: boolean;
  failed: number;
  /** Documents that are still open. */
  open: number;
  /** The messages, the most frequent first; at most 20 of `reasonsInAll`. */
  reasons: Reason[];
  reasonsInAll: number;
}

export interface Reason {
  /** Without the names of the documents. */
  text: string;
  count: number;
  /** Some of the documents or operators; `id` is the machine's or the operator's. */
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
    /** The key of earlier runs, if it was another one. `until`: when the last of those runs began. */
    before: { pubkey: string; until: string } | null;
  };
  fleetRunId: string | null;
  counts: Counts & { open: number };
  byType: Record<string, Counts & { open: number }>;
  /** Where the machines were looked for. Only of a run without machines, while a worker can say it. */
  lookedIn?: string;
  /** Whether the sweep looked at all documents. Null: there is no audit. */
  swept: boolean | null;
  relays: RelayReport[];
  machines: MachineReport[];
  /** What Temporal knows of a run that is not over. Null: it was not asked, or does not answer. */
  live: LiveReport | null;
}

export interface RelayReport {
  relay: string;
  /** Documents that it returned when it was last asked. */
  holds: number;
  /** Why it does not hold the other documents, the most frequent first. */
  others: { state: RelayStanding['state']; detail: string; count: number }[];
}

/** In the order in which they are shown: the most urgent first. */
export const GRADES = ['wrong', 'open', 'good', 'nothing'] as const;

/**
 * `wrong`: a document failed, is in trouble or was skipped by a person. `open`: a document has no outcome
 * yet. `good`: all documents stand. `nothing`: there was nothing to publish.
 */
export type Grade = (typeof GRADES)[number];

export interface MachineReport {
  machineId: string;
  machineName: string;
  grade: Grade;
  documents: MachineDocument[];
}

export type MachineDocument = Omit<ReportedDocument, 'machineId' | 'machineName'> & {
  /** What an open document waits for, for a person. */
  waitsFor: string | null;
};

/** What Temporal knows of a run, even when no worker answers. */
export interface LiveRun {
  runId: string;
  workflowId: string;
  /** As Temporal names it: RUNNING, COMPLETED, FAILED, CANCELLED, TERMINATED or TIMED_OUT. */
  status: string;
  startedAt: string;
  closedAt: string | null;
  taskQueue: string;
  /** Why no worker works on it, or none can. */
  obstacle: Obstacle | null;
  /** Its cancellation was requested, whether the run has noticed or not. */
  cancelRequested: boolean;
  /** Null while no worker answers. */
  progress: Progress | null;
  waiting: WaitingDocument[];
  /** Addresses at which a person must approve. */
  approvals: string[];
}

/**
 * Only the number of approval addresses: a report is passed on, and everybody who has such an address may
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
  /** `waiting`: the run of this operator has not started. */
  state: RunOutcome | 'in work' | 'waiting';
  counts: OutcomeCounts | null;
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

/** Asks Temporal. Undefined: it knows no such run. @throws when Temporal cannot be asked */
export interface AskTemporal {
  newestRun(operatorUserId: string): Promise<LiveRun | undefined>;
  run(workflowId: string, runId: string): Promise<LiveRun | undefined>;
  /** Without an id: the newest. */
  fleet(runId?: string): Promise<LiveFleet | undefined>;
}
