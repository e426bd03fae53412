export { connect, type OpenClient } from './connect';
export { ControlRefused, RepublishFailed, TemporalUnavailable } from './errors';
export { findFleet, type FleetOptions, type FleetRun, startFleet } from './fleet';
export {
  findRepublish,
  republishOperatorConfigs,
  type RepublishOptions,
  type RepublishRun,
  startRepublish,
} from './republish';
export type { ControlRequest, DocumentSelection } from '../contract/control';
export type { DocumentFailure, Failure, FailureType } from '../contract/failures';
export type { RepublishInput, RepublishResult } from '../contract/input';
export type { FleetInput, FleetProgress, FleetSummary, OperatorEnd } from '../contract/fleet';
export type { Progress } from '../contract/progress';
