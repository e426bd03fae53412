/** What a client of another kind needs to know: names and shapes on the wire. */
export { type DocumentFailure, type Failure, FAILURES, type FailureType, remedyFor } from './failures';
export {
  FLEET_WORKFLOW_TYPE,
  fleetWorkflowIdFor,
  type FleetInput,
  type FleetProgress,
  type FleetSummary,
  type OperatorEnd,
} from './fleet';
export { howFar, type HowFar, howFarOfFleet } from '../rules/how-far';
export type { RepublishInput, RepublishResult } from './input';
export { DEFAULT_TASK_QUEUE, PROGRESS_QUERY, WORKFLOW_TYPE, workflowIdFor } from './names';
export {
  type Counts,
  type Outcome,
  OUTCOMES,
  type Phase,
  type Progress,
  type Stages,
  type WaitingDocument,
} from './progress';
