import type { FailureTypeWith } from './failures';

/**
 * Why a run that goes on does not move, whatever its documents wait for: nobody works on it, or nobody can.
 */
export type ObstacleType = FailureTypeWith<'obstacle'>;

/** As Temporal itself tells it, so that it is known without a worker; its remedy is the catalogue's. */
export interface Obstacle {
  type: ObstacleType;
  /** One line without secrets, such as `nobody polls task queue republish-operator-configs`. */
  message: string;
}
