import type { Client } from '@temporalio/client';
import type { Progress } from '../contract/progress';
import type { ChainStatus, StatusKind } from './chain-status';
import { type LiveValues, liveValues } from './live-values';
import { openSteps, type Retry, type Step } from './run-steps';

/**
 * What can be seen of a run from outside, also while no worker answers. `stages`, `waiting` and `approvals`
 * contain what the pages in work reported, and are the same in `progress`.
 */
export interface RunStatus extends ChainStatus<Progress>, RunDetails {
  /** Phase, counts by outcome as of the last results of the pages, failures; null while no worker answers. */
  progress: Progress | null;
}

/** What the status of a run has beyond that of a fleet. */
export interface RunDetails extends LiveValues {
  /** Activities in work of which no attempt has failed, the longest first. */
  inWork: Step[];
  /** Activities that are retried, the next attempt first. */
  retrying: Retry[];
}

export function runStatusKind(client: Client): StatusKind<Progress, RunDetails> {
  return {
    async ownStatus({ raw }, told) {
      const { inWork, retrying, heartbeats } = await openSteps(client, raw.pendingActivities ?? [], told);
      const live = liveValues(told, heartbeats);
      return { progress: told && { ...told, ...live }, ...live, inWork, retrying };
    },
  };
}
