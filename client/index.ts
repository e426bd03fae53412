export { connect, type OpenClient } from './connect';
export { ControlRefused, RepublishFailed, TemporalUnavailable } from './errors';
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
export type { Progress } from '../contract/progress';
