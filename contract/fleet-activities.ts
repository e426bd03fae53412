import type { FleetInput, FleetSummary, FleetUpdateName, OperatorEnd } from './fleet';
import type { ControlRequest, Intervention } from './control';
import type { Failure } from './failures';
import type { RepublishInput } from './input';

/**
 * The activities of the fleet's workflow. Operators are listed in the database, and cross here a page at a
 * time.
 */
export interface FleetActivities {
  planFleet(input: PlanFleetInput): Promise<PlanFleetResult>;
  loadOperators(input: LoadOperatorsInput): Promise<LoadOperatorsResult>;
  recordOperators(input: RecordOperatorsInput): Promise<void>;
  followRun(input: FollowRunInput): Promise<FollowRunResult>;
  speakToRuns(input: SpeakToRunsInput): Promise<SpeakToRunsResult>;
  persistFleetAudit(input: PersistFleetAuditInput): Promise<FleetSummary>;
}

export interface PlanFleetInput {
  /** `firstExecutionRunId` of the fleet, which stays across continue-as-new. */
  runId: string;
  request: FleetInput;
}

export interface PlanFleetResult {
  planned: number;
  /** The namespace knows the search attributes of names.ts; absent where they are not registered. */
  searchAttributes?: true;
}

export interface LoadOperatorsInput {
  runId: string;
  /** Operator after whom the page starts; absent for the first page. */
  after?: string;
  limit: number;
}

export interface LoadOperatorsResult {
  operators: string[];
  /** Cursor of the next page; absent on the last one. */
  next?: string;
}

export interface RecordOperatorsInput {
  runId: string;
  /** At most some dozens. */
  ended: OperatorEnd[];
}

export interface FollowRunInput {
  operatorUserId: string;
  /** The run to follow, by its first execution; absent: the run that is running. */
  runId?: string;
  /** The request of the fleet for this operator. A run of the same request counts as the fleet's. */
  request: RepublishInput;
}

export interface FollowRunResult {
  /** Whether the run has the same request. */
  same: boolean;
  end: OperatorEnd;
}

export interface SpeakToRunsInput extends ControlRequest {
  action: FleetUpdateName;
  runs: OperatorRun[];
}

export interface OperatorRun {
  operatorUserId: string;
  /** First execution of the run. */
  runId: string;
}

export interface SpeakToRunsResult {
  /** Operators whose runs accepted the control. */
  taken: string[];
  /**
   * Operators whose runs did not answer in time: they may accept it later. All others refused it: they had
   * ended, or were in that state already.
   */
  unanswered: string[];
}

export interface PersistFleetAuditInput {
  runId: string;
  /** Without the list of operators, which the ledger has. */
  request: FleetInput;
  /** The last operators, which no earlier call has recorded. */
  ended: OperatorEnd[];
  cancelled: boolean;
  /** What ended the fleet before its operators, if anything did. */
  failure?: Failure;
  interventions?: Intervention[];
}
