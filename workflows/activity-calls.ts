import {
  ActivityCancellationType,
  type ActivityInterfaceFor,
  proxyActivities,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities, RunLimits } from '../contract/activities';

type Calls = ActivityInterfaceFor<Activities>;

export const RETRY = {
  initialInterval: '1 second',
  backoffCoefficient: 2,
  maximumInterval: '15 seconds',
} as const;
/**
 * Temporal notices a dead worker within this time. The activities send heartbeats at least four times as
 * often.
 */
export const HEARTBEAT = '15 seconds';

/**
 * The bounds cover a failover of the database, which takes minutes: a person must not have to start again.
 */
export const { loadMachines, readLedger, settlePage } = proxyActivities<Calls>({
  startToCloseTimeout: '5 minutes',
  scheduleToCloseTimeout: '30 minutes',
  heartbeatTimeout: HEARTBEAT,
  retry: RETRY,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** Six attempts are enough to know whether the signer is up. */
export const { proveSigner } = proxyActivities<Calls>({
  summary: 'prove the signer',
  // A bunker may wait for a person who approves.
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: HEARTBEAT,
  retry: { ...RETRY, maximumAttempts: 6 },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** It reads back every document of the run, and all of them a second time where one was missing. */
export const { sweep } = proxyActivities<Calls>({
  summary: 'sweep',
  startToCloseTimeout: '6 hours',
  scheduleToCloseTimeout: '24 hours',
  heartbeatTimeout: HEARTBEAT,
  retry: { ...RETRY, maximumInterval: '30 seconds' },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

/**
 * Without the audit nobody knows what a run did: it is tried for a day, through a failover or a full disk.
 */
export const { persistAudit } = proxyActivities<Calls>({
  summary: 'write the audit',
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: HEARTBEAT,
  scheduleToCloseTimeout: '24 hours',
  retry: { ...RETRY, maximumInterval: '30 seconds' },
});

/** The controls of a run. The bounds are short, because a person waits for the answer. */
export const { retryDocuments, skipDocuments, requestCancellation } = proxyActivities<Calls>({
  startToCloseTimeout: '5 minutes',
  scheduleToCloseTimeout: '10 minutes',
  heartbeatTimeout: HEARTBEAT,
  retry: RETRY,
});

/**
 * A page throws if every open document was tried, and none advanced or a person must act. It sets the delay
 * of the next attempt itself. The trouble of each document has its own bound. The day is for a page that no
 * worker takes.
 *
 * A cancelled page yields now: it finishes what is signed, and the workflow waits for that.
 */
export function republishWithin(limits: RunLimits): Calls['republishDocuments'] {
  return proxyActivities<Calls>({
    startToCloseTimeout: limits.attemptTimeoutMs,
    scheduleToCloseTimeout: '24 hours',
    heartbeatTimeout: limits.heartbeatTimeoutMs,
    retry: { ...RETRY, maximumInterval: '30 seconds' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  }).republishDocuments;
}

/** The ledger key of a run or a fleet. It stays the same across continue-as-new. */
export function runId(): string {
  return workflowInfo().firstExecutionRunId;
}
