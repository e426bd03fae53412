import type { FailureTypeWith } from './failures';

/**
 * Why a running run does not move, apart from its documents: no worker works on it, or none can.
 */
export type ObstacleType = FailureTypeWith<'obstacle'>;

/** Temporal reports it, so it is known without a worker. Its remedy is in the catalogue. */
export interface Obstacle {
  type: ObstacleType;
  /** One line without secrets, such as `nobody polls task queue republish-operator-configs`. */
  message: string;
}
