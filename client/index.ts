export { askTemporal } from './ask-temporal';
export type { BeginOptions, OtherRun } from './begin';
export type { ChainStatus } from './chain-status';
export { connect, type ConnectOptions, type OpenClient } from './connect';
export type { Cancellation } from './control';
export {
  AnotherRunGoesOn,
  ControlRefused,
  NamespaceNotFound,
  RepublishFailed,
  RunNotFound,
  TemporalRefused,
  TemporalUnavailable,
} from './errors';
export {
  findFleet,
  type FleetControlled,
  type FleetOptions,
  type FleetRun,
  type FleetStatus,
  startFleet,
} from './fleet';
export type { OperatorObstacle } from './fleet-obstacles';
export type { Handle } from './handle';
export { republishOperatorConfigs, type RepublishOptions } from './republish';
export type { RepublishRun } from './run';
export type { Retry, Step } from './run-steps';
export type { RunStatus } from './run-status';
export { findRepublish, startRepublish, type StartOptions } from './start';
export type { WatchOptions } from './watch';
export { ConfigurationError } from '../configuration/load';
export type { ControlRequest, DocumentSelection, Intervention } from '../contract/control';
export type { FleetInput, FleetProgress, FleetSummary, OperatorEnd } from '../contract/fleet';
export { type DocumentFailure, type Failure, type FailureType, RepublishError } from '../contract/failures';
export type { Obstacle } from '../contract/obstacle';
export type { RepublishInput, RepublishResult } from '../contract/input';
export type { Counts, Phase, Progress, Stages, WaitingDocument } from '../contract/progress';
